"""The catalog: the models a person may use, and where they come from."""

from kserve_client.catalog.catalog import Catalog
from kserve_client.catalog.facts import Description, Draft, Fact, Source, SourceFailure
from kserve_client.catalog.models_file import Entry, Example, ModelsFile, load_models_file
from kserve_client.catalog.schema import models_file_schema
from kserve_client.catalog.summary import Summary

__all__ = [
    "Catalog",
    "Description",
    "Draft",
    "Entry",
    "Example",
    "Fact",
    "ModelsFile",
    "Source",
    "SourceFailure",
    "Summary",
    "load_models_file",
    "models_file_schema",
]
