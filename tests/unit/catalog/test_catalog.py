from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kserve_client import Catalog
from kserve_client.catalog.models_file import parse_models_file
from kserve_client.errors import ConfigurationError
from tests.unit.catalog.test_models_file import GOOD


@pytest.fixture
def catalog() -> Catalog:
    """Two models, one of them with another name on the server."""
    text = GOOD + "  other: {endpoint: demo, model_name: iris-2, model_version: v3}\n"
    return Catalog(parse_models_file(text, source="m.yaml", folder=Path()))


def test_a_catalog_is_walked_by_name(catalog: Catalog) -> None:
    """In the order of the file."""
    assert list(catalog) == ["iris", "other"]
    assert len(catalog) == 2
    assert "iris" in catalog
    assert "nope" not in catalog


def test_titles_for_people(catalog: Catalog) -> None:
    """The key where there is none."""
    assert [catalog.title(name) for name in catalog] == ["Iris species", "other"]


def test_models_have_their_name_on_the_server(catalog: Catalog) -> None:
    """The key, unless the file says otherwise."""
    iris, other = (catalog.model(name) for name in catalog)
    assert (iris.name, iris.version) == ("iris", None)
    assert (other.name, other.version) == ("iris-2", "v3")
    assert len(iris.signature.features) == 1


def test_models_of_one_endpoint_share_their_connections(catalog: Catalog) -> None:
    """One client, also when many threads ask at once."""
    with ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(lambda _: catalog.model("iris").client, range(50)))
    assert clients == {catalog.model("other").client}
    assert catalog.endpoint("iris").url == "http://127.0.0.1:8890"


def test_an_unknown_model_names_those_there_are(catalog: Catalog) -> None:
    """In each way to ask for it."""
    for ask in (catalog.entry, catalog.title, catalog.endpoint, catalog.model):
        with pytest.raises(
            ConfigurationError, match="no model 'nope' in the catalog; there is iris"
        ):
            ask("nope")


def test_an_empty_catalog() -> None:
    """Has no models, and says so."""
    empty = Catalog(parse_models_file("endpoints:\nmodels:\n", source="m.yaml", folder=Path()))
    assert list(empty) == []
    with pytest.raises(ConfigurationError, match="there is none"):
        empty.model("iris")


def test_loads_from_a_path(tmp_path: Path) -> None:
    """Text or Path."""
    file = tmp_path / "models.yaml"
    file.write_text(GOOD)
    assert list(Catalog.load(file)) == list(Catalog.load(str(file))) == ["iris"]
