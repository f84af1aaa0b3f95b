import pytest

from kserve_client import Catalog
from kserve_client.health import check, check_all
from scripts.mlserver import MLServer

STEPS = ["DNS", "TCP", "Server live", "Server ready", "Model ready", "Test inference"]


def test_every_model_is_ready(catalog: Catalog) -> None:
    """All steps well, each with its time; the example's answer is compared."""
    for name in catalog:
        ladder = check(catalog, name)
        assert ladder.is_ready, ladder.verdict
        assert [rung.name for rung in ladder.rungs] == STEPS
        assert all(rung.elapsed_ms is not None for rung in ladder.rungs)
        assert ladder.latency_ms is not None


def test_expected_answers_are_seen(catalog: Catalog) -> None:
    """The last step says that the example gave what its file expects."""
    last = check(catalog, "penguins").rungs[-1]
    assert last.detail == "the example 'An Adelie' gave Adelie, as expected"


def test_a_model_the_server_lacks(mlserver: MLServer, catalog: Catalog) -> None:
    """The server is well, the model is not there: that step, and what to check."""
    entry = catalog.entry("iris").model_copy(update={"model_name": "gone"})
    content = catalog._content.model_copy(update={"models": {"iris": entry}})
    ladder = check(Catalog(content), "iris")
    assert ladder.broken is not None
    assert ladder.broken.name == "Model ready"
    assert ladder.state == "not ready"
    assert "model_name" in ladder.verdict


@pytest.mark.slow
def test_a_stopped_server_and_its_way_back(stoppable: MLServer, catalog: Catalog) -> None:
    """TCP is the broken step while it is stopped; the same client works after its start."""
    model = catalog.model("iris")
    row = catalog.entry("iris").examples[0].row
    assert model.predict(row)[0].label == "Iris setosa"
    stoppable.stop()
    for ladder in check_all(catalog, list(catalog), with_inference=False):
        assert ladder.state == "down"
        assert ladder.broken is not None
        assert ladder.broken.name == "TCP"
        assert "nothing listens on 127.0.0.1" in ladder.verdict
    stoppable.start()
    stoppable.wait_until_ready()
    assert all(ladder.is_ready for ladder in check_all(catalog, list(catalog)))
    assert model.predict(row)[0].label == "Iris setosa"
