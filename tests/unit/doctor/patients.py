"""Catalogs with the models of the ideal server, and their examination."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kserve_client import Catalog
from kserve_client.catalog.models_file import parse_models_file
from kserve_client.doctor import Report, examine

# As the tests of the catalog do: a text, checked as a file is.
SUMS = """
    signature: {input: x, datatype: FP32, features: [{name: a}, {name: b}]}
    examples:
      - {name: Small, row: {a: 1, b: 2}}
      - {name: Large, row: {a: 10, b: 30}}
"""
COLUMNS = """
    signature: {layout: columns, features: [{name: a}, {name: b}]}
    examples: [{name: Small, row: {a: 1, b: 2}}, {name: Large, row: {a: 10, b: 30}}]
"""
BARE = ""


def catalog_of(url: str, described: str = SUMS, *, name: str = "sums", **endpoint: Any) -> Catalog:
    """A catalog of one model."""
    settings = "".join(f", {key}: {value}" for key, value in endpoint.items())
    text = f"""
version: 1
endpoints:
  test: {{url: "{url}"{settings}}}
models:
  {name}:
    title: Sums
    endpoint: test
{described}
"""
    return Catalog(parse_models_file(text, source="models.yaml", folder=Path()))


def examined(url: str, described: str = SUMS, *, name: str = "sums", **endpoint: Any) -> Report:
    """The report on that model."""
    return examine(catalog_of(url, described, name=name, **endpoint), name)


def told(report: Report, key: str) -> tuple[str, str]:
    """Verdict and finding of a check."""
    result = report.result(key)
    return result.verdict, result.finding
