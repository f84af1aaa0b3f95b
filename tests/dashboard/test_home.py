from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway, picker
from dashboard.settings import settings
from kserve_client.catalog import Catalog
from kserve_client.errors import ConfigurationError
from tests.dashboard.batch_jobs import until
from tests.dashboard.conftest import TIMEOUT_S, OpenPage
from tests.dashboard.reading import alert, links, title, words
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
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


# Models of a cluster


@pytest.fixture
def cluster() -> Iterator[KubernetesAPI]:
    """Run a Kubernetes API without InferenceServices."""
    with kubernetes_api() as api:
        yield api


def service(url: str, name: str = "rose", **spec: Any) -> dict[str, Any]:
    """Return an InferenceService that is ready at an address."""
    return {
        "metadata": {"namespace": "flowers", "name": name},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}, **spec}},
        "status": {"url": url, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def with_cluster(models_file: Path, api: KubernetesAPI) -> Path:
    """Let the models file look into a namespace."""
    kubeconfig = write_kubeconfig(models_file.with_name("kubeconfig"), api)
    where = f"kubernetes: {{namespaces: [flowers], kubeconfig: '{kubeconfig}'}}\n"
    models_file.write_text(where + models_file.read_text())
    return models_file


def seen_when(app: AppTest, text: str) -> str:
    """Return the words of the page once the watch has brought a text."""
    deadline = time.monotonic() + TIMEOUT_S
    while text not in words(app) and time.monotonic() < deadline:
        time.sleep(0.1)
        app.run()
    return words(app)


def test_models_of_the_cluster_are_cards(
    open_page: OpenPage, server: V2Server, models_file: Path, cluster: KubernetesAPI
) -> None:
    """With their namespace, beside those of the file, and asked like them."""
    server.models["rose"] = server.models["flower"]
    cluster.put(service(server.url))
    app = open_page("home", with_cluster(models_file, cluster))
    assert "Namespace flowers · InferenceService rose" in seen_when(app, "InferenceService rose")
    assert "3 of 3 ready" in seen_when(app, "3 of 3 ready")
    assert "m=flowers%2Frose" in [link.proto.query_string for link in app.main.page_link]


def test_a_model_at_rest_is_not_woken(
    open_page: OpenPage, server: V2Server, models_file: Path, cluster: KubernetesAPI
) -> None:
    """Scaled to zero is a state, in words; looking at the page sends it nothing."""
    asleep = service(server.url, "tulip", minReplicas=0)
    asleep["status"]["modelStatus"] = {"copies": {"failedCopies": 0}}
    cluster.put(asleep)
    app = open_page("home", with_cluster(models_file, cluster))
    seen = seen_when(app, "tulip")
    assert "2 of 3 ready · 1 not asked, so that they may sleep" in seen
    assert "Scaled to zero · the next request wakes it and takes longer" in seen
    assert [asked.path for asked in server.asked if "tulip" in asked.path] == []


def test_a_model_that_may_sleep_is_not_kept_awake(
    open_page: OpenPage, server: V2Server, models_file: Path, cluster: KubernetesAPI
) -> None:
    """Checked every few seconds, it would never scale to zero: the cluster's word has to do."""
    cluster.put(service(server.url, "tulip", minReplicas=0))
    app = open_page("home", with_cluster(models_file, cluster))
    seen = seen_when(app, "tulip")
    assert "3 of 3 ready · 1 not asked, so that they may sleep" in seen
    assert "Ready · as the cluster says" in seen
    assert [asked.path for asked in server.asked if "tulip" in asked.path] == []


def test_a_model_without_an_address_has_a_card(
    open_page: OpenPage, models_file: Path, cluster: KubernetesAPI
) -> None:
    """It is only starting: its card says so, and the others are there."""
    starting = service("", "lily")
    condition = {"type": "PredictorReady", "status": "False", "reason": "RevisionMissing"}
    starting["status"] = {"conditions": [{"type": "Ready", "status": "False"}, condition]}
    cluster.put(starting)
    app = open_page("home", with_cluster(models_file, cluster))
    seen = seen_when(app, "Not ready · PredictorReady: RevisionMissing")
    assert "2 of 3 ready" in seen
    assert "Not ready · PredictorReady: RevisionMissing" in seen
    assert len(app.error) == 0


def test_no_permission_is_a_calm_line(
    open_page: OpenPage, models_file: Path, cluster: KubernetesAPI
) -> None:
    """What the cluster does not tell is said with the reason; the other models are there."""
    cluster.allowed = set()
    app = open_page("home", with_cluster(models_file, cluster))
    seen = seen_when(app, "no permission")
    assert "Kubernetes, namespace flowers: no permission to list InferenceServices" in seen
    assert "2 of 2 ready" in seen
    assert len(app.error) == 0


def test_a_cluster_alone_and_out_of_reach(
    open_page: OpenPage, tmp_path: Path, cluster: KubernetesAPI
) -> None:
    """No models at all, and the reason why, on the first page a person sees."""
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", cluster)
    cluster.has_kserve = False
    path = tmp_path / "cluster.yaml"
    path.write_text(f"kubernetes: {{namespaces: [flowers], kubeconfig: '{kubeconfig}'}}\n")
    seen = seen_when(open_page("home", path), "KServe")
    assert "KServe (serving.kserve.io/v1beta1) is not installed" in seen


def test_a_link_waits_for_the_cluster(
    open_page: OpenPage, server: V2Server, models_file: Path, cluster: KubernetesAPI
) -> None:
    """The first page of a process may come before the cluster's answer: no other model is opened."""
    server.models["rose"] = server.models["flower"]
    cluster.put(service(server.url))
    cluster.pause_s = 2.0
    app = open_page("predict", with_cluster(models_file, cluster), m="flowers/rose")
    assert "Looking for models in the cluster" in words(app)
    assert not app.toast
    assert not app.main.button
    assert "rose" in seen_when(app, "rose")
    assert app.query_params["m"] == "flowers/rose"
    assert title(app).endswith("rose")


def test_a_cluster_that_answers_while_a_page_is_drawn(
    open_page: OpenPage,
    server: V2Server,
    models_file: Path,
    cluster: KubernetesAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The picker still waited for it, the page knows the model: it is not called missing."""
    server.models["rose"] = server.models["flower"]
    cluster.put(service(server.url))
    is_awaited = picker.is_awaited
    seen: list[bool] = []

    def by_the_picker_only(catalog: Catalog) -> bool:
        until = time.monotonic() + 30
        while not seen and is_awaited(catalog) and time.monotonic() < until:
            time.sleep(0.05)
        seen.append(is_awaited(catalog))
        return len(seen) == 1

    monkeypatch.setattr(picker, "is_awaited", by_the_picker_only)
    app = open_page("predict", with_cluster(models_file, cluster), m="flowers/rose")
    assert seen[0] is False
    assert title(app).endswith("rose")


def test_a_job_that_goes_on_waits_for_the_cluster(
    server: V2Server,
    models_file: Path,
    cluster: KubernetesAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that takes up jobs at its start knows the cluster's models a moment later."""
    cluster.put(service(server.url))
    cluster.pause_s = 1.0
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(with_cluster(models_file, cluster)))
    settings.cache_clear()
    assert "flowers/rose" not in gateway.catalog()
    assert gateway._model_of_job("flowers/rose").name == "rose"
    with pytest.raises(ConfigurationError, match="flowers/tulip"):
        gateway._model_of_job("flowers/tulip")


def test_a_job_that_goes_on_outlives_a_look_that_failed(
    server: V2Server,
    models_file: Path,
    cluster: KubernetesAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the cluster could not say at first may be said a moment later: the job is not stopped."""
    cluster.put(service(server.url))
    cluster.has_kserve = False
    monkeypatch.setenv("KSERVE_CLIENT_MODELS", str(with_cluster(models_file, cluster)))
    settings.cache_clear()
    looked = gateway.catalog().found
    until(lambda: bool((found := looked()) and found.problems))
    threading.Timer(0.5, setattr, (cluster, "has_kserve", True)).start()
    assert gateway._model_of_job("flowers/rose").name == "rose"


def test_a_server_that_hangs_does_not_keep_the_cards_away(
    open_page: OpenPage, server: V2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their states come later."""
    monkeypatch.setattr(gateway, "FIRST_LOOK_S", 0)
    server.replies["/v2/health/live"] = Reply(pause_s=60)
    app = open_page("home")
    assert words(app).split("\n").count("Checking") == 2
    assert "0 of 2 ready" in words(app)


# What MLflow calls them


def described_by_mlflow(server: V2Server, **spec: Any) -> dict[str, Any]:
    """Return an InferenceService that leaves its description to MLflow."""
    found = service(server.url, **spec)
    found["metadata"]["annotations"] = {"kserve-client/mlflow": "models:/iris@champion"}
    return found


OpenHome = Callable[..., AppTest]


@pytest.fixture
def open_home(
    open_page: OpenPage,
    server: V2Server,
    models_file: Path,
    cluster: KubernetesAPI,
    mlflow: V2Server,
) -> OpenHome:
    """Return a function that opens the page before an InferenceService which MLflow describes."""
    path = with_cluster(models_file, cluster)
    path.write_text(f"mlflow: {{url: '{mlflow.url}'}}\n{path.read_text()}")

    def opened(**spec: Any) -> AppTest:
        cluster.put(described_by_mlflow(server, **spec))
        return open_page("home", path)

    return opened


def test_a_card_takes_its_title_from_mlflow(open_home: OpenHome) -> None:
    """Title, description and version as MLflow says them, and which InferenceService it is."""
    app = open_home()
    seen = seen_when(app, "Iris species")
    which = "Namespace flowers · InferenceService rose · MLflow version 1 (champion)"
    assert "Iris species" in seen.split("\n")
    assert which in seen
    assert "Which of three irises it is" in seen
    assert "Iris species" in app.selectbox(key="model").options


def test_cards_do_not_wait_for_mlflow(open_home: OpenHome, mlflow: V2Server) -> None:
    """Until it has said anything they have the model's name; then, at the next look, its title."""
    gate, answer = threading.Event(), mlflow.reply

    def later(asked: Any) -> Reply:
        gate.wait(60)
        return answer(asked)

    mlflow.reply = later  # type: ignore[method-assign]
    app = open_home()
    seen = seen_when(app, "InferenceService rose")
    assert "flowers/rose" in seen.split("\n")
    assert not gate.is_set()
    gate.set()
    assert "Iris species" in seen_when(app, "Iris species")


def test_without_mlflow_the_cards_are_there(open_home: OpenHome, mlflow: V2Server) -> None:
    """With the model's name; Details says what is wrong with MLflow."""
    mlflow.stop()
    app = open_home()
    seen = seen_when(app, "InferenceService rose")
    assert "flowers/rose" in seen.split("\n")
    assert len(app.error) == 0


def test_a_sleeping_model_gets_its_title_without_being_woken(
    open_home: OpenHome, server: V2Server
) -> None:
    """MLflow alone is asked, not the server of the model."""
    app = open_home(name="tulip", minReplicas=0)
    assert "Iris species" in seen_when(app, "Iris species")
    assert [asked.path for asked in server.asked if "tulip" in asked.path] == []


def test_the_search_finds_a_model_by_both_names(
    open_page: OpenPage, server: V2Server, tmp_path: Path, mlflow: V2Server
) -> None:
    """By what MLflow calls it, and by the name it has in the file."""
    many = tmp_path / "many.yaml"
    models = "".join(f"  m{number}: {{endpoint: test}}\n" for number in range(7))
    models += "  flowers: {endpoint: test, mlflow: 'models:/iris@champion'}\n"
    many.write_text(
        f"mlflow: {{url: '{mlflow.url}'}}\nendpoints: {{test: {{url: '{server.url}'}}}}\n"
        f"models:\n{models}"
    )
    app = open_page("home", many)
    seen_when(app, "Iris species")
    for wanted in ("iris SPECIES", "flowers", "three irises"):
        app.text_input(key="search").input(wanted).run()
        assert len(links(app)) == 3, wanted
    assert "flowers · MLflow version 1 (champion)" in words(app)


def test_a_canary_is_seen_on_the_card(
    open_page: OpenPage, server: V2Server, models_file: Path, cluster: KubernetesAPI
) -> None:
    """Which share goes where, and whether the new one is ready."""
    split = service(server.url)
    status = {"name": "challenger", "ready": False, "trafficPercent": 10}
    split["status"] |= {"deploymentMode": "Standard", "canaryStatuses": [status]}
    cluster.put(split)
    app = open_page("home", with_cluster(models_file, cluster))
    seen = seen_when(app, "challenger")
    assert "90 % stable · 10 % challenger  not ready" in seen
