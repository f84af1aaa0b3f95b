from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kserve_client import Catalog
from kserve_client.catalog import Entry, Summary
from kserve_client.catalog.cluster import Found, Problem
from kserve_client.catalog.inference_services import InferenceService
from kserve_client.catalog.models_file import parse_models_file
from kserve_client.errors import ConfigurationError, NoAnswerError
from kserve_client.health import check_all
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


# Models of a cluster

CLUSTER_FILE = """\
endpoints: {demo: {url: http://127.0.0.1:8890}}
kubernetes: {namespaces: [flowers, birds], endpoint: {read_timeout_s: 7}}
models:
  mine: {inference_service: iris, title: Iris species, model_version: v1}
  plain: {endpoint: demo}
"""


def cluster_catalog(text: str = CLUSTER_FILE, **services: str) -> tuple[Catalog, list[int]]:
    """A catalog on a cluster with these services, and how often it was asked."""
    found: dict[str, InferenceService] = {}
    for words, url in services.items():
        namespace, name = words.split("__")
        found[f"{namespace}/{name}"] = InferenceService(namespace, name, url=url)
    asked: list[int] = []

    def discovery() -> Found:
        asked.append(1)
        return Found(found)

    content = parse_models_file(text, source="m.yaml", folder=Path())
    return Catalog(content, discovery=discovery), asked


def test_services_of_the_cluster_follow_the_models_of_the_file() -> None:
    """One that the file names is not there twice."""
    models, _ = cluster_catalog(flowers__iris="http://iris.test", birds__owl="http://owl.test")
    assert list(models) == ["mine", "plain", "birds/owl"]
    assert len(models) == 3
    assert "birds/owl" in models
    assert "flowers/iris" in models
    assert models.title("birds/owl") == "birds/owl"
    assert models.entry("birds/owl").endpoint is None
    assert {name: one.title for name, one in models.summaries().items()} == {
        "mine": "Iris species",
        "plain": "plain",
        "birds/owl": "birds/owl",
    }


def test_a_summary_takes_what_the_service_says() -> None:
    """Named in short, of a model whose entry says nothing else; MLflow was not asked yet."""
    form = Entry(title="Theirs", owner="Cluster team", mlflow="models:/iris@champion")
    service = InferenceService("flowers", "iris", url="http://iris.test", form=form)
    text = "kubernetes: {namespaces: [flowers]}\nmodels: {mine: {inference_service: iris}}\n"
    content = parse_models_file(text, source="m.yaml", folder=Path())
    models = Catalog(content, discovery=lambda: Found({service.key: service}))
    assert models.summary("mine") == Summary("Theirs", owner="Cluster team")
    assert models.summaries() == {"mine": models.summary("mine")}


def test_a_summary_of_an_endpoint_does_not_wait_for_the_cluster() -> None:
    """The title of a model of the file is known before any cluster has answered."""
    models, asked = cluster_catalog(flowers__iris="http://iris.test")
    assert models.title("plain") == "plain"
    assert asked == []


def test_a_model_of_the_file_on_a_service_of_the_cluster() -> None:
    """Its address and its name come from the service, the rest from the file."""
    models, _ = cluster_catalog(flowers__iris="http://iris.test")
    model = models.model("mine")
    assert (model.name, model.version) == ("iris", "v1")
    assert model.client.endpoint.url == "http://iris.test"
    assert model.client.endpoint.read_timeout_s == 7
    assert model.client.endpoint.title == "flowers/iris"


def test_a_service_that_moves_gets_a_fresh_client() -> None:
    """Its old address may belong to somebody else by now."""
    services = {"flowers/iris": InferenceService("flowers", "iris", url="http://old.test")}
    content = parse_models_file(CLUSTER_FILE, source="m.yaml", folder=Path())
    models = Catalog(content, discovery=lambda: Found(dict(services)))
    before = models.model("mine").client
    assert models.model("mine").client is before
    services["flowers/iris"] = InferenceService("flowers", "iris", url="http://new.test")
    assert models.model("mine").client.endpoint.url == "http://new.test"


def test_a_model_on_an_endpoint_does_not_wait_for_the_cluster() -> None:
    """What the file says whole is not asked for."""
    models, asked = cluster_catalog()
    assert models.model("plain").client.endpoint.url == "http://127.0.0.1:8890"
    assert asked == []


@pytest.mark.parametrize(
    ("services", "problem"),
    [
        ({}, "model 'mine': there is no InferenceService iris; there is none"),
        ({"flowers__lily": "http://l"}, "no InferenceService iris; there is flowers/lily"),
        (
            {"flowers__iris": "http://a", "birds__iris": "http://b"},
            "iris is an InferenceService in flowers and birds; write NAMESPACE/NAME",
        ),
        ({"flowers__iris": ""}, "InferenceService flowers/iris has no external address yet"),
    ],
)
def test_a_service_that_is_not_to_be_had_is_said(services: dict[str, str], problem: str) -> None:
    """The other models work."""
    models, _ = cluster_catalog(**services)
    with pytest.raises(ConfigurationError, match=problem):
        models.model("mine")
    assert models.model("plain").name == "plain"


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (
            Found(problems=(Problem("", NoAnswerError("no connection")),)),
            "InferenceService flowers/iris can't be seen: no connection",
        ),
        (
            Found(problems=(Problem("flowers", NoAnswerError("not allowed")),)),
            "InferenceService flowers/iris can't be seen: namespace flowers: not allowed",
        ),
        (
            Found(problems=(Problem("birds", NoAnswerError("not allowed")),)),
            "there is no InferenceService flowers/iris; there is none",
        ),
        (Found(is_complete=False), "InferenceService flowers/iris is still being looked for"),
    ],
)
def test_a_cluster_that_can_not_be_seen_is_not_called_empty(found: Found, problem: str) -> None:
    """Why a service is not there is what somebody has to mend."""
    text = CLUSTER_FILE.replace("inference_service: iris", "inference_service: flowers/iris")
    content = parse_models_file(text, source="m.yaml", folder=Path())
    models = Catalog(content, discovery=lambda: found)
    with pytest.raises(ConfigurationError, match=f"model 'mine': {problem}"):
        models.endpoint("mine")


def test_health_of_a_service_without_an_address_is_a_broken_step() -> None:
    """A result, as each failure of a check: one such model does not hide the others."""
    models, _ = cluster_catalog(flowers__iris="")
    (ladder,) = check_all(models, ["mine"])
    assert ladder.state == "not ready"
    assert [(rung.name, rung.state) for rung in ladder.rungs] == [("Address", "failed")]
    assert "no external address yet" in ladder.verdict
