from pathlib import Path

from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, links, title, words
from tests.v2_server import Reply, V2Server


def test_each_model_has_a_card_with_its_state(open_page: OpenPage) -> None:
    """Title, description and state of every model, and how many are ready."""
    seen = words(open_page("home"))
    assert "2 of 2 ready" in seen
    for text in ("Flower", "Which flower it is.", "Weight"):
        assert text in seen
    assert seen.count("Ready ·") == 2


def test_each_card_leads_to_the_pages_of_its_model(open_page: OpenPage) -> None:
    """Predict, Batch and Health, with the model in the address."""
    app = open_page("home")
    assert links(app) == ["Predict", "Batch", "Health"] * 2
    queries = [link.proto.query_string for link in app.main.page_link]
    assert queries == ["m=flower"] * 3 + ["m=weight"] * 3


def test_a_model_that_is_not_ready_says_so(open_page: OpenPage, server: V2Server) -> None:
    """Each model has a state of its own."""
    server.replies["/v2/models/heavy/versions/v2/ready"] = Reply(503, {"error": "loading"})
    seen = words(open_page("home"))
    assert "1 of 2 ready" in seen
    assert "Not ready" in seen


def test_a_stopped_server_is_a_state(open_page: OpenPage, server: V2Server) -> None:
    """The cards stay, with the word Down."""
    server.stop()
    seen = words(open_page("home"))
    assert "0 of 2 ready" in seen
    assert seen.count("Down") == 2


def test_no_models_file_leads_to_three_steps(open_page: OpenPage) -> None:
    """A first visit says what to write, and how to see a demo."""
    app = open_page("home", None)
    seen = words(app)
    assert title(app).endswith("Models")
    assert "No models file is named yet" in seen
    for step in ("1. Connect", "2. Describe", "3. Predict", "./scripts/demo.sh"):
        assert step in seen


def test_an_empty_models_file_leads_to_three_steps(open_page: OpenPage, tmp_path: Path) -> None:
    """The same, with another reason."""
    empty = tmp_path / "empty.yaml"
    empty.write_text("version: 1\nendpoints: {}\nmodels: {}\n")
    seen = words(open_page("home", empty))
    assert "The models file has no models yet" in seen
    assert "2. Describe" in seen


def test_a_search_box_comes_with_many_models(
    open_page: OpenPage, server: V2Server, tmp_path: Path
) -> None:
    """With eight models the list can be narrowed by title, name or description."""
    many = tmp_path / "many.yaml"
    models = "".join(
        f"  m{number}: {{endpoint: test, title: Model number {number}}}\n" for number in range(8)
    )
    many.write_text(f"endpoints: {{test: {{url: '{server.url}'}}}}\nmodels:\n{models}")
    app = open_page("home", many)
    assert len(links(app)) == 24
    app.text_input(key="search").input("NUMBER 3").run()
    assert len(links(app)) == 3
    assert "Model number 3" in words(app)
    app.text_input(key="search").input("nothing like it").run()
    assert links(app) == []
    assert "No model has that" in alert(app, "info")
