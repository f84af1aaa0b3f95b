"""The section "How well it speaks V2" on an app that shows nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.settings import settings
from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import plain, words
from tests.unit.doctor.ideal_server import IdealServer, Reply, Request, ideal_server
from tests.unit.doctor.patients import SUMS

MODELS = """
endpoints: {test: {url: URL, title: Test server}}
models:
  sums:
    title: Sums
    endpoint: test
"""
OpenCard = Callable[[], AppTest]


def app() -> None:
    """Draw the card of the only model."""
    from dashboard import conformance_card, gateway, shell

    catalog = gateway.catalog()
    conformance_card.draw(shell.Chosen("sums", catalog.entry("sums"), catalog))


@pytest.fixture
def server() -> Iterator[IdealServer]:
    """Run a server that does everything right, until a test breaks it."""
    with ideal_server() as running:
        yield running


@pytest.fixture
def open_card(server: IdealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenCard:
    """Return a function that opens the card."""
    path = tmp_path / "models.yaml"
    path.write_text(MODELS.replace("URL", server.url) + SUMS)
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(path))
    settings.cache_clear()
    return lambda: AppTest.from_function(app, default_timeout=30).run()


def run_checks(card: AppTest) -> AppTest:
    """Press the button."""
    return card.button(key="conformance.run").click().run()


def bare(request: Request) -> Reply | None:
    """A model of MLServer without metadata, that takes any input name."""
    if request.path == "/v2/models/sums":
        return Reply(body={"name": "sums", "inputs": [], "outputs": []})
    if request.path == "/v2" and request.method == "GET":
        return Reply(body={"name": "mlserver", "version": "1.7.1", "extensions": []})
    is_stray = request.is_infer and b'"inputs": [{"name": "kserve-client-no' in request.body
    return Reply(body={}) if is_stray else None


def labels(card: AppTest) -> list[str]:
    """Return what stands on each check."""
    return [plain(found.label) for found in card.expander]


def test_nothing_is_asked_until_somebody_wants_it(open_card: OpenCard, server: IdealServer) -> None:
    """The card says what a press of the button sends."""
    card = open_card()
    assert "21 checks with small requests that only read" in words(card)
    assert "Some are wrong on purpose" in words(card)
    assert labels(card) == []
    assert server.seen == []


def test_a_model_that_is_well(open_card: OpenCard) -> None:
    """The grade is big; every check has its line, in its order, with icon and word."""
    card = run_checks(open_card())
    assert "## :green[Grade A]" in [element.value for element in card.markdown]
    assert "Sums speaks V2 as it should." in words(card)
    assert "Pass 20 ·  Skipped 1" in words(card)
    assert len(labels(card)) == 21
    assert labels(card)[0] == "Pass · Server metadata · ideal 1.0, with binary_tensor_data"
    assert ":material/check_circle: Pass" in card.expander[0].label


def test_what_is_to_be_mended_comes_first(open_card: OpenCard, server: IdealServer) -> None:
    """Failures, then warnings; all checks are one press away."""
    server.instead = bare
    card = run_checks(open_card())
    seen = [label.split(" · ")[:2] for label in labels(card)]
    assert seen[0] == ["Fail", "Model metadata"]
    assert {verdict for verdict, _ in seen[1:]} == {"Warning"}
    assert "## :green[Grade B]" in [element.value for element in card.markdown]
    (show,) = card.segmented_control
    assert show.options == [
        f"To mend ({len(seen)})",
        "All checks (21)",
    ]
    show.set_value("All checks").run()
    assert len(labels(card)) == 21


def test_a_check_shows_sent_seen_why_and_fix(open_card: OpenCard, server: IdealServer) -> None:
    """The fix can be copied and downloaded."""
    server.instead = bare
    card = run_checks(open_card())
    check = card.expander[0]
    assert "Why it matters. Without it nobody can build a request" in plain(check.markdown[0].value)
    sent, seen, fix = [code.value for code in check.code]
    assert sent == "GET /v2/models/sums"
    assert seen.startswith("200 OK\ncontent-type: application/json\n")
    assert '"shape": [-1, 2]' in fix
    assert check.code[2].language == "json"
    assert [button.label for button in check.download_button] == ["Download model-settings.json"]


def test_a_dead_server_has_no_grade(open_page: OpenPage, tmp_path: Path) -> None:
    """The reason and the way to Health, and nothing that looks like a judgement."""
    path = tmp_path / "models.yaml"
    path.write_text(MODELS.replace("URL", "http://127.0.0.1:1") + SUMS)
    page = run_checks(open_page("model", path, m="sums", part="Checks"))
    told = [plain(warning.value) for warning in page.warning]
    assert any(
        one.startswith("Sums could not be judged: nothing listens on 127.0.0.1:1 (Test server);")
        for one in told
    )
    assert not any(word in words(page) for word in ("Grade", "of 100", "To mend"))
    assert "Without an answer there is no grade." in words(page)
    assert list(page.error) == []


def test_the_last_report_is_there_for_everybody(open_card: OpenCard, server: IdealServer) -> None:
    """Another session sees it and asks nothing; the button asks anew."""
    run_checks(open_card())
    asked = len(server.seen)
    other = open_card()
    assert "## :green[Grade A]" in [element.value for element in other.markdown]
    assert len(server.seen) == asked
    server.instead = bare
    assert "## :green[Grade B]" in [element.value for element in run_checks(other).markdown]


def test_a_new_models_file_has_no_report_yet(open_card: OpenCard, server: IdealServer) -> None:
    """What was found belongs to the file as it was."""
    card = run_checks(open_card())
    path = settings().models
    assert path is not None
    path.write_text(path.read_text().replace("title: Sums", "title: All the sums"))
    assert "Grade" not in words(card.run())


def test_words_of_a_server_are_no_markup(open_card: OpenCard, server: IdealServer) -> None:
    """What it calls itself stands there as it is."""
    odd = Reply(body={"name": "**x** [y](http://z)", "version": "1", "extensions": []})
    server.instead = lambda r: odd if (r.method, r.path) == ("GET", "/v2") else None
    card = run_checks(open_card())
    (show,) = card.segmented_control
    show.set_value("All checks").run()
    assert r"\*\*x\*\* \[y\]" in card.expander[0].label
