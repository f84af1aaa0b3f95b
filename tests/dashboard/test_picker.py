"""The picker of the sidebar: what it shows, and what an address with its words leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.picker import picker_labels
from kserve_client.catalog import Summary
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, links, pick, title
from tests.v2_server import V2Server


@pytest.fixture
def two(models_file: Path, server: V2Server, mlflow: V2Server) -> Path:
    """Write a models file whose second model MLflow describes."""
    models_file.write_text(
        f"mlflow: {{url: '{mlflow.url}'}}\nendpoints: {{test: {{url: '{server.url}'}}}}\n"
        "models:\n"
        "  first: {endpoint: test, title: First}\n"
        "  flower: {endpoint: test, mlflow: 'models:/iris@champion'}\n"
    )
    return models_file


def test_a_title_stands_alone_where_it_says_enough() -> None:
    """Whoever says it; the same title twice has the model's name behind it."""
    assert picker_labels(
        {
            "a": Summary("Apple"),
            "b": Summary("Pear"),
            "c": Summary("Pear", is_settled=False),
            "n/d": Summary("Plum", is_settled=False),
            "n/e": Summary("n/e", is_settled=False),
        }
    ) == {"a": "Apple", "b": "Pear (b)", "c": "Pear (c)", "n/d": "Plum", "n/e": "n/e"}


def test_no_title_passes_for_another_model() -> None:
    """One that is written as the label of another gets its name as well, and so does the other."""
    found = picker_labels({"a": Summary("Plum (b)"), "b": Summary("Plum"), "c": Summary("Plum")})
    assert found == {"a": "Plum (b) (a)", "b": "Plum (b) (b)", "c": "Plum (c)"}


@pytest.mark.parametrize("asked", ["flower", "Iris species (flower)", "Its title of once (flower)"])
def test_an_address_leads_to_its_model_before_mlflow_is_asked(
    open_page: OpenPage, two: Path, asked: str
) -> None:
    """By name, and by the words that links once had, be they of another time."""
    app = open_page("model", two, m=asked)
    assert app.selectbox(key="model").value == "flower"
    assert title(app) == "Details · Iris species"
    assert app.query_params["m"] == "flower"


def test_an_address_leads_to_its_model_without_mlflow(
    open_page: OpenPage, two: Path, mlflow: V2Server
) -> None:
    """The name in the brackets is enough."""
    mlflow.stop()
    app = open_page("model", two, m="Iris species (flower)")
    assert title(app) == "Details · flower"


def test_the_first_model_is_in_the_address_too(open_page: OpenPage, models_file: Path) -> None:
    """It is still that model once the file is in another order."""
    app = open_page("predict")
    assert app.query_params["m"] == "flower"
    models_file.write_text(
        "endpoints: {test: {url: 'http://127.0.0.1:9'}}\n"
        "models: {weight: {endpoint: test}, flower: {endpoint: test, title: Rose}}\n"
    )
    assert title(open_page("model", m="flower")) == "Details · Rose"
    assert title(open_page("model")) == "Details · weight"


def test_another_model_is_named_in_the_address(open_page: OpenPage) -> None:
    """By its name, not by its title, and so is the first one when it is chosen again."""
    app = open_page("predict")
    for name, words in (("weight", "Predict · Weight"), ("flower", "Predict · Flower")):
        pick(app, name)
        assert title(app) == words
        assert app.query_params["m"] == name


@pytest.mark.parametrize(("asked", "shown"), [("Weight", "Weight"), ("Flower", "Flower")])
def test_an_old_link_with_a_title(open_page: OpenPage, asked: str, shown: str) -> None:
    """It opens the model that alone has the title, and the address has the name from then on."""
    app = open_page("predict", m=asked)
    assert title(app) == f"Predict · {shown}"
    assert app.query_params["m"] == asked.lower()


def test_an_old_link_with_the_title_of_two(open_page: OpenPage, models_file: Path) -> None:
    """Nobody knows which one was meant, and that is said."""
    text = models_file.read_text().replace("title: Weight", "title: Flower")
    models_file.write_text(text)
    app = open_page("predict", m="Flower")
    assert alert(app, "warning").startswith("There is no model Flower")


@pytest.mark.parametrize("page", ["predict", "batch", "model", "health"])
@pytest.mark.parametrize("asked", ["nope", "FLOWER", "Its title of once (nobody)"])
def test_a_link_to_a_model_that_is_gone(
    open_page: OpenPage, server: V2Server, page: str, asked: str
) -> None:
    """Says so and stays so, shows and asks nothing of another model, and keeps the address."""
    app = open_page(page, m=asked)
    for _ in range(2):
        assert alert(app, "warning").startswith(f"There is no model {asked}: ")
        assert app.selectbox(key="model").value is None
        assert links(app) == ["All models"]
        assert app.query_params["m"] == asked
        assert server.inferences == []
        app.run()
    pick(app, "weight")
    assert title(app).endswith("Weight")
    assert not [one for one in app.warning if "There is no model" in one.title]
    assert app.query_params["m"] == "weight"


def test_another_model_instead_of_one_that_is_gone(open_page: OpenPage) -> None:
    """The list stands beside the note as well, since a phone hides the sidebar."""
    app = open_page("predict", m="nope")
    app.selectbox(key="model.again").select("weight").run()
    assert title(app) == "Predict · Weight"
    assert app.query_params["m"] == "weight"
    assert app.selectbox(key="model").value == "weight"


def test_a_model_that_goes_while_it_is_open(open_page: OpenPage, models_file: Path) -> None:
    """The page does not become one about another model; when it is back, so is its page."""
    app = open_page("predict", m="weight")
    before = models_file.read_text()
    models_file.write_text(before.replace("  weight:", "  heavier:"))
    app.run()
    assert alert(app, "warning").startswith("There is no model weight")
    models_file.write_text(before)
    app.run()
    assert title(app) == "Predict · Weight"
