"""The models file as every page sees it: missing, broken, changed while the dashboard runs."""

import os
from pathlib import Path

import pytest

from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, named, pick, title, words
from tests.servers import ROOT

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_without_models_every_page_is_the_welcome(open_page: OpenPage, page: str) -> None:
    """No page is blank or broken before there is anything to show."""
    app = open_page(page, None)
    assert title(app)
    assert "1. Connect" in words(app)
    assert len(app.selectbox) == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_broken_file_is_explained_on_every_page(
    open_page: OpenPage, page: str, models_file: Path
) -> None:
    """The file, the line and the field are named."""
    text = models_file.read_text()
    assert text.splitlines()[8] == "    owner: Botany"
    models_file.write_text(text.replace("owner: Botany", "ovner: Botany"))
    app = open_page(page)
    said = alert(app, "error")
    assert "The models file is wrong" in said
    assert f"{models_file}, line 9: models.flower.ovner: is no setting here" in said
    assert title(app)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("models: [", "not valid YAML"),
        ("just words", "a models file is a mapping"),
        ("endpoints: {}\nmodels: {a: {endpoint: b}}", "there is no endpoint 'b'"),
        ("endpoints: {a: {url: 'ftp://x'}}", "line 1: endpoints.a.url"),
    ],
)
def test_other_mistakes_in_the_file(
    open_page: OpenPage, tmp_path: Path, content: str, said: str
) -> None:
    """Whatever is wrong with the file is said in one place."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(content)
    assert said in alert(open_page("home", broken), "error")


def test_a_file_that_is_not_there_is_said(open_page: OpenPage, tmp_path: Path) -> None:
    """The name may be misspelt: it is told."""
    said = alert(open_page("predict", tmp_path / "gone.yaml"), "error")
    assert f"{tmp_path}/gone.yaml: there is no such file" in said


def test_a_new_model_appears_without_a_restart(open_page: OpenPage, models_file: Path) -> None:
    """The file is read again when it changed; the choice of the person stays."""
    app = open_page("predict", m="weight")
    assert app.selectbox(key="model").options == ["Flower", "Weight"]
    text = models_file.read_text()
    models_file.write_text(f"{text}  third: {{title: A third one, endpoint: test}}\n")
    app.run()
    assert app.selectbox(key="model").options == ["Flower", "Weight", "A third one"]
    assert app.selectbox(key="model").value == "weight"


def test_a_changed_title_and_range_appear_without_a_restart(
    open_page: OpenPage, models_file: Path
) -> None:
    """Nothing of the old file outlives the change, even when it keeps its size."""
    app = open_page("predict")
    text = models_file.read_text()
    models_file.write_text(text.replace("Flower", "Blooms").replace("max: 10", "max: 20"))
    os.utime(models_file, ns=(1, 1))
    app.run()
    assert title(app).endswith("Blooms")
    assert named(app.slider, "slider.flower.length").max == 20


@pytest.mark.parametrize("page", PAGES)
def test_a_file_that_breaks_while_it_is_used_stays_in_use(
    open_page: OpenPage, models_file: Path, page: str
) -> None:
    """Somebody saves half an edit: the last good reading serves, with what is wrong, and where."""
    app = open_page(page)
    before = title(app)
    text = models_file.read_text()
    models_file.write_text(text.replace("owner: Botany", "ovner: Botany"))
    app.run()
    said = alert(app, "warning")
    assert "The models file has a mistake" in said
    assert f"{models_file}, line 9: models.flower.ovner: is no setting here" in said
    assert "stays in use" in said
    assert title(app) == before
    assert app.selectbox(key="model").options == ["Flower", "Weight"]
    assert len(app.error) == 0
    models_file.write_text(text.replace("title: Flower", "title: Blooms"))
    app.run()
    assert len(app.warning) == 0
    assert app.selectbox(key="model").options == ["Blooms", "Weight"]


def test_a_file_that_is_gone_for_a_moment_stays_in_use(
    open_page: OpenPage, models_file: Path
) -> None:
    """Some editors write a file by removing it first."""
    app = open_page("home")
    text = models_file.read_text()
    models_file.unlink()
    app.run()
    assert "there is no such file" in alert(app, "warning")
    assert "2 of 2 ready" in words(app)
    models_file.write_text(text)
    app.run()
    assert len(app.warning) == 0


def test_the_link_chooses_the_model(open_page: OpenPage) -> None:
    """`?m=weight` opens that model; from there on the picker does."""
    app = open_page("predict", m="weight")
    assert title(app).endswith("Weight")
    pick(app, "flower")
    assert title(app).endswith("Flower")


def test_a_link_to_an_unknown_model_is_said(open_page: OpenPage) -> None:
    """An old link opens no other model, and shows its text as text."""
    app = open_page("predict", m="![x](http://evil.test/x.png)")
    said = "There is no model !`[x](http://evil.test/x.png)`"
    assert alert(app, "warning").replace("`", "").startswith(said.replace("`", ""))
    (warning,) = app.warning
    assert warning.title.startswith(r"There is no model \!\[x\]\(`http://evil.test/x.png`")
