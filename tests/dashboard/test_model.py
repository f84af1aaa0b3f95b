"""The page Details: what is known of a model, and who says it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.conftest import OpenPage
from tests.dashboard.reading import alert, links, plain, title, words
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
from tests.unit.catalog import objects
from tests.v2_server import Reply, V2Server

KNOWN, LEARN, CHECKS = "Inputs and outputs", "Learn from a CSV", "Checks"
SERVER = "What the server says"
METADATA = {
    "name": "flower",
    "versions": ["1", "2"],
    "platform": "sklearn",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [],
}


def table(app: AppTest, alt: str) -> list[dict[str, str]]:
    """Return the rows of a table as they read, by its words for a screen reader."""
    (found,) = [one for one in app.table if one.proto.alt.startswith(alt)]
    rows = found.value.to_dict("records")
    return [{str(name): plain(str(cell)) for name, cell in row.items()} for row in rows]


def read(cell: str) -> str:
    """Return a cell with its blanks as blanks."""
    return cell.replace("\N{NO-BREAK SPACE}", " ")


def every_fact(app: AppTest) -> list[list[str]]:
    """Return the table of all facts."""
    (found,) = [one for one in app.dataframe if one.proto.alt == "Every fact with its source"]
    return [list(map(str, row)) for row in found.value.to_numpy()]


# What is known


def test_each_fact_has_its_source_beside_it(open_page: OpenPage) -> None:
    """One row per feature: range, unit, default and kind, each with who says it, in words."""
    rows = table(open_page("model", m="flower"), "Inputs of the model")
    assert {name: read(cell) for name, cell in rows[0].items()} == {
        "Feature": "Petal length · models file  \nlength",
        "Range or choices": "0 – 10 · models file",
        "Unit": "cm · models file",
        "Default": "2.5 · models file",
        "Needed": "yes",
        "Kind": "number",
        "Travels as": "FP32",
    }
    assert [read(row["Feature"]).split()[1] for row in rows] == ["length", "width"]


def test_what_comes_out_has_its_labels(open_page: OpenPage) -> None:
    """Outputs stand below, with their meaning and the names of the classes."""
    label, shares = table(open_page("model", m="flower"), "Outputs of the model")
    assert read(label["Meaning"]) == "label · models file"
    assert read(label["Labels"]) == "Rose, Tulip, Aster · models file"
    assert (shares["Labels"], shares["Threshold"]) == ("–", "–")


def test_the_stronger_source_is_named_with_what_it_stands_before(
    open_page: OpenPage, server: V2Server
) -> None:
    """The table of facts says who said otherwise."""
    server.replies["/v2/models/flower"] = Reply(body=METADATA)
    rows = every_fact(open_page("model", m="flower"))
    assert ["request", "input", "x", "server metadata", ""] in rows
    assert ["length", "kind", "number", "server metadata", ""] in rows
    assert ["length", "min", "0", "models file", ""] in rows


def test_who_says_what_and_who_is_not_asked(open_page: OpenPage) -> None:
    """Five sources, in words: how much each says, or how it is set up."""
    seen = words(open_page("model", m="flower"))
    assert "server metadata · asked, nothing to take from it: that is usual" in seen
    assert "models file · 18 facts" in seen
    assert "MLflow · not set up: name the model under mlflow in the models file" in seen
    assert "Kubernetes · not set up" in seen
    assert "sample · not set up" in seen


def test_owner_and_address_stand_at_the_top(open_page: OpenPage, server: V2Server) -> None:
    """Who is asked about the model, and where it answers."""
    app = open_page("model", m="flower")
    assert title(app) == "Details · Flower"
    assert f"flower on Test server {server.url} · owner: Botany" in words(app)


def test_a_stopped_server_leaves_what_the_others_say(open_page: OpenPage, server: V2Server) -> None:
    """A calm line, no red: the rest is there, and the reason stands where the facts come from."""
    server.stop()
    app = open_page("model", m="flower")
    seen = words(app)
    assert "Server metadata could not be asked; the rest is here" in seen
    assert "in the part Inputs and outputs, under Where each fact comes from" in seen
    assert f"nothing listens on {server.url.removeprefix('http://')} (Test server)" in seen
    assert len(app.error) == 0
    assert len(table(app, "Inputs of the model")) == 2


def test_links_lead_to_pages_about_the_model(open_page: OpenPage, models_file: Path) -> None:
    """Each link of the models file is a button."""
    link = "    links: [{title: Model card, url: 'https://wiki.test/flower'}]\n"
    text = models_file.read_text().replace("    owner: Botany\n", f"    owner: Botany\n{link}")
    models_file.write_text(text)
    app = open_page("model", m="flower")
    (button,) = app.get("link_button")
    assert (button.proto.label, button.proto.url) == ("Model card", "https://wiki.test/flower")


def test_tables_say_what_they_are(open_page: OpenPage) -> None:
    """Every table has a text for those who can't see it."""
    app = open_page("model", m="flower")
    assert len(app.table) == 2
    assert all(found.proto.alt for found in [*app.table, *app.dataframe])


# Nothing known


def described_by_nobody(models_file: Path) -> None:
    text = models_file.read_text()
    models_file.write_text(f"{text}  bare: {{title: Bare, endpoint: test, model_name: flower}}\n")


def test_a_model_that_nobody_describes_invites_a_file(
    open_page: OpenPage, models_file: Path
) -> None:
    """The page opens where a form can be learned, and says so in words."""
    described_by_nobody(models_file)
    app = open_page("model", m="bare")
    assert "This model does not say what it takes. Drop a CSV" in alert(app, "info")
    assert len(app.file_uploader) == 1


def test_a_silent_server_is_not_one_that_says_nothing(
    open_page: OpenPage, models_file: Path, server: V2Server
) -> None:
    """Whether the model describes itself is not known then; a file helps in both cases."""
    described_by_nobody(models_file)
    server.stop()
    app = open_page("model", m="bare")
    said = alert(app, "info")
    assert "is not known, since not every source could be asked. Drop a CSV" in said


@pytest.mark.parametrize("page", ["predict", "batch"])
def test_other_pages_lead_there(open_page: OpenPage, models_file: Path, page: str) -> None:
    """No form yet is no error: the way to one is a link."""
    described_by_nobody(models_file)
    app = open_page(page, m="bare")
    assert "there is no form for it yet" in alert(app, "info")
    assert len(app.error) == 0
    assert links(app)[-1] == LEARN
    assert app.main.page_link[-1].proto.query_string == "m=bare&part=Learn+from+a+CSV"


def test_a_bare_model_without_its_server(
    open_page: OpenPage, models_file: Path, server: V2Server
) -> None:
    """The only source is out of reach: the page says it, and a file can still be dropped."""
    described_by_nobody(models_file)
    server.stop()
    app = open_page("model", m="bare")
    assert "Server metadata could not be asked" in words(app)
    assert len(app.file_uploader) == 1


# What the server says


def test_the_server_speaks_for_itself(open_page: OpenPage, server: V2Server) -> None:
    """Name, version and extensions of the server, and its metadata as they are."""
    server.replies["/v2/models/flower"] = Reply(body=METADATA)
    app = open_page("model", m="flower", part=SERVER)
    seen = words(app)
    assert "scripted 1.0 · extensions: none named" in seen
    assert "Platform sklearn · Versions 1, 2" in seen
    tables = [[list(map(str, row)) for row in t.value.to_numpy()] for t in app.dataframe]
    assert tables == [[["x", "FP32", "[-1, 2]"]]]


def test_empty_metadata_is_said_to_be_usual(open_page: OpenPage) -> None:
    """Many runtimes name no inputs: no empty tables."""
    app = open_page("model", m="flower", part=SERVER)
    assert words(app).count("The server names none") == 2


def test_a_server_that_is_gone_is_explained(open_page: OpenPage, server: V2Server) -> None:
    """Asked on purpose, it is an error with the way to Health."""
    server.stop()
    app = open_page("model", m="flower", part=SERVER)
    assert "The server does not answer" in alert(app, "error")


def test_a_model_the_server_does_not_know(open_page: OpenPage, server: V2Server) -> None:
    """404 has its own headline."""
    del server.models["flower"]
    app = open_page("model", m="flower", part=SERVER)
    assert "does not know this model" in alert(app, "error")


def test_the_checks_wait_for_a_button(open_page: OpenPage, server: V2Server) -> None:
    """Looking at the page asks the model nothing."""
    app = open_page("model", m="flower", part=CHECKS)
    assert "How well it speaks V2" in words(app)
    assert server.inferences == []


# Many and all


def test_forty_features_stay_one_table(
    open_page: OpenPage, server: V2Server, tmp_path: Path
) -> None:
    """A row each, nothing cut; long choices are counted."""
    names = "".join(f"        - {{name: f{n}, min: 0, max: {n + 1}}}\n" for n in range(39))
    letters = ", ".join("abcdefghij")
    path = tmp_path / "forty.yaml"
    path.write_text(
        f"endpoints: {{test: {{url: '{server.url}'}}}}\nmodels:\n  forty:\n    endpoint: test\n"
        f"    signature:\n      layout: columns\n      features:\n{names}"
        f"        - {{name: letter, kind: category, choices: [{letters}]}}\n"
    )
    rows = table(open_page("model", path), "Inputs of the model")
    assert len(rows) == 40
    assert read(rows[38]["Range or choices"]) == "0 – 39 · models file"
    assert read(rows[39]["Range or choices"]) == "a, b, c, d, e, f and 4 more · models file"


@pytest.fixture
def cluster(server: V2Server) -> Iterator[KubernetesAPI]:
    """Run a Kubernetes API with one InferenceService that answers at the scripted server."""
    with kubernetes_api() as api:
        value: dict[str, Any] = objects.load("knative_canary")
        value["status"]["url"] = server.url
        annotations = value["metadata"]["annotations"]
        annotations["kserve-client/form"] = "owner: Flower team\nnonsense: 1\n"
        api.put(value)
        yield api


@pytest.fixture
def everything(server: V2Server, mlflow: V2Server, cluster: KubernetesAPI, tmp_path: Path) -> Path:
    """Write a models file with every source there is."""
    columns = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
    server.replies["/v2/models/penguins"] = Reply(
        body={
            "name": "penguins",
            "platform": "mlflow",
            "inputs": [{"name": n, "datatype": "FP64", "shape": [-1, 1]} for n in columns],
            "outputs": [],
        }
    )
    rows = "".join(f"{4 + n / 10:.1f},3.{n % 10},1.{n % 10},0.{n % 9}\n" for n in range(30))
    (tmp_path / "sample.csv").write_text(f"{','.join(columns)}\n{rows}")
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", cluster)
    path = tmp_path / "everything.yaml"
    path.write_text(f"""
mlflow: {{url: '{mlflow.url}'}}
kubernetes: {{namespaces: [flowers], kubeconfig: '{kubeconfig}'}}
models:
  iris:
    title: Iris species
    inference_service: flowers/penguins
    mlflow: models:/iris@champion
    sample: sample.csv
    signature:
      layout: columns
      features:
        - {{name: sepal length (cm), title: Length of the sepal, min: 3}}
        - {{name: sepal width (cm)}}
        - {{name: petal length (cm)}}
        - {{name: petal width (cm)}}
""")
    return path


def wait_for_cluster(open_page: OpenPage, everything: Path) -> AppTest:
    """Open the page once the watch has seen the namespace."""
    app = open_page("model", everything, m="iris")
    for _ in range(50):
        if len(app.table):
            return app
        app = open_page("model", everything, m="iris")
    return app


def test_a_model_with_every_source(open_page: OpenPage, everything: Path) -> None:
    """Metadata, MLflow, Kubernetes, models file and sample: each fact from the strongest."""
    app = wait_for_cluster(open_page, everything)
    row = table(app, "Inputs of the model")[0]
    assert read(row["Feature"]).startswith("Length of the sepal · models file")
    assert read(row["Range or choices"]).endswith("· sample")
    assert read(row["Unit"]) == "cm · MLflow"
    seen = words(app)
    for source in ("server metadata", "MLflow", "Kubernetes", "models file", "sample"):
        assert any(line.startswith(f"{source} · ") and "fact" in line for line in seen.split("\n"))
    assert "owner: Flower team" in seen
    assert "Version" in seen
    assert "Framework" in seen


def test_metrics_and_traffic_of_a_model_with_every_source(
    open_page: OpenPage, everything: Path
) -> None:
    """The metrics of the training, and which revision gets which share."""
    app = wait_for_cluster(open_page, everything)
    assert len(app.metric) >= 1
    first, second = table(app, "Traffic by revision")
    assert {name: read(cell) for name, cell in first.items()} == {
        "Requests": "10 %",
        "Revision": "penguins-predictor-00002 newest",
        "Serves": "gs://models/penguins/8",
        "State": "ready",
    }
    assert {name: read(cell) for name, cell in second.items()} == {
        "Requests": "90 %",
        "Revision": "penguins-predictor-00001 rolled out before",
        "Serves": "–",
        "State": "–",
    }
    seen = words(app)
    assert "A revision is a rollout of the InferenceService, not a version of the model." in seen
    assert "Canary: 10 % are wanted for the newest revision." in seen


def test_a_form_of_another_version_than_the_one_that_is_served(
    open_page: OpenPage, everything: Path, cluster: KubernetesAPI
) -> None:
    """The alias was not moved with the path, or the path not with the alias: both are named."""
    value = objects.load("knative_canary")
    path = f"s3://bucket/1/models/m-{2:032d}/artifacts"
    value["spec"]["predictor"]["model"]["storageUri"] = path
    cluster.put(value)
    app = wait_for_cluster(open_page, everything)
    assert alert(app, "warning") == (
        "The form is of version 1 in MLflow, and version 2 is served: move the alias or the "
        "storageUri."
    )
    first, _ = table(app, "Traffic by revision")
    assert read(first["Serves"]) == "version 2"
    assert "10 % penguins-predictor-00002 (version 2)" in words(app)


def test_what_was_left_out_is_told(open_page: OpenPage, everything: Path) -> None:
    """A setting that makes no sense is named, with the reason."""
    app = wait_for_cluster(open_page, everything)
    (found,) = [e for e in app.expander if e.label.startswith("What was left out, and why")]
    assert "nonsense" in plain(" ".join(m.value for m in found.markdown))


def test_one_source_that_fails_leaves_the_others(
    open_page: OpenPage, everything: Path, mlflow: V2Server
) -> None:
    """MLflow is down: its facts are gone, the form is there, and the page says why."""
    mlflow.stop()
    app = wait_for_cluster(open_page, everything)
    assert "MLflow could not be asked; the rest is here" in words(app)
    assert len(table(app, "Inputs of the model")) == 4
    assert len(app.error) == 0


EVIL = "`![x](http://evil.test/x.png)` :red[r] $y$"


def test_words_from_an_annotation_are_shown_as_they_are(
    open_page: OpenPage, everything: Path, cluster: KubernetesAPI
) -> None:
    """Whoever may write the InferenceService puts no picture and no link on the page."""
    value = objects.load("knative_canary")
    form = {name: f"{name} {EVIL}" for name in ("description", "owner", "model_name")}
    value["metadata"]["annotations"]["kserve-client/form"] = json.dumps(form)
    value["status"]["components"]["predictor"]["traffic"][0]["revisionName"] = EVIL
    value["status"]["url"] = "http://127.0.0.1:9"
    cluster.put(value)
    everything.write_text(everything.read_text().replace("owner: Flower team", ""))
    app = wait_for_cluster(open_page, everything)
    cells = [str(cell) for one in app.table for cell in one.value.to_numpy().ravel()]
    shown = [str(one.value) for kind in ("markdown", "caption") for one in getattr(app, kind)]
    evil = [text for text in [*cells, *shown] if "evil.test" in text]
    assert len(evil) >= 2
    assert [text for text in evil if re.search(r"(?<!\\)!\[", text)] == []


def test_two_thousand_inputs_are_counted(
    open_page: OpenPage, server: V2Server, models_file: Path
) -> None:
    """The table has as many rows as a person may read, and says how many more there are."""
    described_by_nobody(models_file)
    inputs = [{"name": f"c{n}", "datatype": "FP64", "shape": [-1, 1]} for n in range(2000)]
    server.replies["/v2/models/flower"] = Reply(
        body={"name": "flower", "platform": "", "inputs": inputs, "outputs": []}
    )
    app = open_page("model", m="bare")
    assert len(table(app, "Inputs of the model")) == 200
    assert "and 1,800 more" in words(app)
