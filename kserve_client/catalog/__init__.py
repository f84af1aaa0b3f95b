"""The catalog: the models a person may use, and where they come from."""

from kserve_client.catalog.catalog import Catalog
from kserve_client.catalog.models_file import Entry, Example, ModelsFile
from kserve_client.catalog.schema import models_file_schema

__all__ = ["Catalog", "Entry", "Example", "ModelsFile", "models_file_schema"]
