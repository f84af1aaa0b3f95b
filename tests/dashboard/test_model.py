from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, title, words
from tests.v2_server import Reply, V2Server


def test_catalog_and_server_stand_side_by_side(open_page: OpenPage, server: V2Server) -> None:
    """What the models file adds, and what the server says of itself and the model."""
    app = open_page("model", m="flower")
    seen = words(app)
    assert title(app).endswith("Flower")
    for text in ("What the catalog adds", "What the server says", "Botany", server.url):
        assert text in seen
    assert "scripted 1.0" in seen


def test_the_features_are_a_table(open_page: OpenPage) -> None:
    """One row per feature, with unit, range and whether it is needed; outputs with their classes."""
    features, outputs = [table.value for table in open_page("model", m="flower").dataframe]
    assert [list(map(str, row)) for row in features.to_numpy()] == [
        ["length", "Petal length", "number", "cm", "0 – 10", "yes"],
        ["width", "Petal width", "number", "cm", "0 – 4", "yes"],
    ]
    assert "Rose, Tulip, Aster" in [str(cell) for cell in outputs.to_numpy().ravel()]


def test_empty_metadata_is_said_to_be_usual(open_page: OpenPage) -> None:
    """Many runtimes name no inputs: no empty tables."""
    app = open_page("model", m="flower")
    assert words(app).count("The server names none") == 2


def test_tensors_of_the_metadata_are_tables(open_page: OpenPage, server: V2Server) -> None:
    """Name, datatype and shape as the server gives them."""
    server.replies["/v2/models/flower"] = Reply(
        body={
            "name": "flower",
            "versions": ["1", "2"],
            "platform": "sklearn",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
            "outputs": [],
        }
    )
    app = open_page("model", m="flower")
    tables = [[list(map(str, row)) for row in t.value.to_numpy()] for t in app.dataframe]
    assert [["x", "FP32", "[-1, 2]"]] in tables
    seen = words(app)
    assert "sklearn" in seen
    assert "1, 2" in seen


def test_a_stopped_server_leaves_the_catalog_side(open_page: OpenPage, server: V2Server) -> None:
    """Half of the page is an explanation, the other half is there."""
    server.stop()
    app = open_page("model", m="flower")
    assert "The server does not answer" in alert(app, "error")
    assert "Petal length" in [str(cell) for cell in app.dataframe[0].value.to_numpy().ravel()]


def test_a_model_the_server_does_not_know(open_page: OpenPage, server: V2Server) -> None:
    """404 has its own headline."""
    del server.models["flower"]
    assert "does not know this model" in alert(open_page("model", m="flower"), "error")


def test_tables_say_what_they_are(open_page: OpenPage) -> None:
    """Every table has a text for those who can't see it."""
    app = open_page("model", m="flower")
    assert all(table.proto.alt for table in app.dataframe)
