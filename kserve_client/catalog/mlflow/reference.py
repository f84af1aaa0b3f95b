"""References to models, as MLflow writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from kserve_client.catalog.models_file import MLFLOW_REFERENCE
from kserve_client.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Reference:
    """A model in MLflow: `name` with `alias` or `version`, or the `model_id` of a logged model."""

    name: str = ""
    alias: str = ""
    version: str = ""
    model_id: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/m-` and 32 hex digits.

        Raises ConfigurationError for anything else, such as `models:/NAME/latest`.
        """
        if not re.fullmatch(MLFLOW_REFERENCE, text):
            raise ConfigurationError(
                f"{text!r} is no model of MLflow: write models:/NAME@ALIAS, models:/NAME/VERSION "
                "or models:/m-…, the id of a logged model"
            )
        path = text.removeprefix("models:/")
        name, at, alias = path.partition("@")
        if at:
            return cls(name=name, alias=alias)
        name, slash, version = path.partition("/")
        return cls(name=name, version=version) if slash else cls(model_id=path)

    def __str__(self) -> str:
        if self.alias:
            return f"models:/{self.name}@{self.alias}"
        return f"models:/{f'{self.name}/{self.version}' if self.name else self.model_id}"
