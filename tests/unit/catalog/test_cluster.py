"""Looking into a cluster, with the real Kubernetes library, at a stand-in of its API on loopback."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kserve_client.catalog.cluster import Cluster, Found
from kserve_client.catalog.cluster import watch as cluster_watch
from kserve_client.catalog.cluster.watch import Watch
from kserve_client.catalog.models_file import Kubernetes
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerInTimeError,
    NotFoundError,
    NotReadyError,
    ServerError,
    TLSError,
)
from tests.kubernetes_api import KubernetesAPI, kubernetes_api, write_kubeconfig
from tests.unit.catalog import objects
from tests.unit.certificates import make_authority
from tests.unit.fault_server import Wire, fault_server, http
from tests.unit.test_transport_forks import in_child

FLOWERS_AND_HOUSES = ("flowers", "houses")


@pytest.fixture
def api() -> Iterator[KubernetesAPI]:
    """Run an API with two InferenceServices in one namespace and one in another."""
    with kubernetes_api() as running:
        for name in ("standard", "knative_canary", "old_style"):
            running.put(objects.load(name))
        yield running


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Check after each test that no watch goes on."""
    yield
    assert [one.name for one in threading.enumerate() if one.name.startswith("watch ")] == []


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again after a fifth of a second at most."""
    monkeypatch.setattr(cluster_watch, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(cluster_watch, "LONGEST_PAUSE_S", 0.2)


@pytest.fixture
def settings(api: KubernetesAPI, tmp_path: Path) -> Kubernetes:
    """Settings for the two namespaces, by a kubeconfig."""
    path = write_kubeconfig(tmp_path / "kubeconfig", api)
    return Kubernetes(namespaces=FLOWERS_AND_HOUSES, kubeconfig=str(path))


@pytest.fixture
def watch(settings: Kubernetes, api: KubernetesAPI) -> Iterator[Watch]:
    """Watch the two namespaces; both watches stand when the test begins."""
    with Cluster(settings).watch() as watching:
        eventually(lambda: api.watching == 2)
        yield watching


def eventually(is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.005)


def changed(settings: Kubernetes, **more: Any) -> Kubernetes:
    """The settings with some of them changed, checked again."""
    return Kubernetes.model_validate({**settings.model_dump(exclude_unset=True), **more})


def only_problem(found: Found) -> tuple[str, KServeClientError]:
    """The namespace and the error of the one problem."""
    (problem,) = found.problems
    return problem.namespace, problem.error


# Listing


def test_lists_the_namespaces_of_the_settings(settings: Kubernetes, api: KubernetesAPI) -> None:
    """In order of their names; no other namespace is asked."""
    value = objects.load("transformer")
    api.put(value)
    found = Cluster(settings).list()
    assert list(found.services) == ["flowers/iris", "flowers/penguins", "houses/prices"]
    assert found.services["flowers/iris"].url == "https://iris-flowers.example.org"
    assert (found.problems, found.is_complete) == ((), True)
    assert [(one.verb, one.namespace) for one in api.asked] == [
        ("list", "flowers"),
        ("list", "houses"),
    ]


def test_lists_all_namespaces_by_one_request(settings: Kubernetes, api: KubernetesAPI) -> None:
    """When the settings say so."""
    everywhere = Kubernetes(all_namespaces=True, kubeconfig=settings.kubeconfig)
    assert len(Cluster(everywhere).list().services) == 3
    assert [(one.verb, one.namespace) for one in api.asked] == [("list", "")]


def test_a_label_selector_is_left_to_the_api(settings: Kubernetes, api: KubernetesAPI) -> None:
    """As kubectl does with -l."""
    found = Cluster(changed(settings, label_selector="team=flowers")).list()
    assert list(found.services) == ["flowers/iris"]
    assert api.asked[0].query["labelSelector"] == "team=flowers"


def test_pages_are_put_together(
    settings: Kubernetes, api: KubernetesAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long list comes in pieces."""
    monkeypatch.setattr("kserve_client.catalog.cluster.api.OBJECTS_PER_PAGE", 1)
    found = Cluster(settings).list()
    assert list(found.services) == ["flowers/iris", "flowers/penguins", "houses/prices"]
    assert [one.query["limit"] for one in api.asked] == ["1"] * 3
    assert [one.query.get("continue") for one in api.asked] == [None, "1", None]


def test_pages_that_are_gone_are_asked_again_as_one(
    settings: Kubernetes, api: KubernetesAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server keeps pages for some minutes only."""
    monkeypatch.setattr("kserve_client.catalog.cluster.api.OBJECTS_PER_PAGE", 1)
    api.replies = [None, (410, b'{"code": 410, "message": "too old"}')]
    found = Cluster(changed(settings, namespaces=["flowers"])).list()
    assert list(found.services) == ["flowers/iris", "flowers/penguins"]
    assert [one.query.get("limit") for one in api.asked] == ["1", "1", None]


def test_a_forbidden_namespace_does_not_hide_the_others(
    settings: Kubernetes, api: KubernetesAPI
) -> None:
    """It says what is forbidden to whom, and what would help."""
    api.allowed = {("list", "houses")}
    found = Cluster(settings).list()
    assert list(found.services) == ["houses/prices"]
    namespace, error = only_problem(found)
    assert namespace == "flowers"
    assert isinstance(error, AccessError)
    assert error.status == 403
    assert str(error) == (
        "no permission to list InferenceServices in namespace flowers: "
        'inferenceservices.serving.kserve.io is forbidden: User "system:serviceaccount:ml:web" '
        'cannot list resource "inferenceservices" in API group "serving.kserve.io" in the namespace '
        '"flowers". Our account needs a Role with get, list and watch on inferenceservices in '
        "serving.kserve.io: see docs/kubernetes.md"
    )
    assert str(found.problems[0]).startswith("namespace flowers: no permission to list")


def test_a_cluster_without_kserve(settings: Kubernetes, api: KubernetesAPI) -> None:
    """The API does not know the resource."""
    api.has_kserve = False
    _, error = only_problem(Cluster(changed(settings, namespaces=["flowers"])).list())
    assert isinstance(error, NotFoundError)
    assert "KServe (serving.kserve.io/v1beta1) is not installed" in str(error)


def test_an_api_that_can_not_be_reached_is_asked_once(settings: Kubernetes) -> None:
    """One problem for the whole cluster, however many namespaces there are."""
    namespace, error = only_problem(Cluster(changed(settings, context="there")).list())
    assert namespace == ""
    assert isinstance(error, ConnectError)
    assert str(error) == (
        "no connection to the Kubernetes API at http://127.0.0.1:9: Connection refused"
    )


def test_a_slow_api(
    settings: Kubernetes, api: KubernetesAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever."""
    monkeypatch.setattr("kserve_client.catalog.cluster.api.LIST_TIMEOUT_S", 0.2)
    api.pause_s = 0.5
    namespace, error = only_problem(Cluster(settings).list())
    assert (namespace, type(error)) == ("", NoAnswerInTimeError)
    assert api.url in str(error)


def test_an_answer_that_ends_too_early(settings: Kubernetes, api: KubernetesAPI) -> None:
    """What was read is not taken for the whole."""
    api.cuts_bodies = True
    _, error = only_problem(Cluster(changed(settings, namespaces=["flowers"])).list())
    assert isinstance(error, ConnectionLostError)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (200, b"<html>Sign in</html>", InvalidAnswerError, "is no Kubernetes API"),
        (200, b'{"kind": "Status"}', InvalidAnswerError, "is no Kubernetes API"),
        (200, b'{"items": 7}', InvalidAnswerError, "is no Kubernetes API"),
        (500, b'{"message": "etcd is down"}', ServerError, "answered 500: etcd is down"),
        (500, b"<b>Oh\n  no</b>", ServerError, "answered 500: <b>Oh no</b>"),
        (503, b"", NotReadyError, "answered 503"),
        (429, b'{"message": "slow down"}', NotReadyError, "answered 429: slow down"),
        (403, b'{"message": "User \\"system:anonymous\\""}', AccessError, "no token was sent"),
    ],
)
def test_other_answers(
    settings: Kubernetes,
    api: KubernetesAPI,
    status: int,
    body: bytes,
    kind: type[KServeClientError],
    words: str,
) -> None:
    """Each becomes the error of its kind, with the server's own words."""
    api.replies = [(status, body)]
    _, error = only_problem(Cluster(changed(settings, namespaces=["flowers"])).list())
    assert type(error) is kind
    assert words in str(error)


def test_redirects_are_not_followed(settings: Kubernetes, api: KubernetesAPI) -> None:
    """Our token goes to no other host."""
    with kubernetes_api() as elsewhere:
        api.replies = [(302, f"{elsewhere.url}/login".encode())]
        _, error = only_problem(Cluster(changed(settings, namespaces=["flowers"])).list())
        assert isinstance(error, AccessError)
        assert "redirects elsewhere" in str(error)
        assert elsewhere.asked == []


def test_objects_that_make_no_sense_are_counted(settings: Kubernetes, api: KubernetesAPI) -> None:
    """The others are shown; one of a namespace that nobody asked for is none of ours."""
    foreign = objects.load("transformer")
    page = {"items": [objects.load("standard"), 7, {"metadata": {}}, foreign], "metadata": None}
    api.replies = [(200, json.dumps(page).encode())]
    found = Cluster(changed(settings, namespaces=["flowers"])).list()
    assert list(found.services) == ["flowers/iris"]
    assert str(found.problems[0]) == (
        "namespace flowers: 3 objects of the Kubernetes API could not be understood"
    )


# How to get in


def test_the_token_of_the_kubeconfig_is_sent_and_never_told(
    settings: Kubernetes, api: KubernetesAPI, tmp_path: Path
) -> None:
    """Not in a problem, not in a repr."""
    api.token = "s3cret"
    write_kubeconfig(tmp_path / "kubeconfig", api)
    cluster = Cluster(settings)
    assert len(cluster.list().services) == 3
    assert api.asked[0].token == "s3cret"
    api.token = "another"
    found = cluster.list()
    assert all(isinstance(problem.error, AccessError) for problem in found.problems)
    assert "did not accept our token; it may have expired: Unauthorized" in str(found.problems[0])
    assert "s3cret" not in f"{found} {cluster!r} {found.problems[0].error!r}"


def test_a_token_that_ended_is_read_again(
    settings: Kubernetes, api: KubernetesAPI, tmp_path: Path
) -> None:
    """At once, when the API refuses the old one."""
    api.token = "old"
    write_kubeconfig(tmp_path / "kubeconfig", api)
    cluster = Cluster(changed(settings, namespaces=["flowers"]))
    cluster.list()
    api.token = "new"
    write_kubeconfig(tmp_path / "kubeconfig", api)
    assert len(cluster.list().services) == 2
    assert [one.token for one in api.asked] == ["old", "old", "new"]


def test_a_kubeconfig_may_run_a_command_for_its_token(
    settings: Kubernetes, api: KubernetesAPI, tmp_path: Path
) -> None:
    """As those of clouds do (exec plugins)."""
    api.token = "from a command"
    program = tmp_path / "login"
    told = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": api.token},
    }
    program.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {"apiVersion": told["apiVersion"], "command": str(program), "args": []}
    path = write_kubeconfig(tmp_path / "kubeconfig", api)
    path.write_text(
        path.read_text().replace("token: from a command", f"exec: {json.dumps(plugin)}")
    )
    assert len(Cluster(settings).list().services) == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "Invalid kube-config file. No configuration found."),
        ("", "file is empty"),
        ("a: [", "it is no valid YAML"),
        ("- a", "it is no kubeconfig"),
        ("kind: Config", "Expected key current-context"),
    ],
)
def test_a_kubeconfig_that_is_none(
    settings: Kubernetes, tmp_path: Path, content: str | None, problem: str
) -> None:
    """A problem that names the file, and what is wrong with it."""
    path = tmp_path / "mine"
    if content is not None:
        path.write_text(content)
    namespace, error = only_problem(Cluster(changed(settings, kubeconfig=str(path))).list())
    assert (namespace, type(error)) == ("", ConfigurationError)
    assert str(error).startswith(f"kubeconfig {path} can't be used: ")
    assert problem in str(error)


def test_a_context_that_is_none(settings: Kubernetes) -> None:
    """It is named."""
    _, error = only_problem(Cluster(changed(settings, context="nope")).list())
    assert "Expected object with name nope in" in str(error)


def test_outside_of_a_pod_there_is_no_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to set."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    _, error = only_problem(Cluster(Kubernetes(namespaces=("flowers",))).list())
    assert isinstance(error, ConfigurationError)
    assert "Outside of a cluster set kubernetes.kubeconfig in the models file" in str(error)


def test_without_the_library_it_says_how_to_install_it(
    settings: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest works without it."""
    monkeypatch.setitem(sys.modules, "kubernetes.config", None)
    _, error = only_problem(Cluster(settings).list())
    assert "needs the Kubernetes library: pip install kubernetes" in str(error)


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesAPI]:
    """Run an API with TLS, and stand in a pod of its cluster: the files and variables of one."""
    authority = make_authority(tmp_path)
    certificate = authority.issue("api")
    with kubernetes_api(tls=certificate.server_context()) as running:
        running.put(objects.load("standard"))
        running.token = "one"
        token = tmp_path / "token"
        token.write_text("one")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", running.url.rpartition(":")[2])
        account = "kubernetes.config.incluster_config.SERVICE"
        monkeypatch.setattr(f"{account}_TOKEN_FILENAME", str(token))
        monkeypatch.setattr(f"{account}_CERT_FILENAME", str(authority.certificate))
        yield running


def test_the_service_account_of_a_pod(pod: KubernetesAPI) -> None:
    """Its token, over TLS that its authority vouches for."""
    found = Cluster(Kubernetes(namespaces=("flowers",))).list()
    assert (list(found.services), found.problems) == (["flowers/iris"], ())
    assert pod.asked[0].token == "one"


def test_the_token_of_a_pod_is_replaced(pod: KubernetesAPI, tmp_path: Path) -> None:
    """By the kubelet, once an hour: read again as soon as the API refuses the old one."""
    with Cluster(Kubernetes(namespaces=("flowers",))).watch() as watching:
        eventually(lambda: pod.watching == 1)
        pod.token = "two"
        (tmp_path / "token").write_text("two")
        pod.put(objects.load("knative_canary"))
        pod.cut()
        eventually(lambda: len(watching.found().services) == 2)
        eventually(lambda: pod.watching == 1)
        assert pod.asked[-1].token == "two"
        assert watching.found().problems == ()


def test_a_token_file_that_is_gone(pod: KubernetesAPI, tmp_path: Path) -> None:
    """A problem, and no end of the watch."""
    with Cluster(Kubernetes(namespaces=("flowers",))).watch() as watching:
        eventually(lambda: pod.watching == 1)
        (tmp_path / "token").unlink()
        pod.token = "two"
        pod.cut()
        eventually(lambda: watching.found().problems)
        assert "Service token file does not exist" in str(watching.found().problems[0])
        assert list(watching.found().services) == ["flowers/iris"]
        (tmp_path / "token").write_text("two")
        eventually(lambda: not watching.found().problems)


def test_an_api_that_nobody_vouches_for(
    pod: KubernetesAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets no token."""
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other")
    name = "kubernetes.config.incluster_config.SERVICE_CERT_FILENAME"
    monkeypatch.setattr(name, str(other.certificate))
    _, error = only_problem(Cluster(Kubernetes(namespaces=("flowers", "houses"))).list())
    assert isinstance(error, TLSError)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert pod.asked == []


# Watching


def test_changes_are_seen_as_they_happen(watch: Watch, api: KubernetesAPI) -> None:
    """What is added, changed and deleted."""
    before = watch.found()
    assert len(before.services) == 3
    api.put(objects.load("new"))
    eventually(lambda: "flowers/fresh" in watch.found().services)
    value = objects.load("new")
    value["status"] = {"url": "http://fresh.example.org"}
    api.put(value)
    eventually(lambda: watch.found().services["flowers/fresh"].url)
    api.delete("flowers", "fresh")
    eventually(lambda: "flowers/fresh" not in watch.found().services)
    assert watch.found().version == before.version + 3
    assert sorted(api.verbs()) == ["list", "list", "watch", "watch"]


def test_a_watch_begins_where_the_list_ended(watch: Watch, api: KubernetesAPI) -> None:
    """It asks for bookmarks, and for an end after some minutes."""
    asked = next(one for one in api.asked if one.verb == "watch")
    assert asked.query["resourceVersion"] == "103"
    assert asked.query["allowWatchBookmarks"].lower() == "true"
    assert 240 <= int(asked.query["timeoutSeconds"]) <= 300


def test_what_changes_nothing_is_no_change(watch: Watch, api: KubernetesAPI) -> None:
    """Controllers write objects all the time; `version` stays."""
    before = watch.found()
    api.put(objects.load("standard"))
    api.put(objects.load("new"))
    eventually(lambda: watch.found().version > before.version)
    assert watch.found().version == before.version + 1


def test_a_watch_that_is_cut_goes_on_where_it_was(watch: Watch, api: KubernetesAPI) -> None:
    """From the last bookmark, without another list; what happened meanwhile is seen."""
    bookmark = api.bookmark()
    time.sleep(0.2)
    api.cut()
    api.put(objects.load("new"))
    eventually(lambda: "flowers/fresh" in watch.found().services)
    eventually(lambda: api.watching == 2)
    assert api.verbs().count("list") == 2
    again = [one.query["resourceVersion"] for one in api.asked if one.verb == "watch"][2:]
    assert again == [bookmark, bookmark]
    assert watch.found().problems == ()


@pytest.mark.parametrize("as_status", [False, True])
def test_a_version_that_is_forgotten_is_listed_again(
    watch: Watch, api: KubernetesAPI, as_status: bool
) -> None:
    """410, as an event or as a status; what was deleted meanwhile is gone."""
    api.gone_as_status = as_status
    api.cut()
    api.delete("houses", "prices")
    api.forget()
    eventually(lambda: "houses/prices" not in watch.found().services)
    eventually(lambda: api.watching == 2)
    assert api.verbs("houses").count("list") == 2
    assert watch.found().problems == ()


def test_a_watch_that_the_server_ends_is_opened_again(
    api: KubernetesAPI, settings: Kubernetes
) -> None:
    """That is how each of them ends; no problem, no other list."""
    api.watch_life_s = 0.3
    with Cluster(settings).watch() as watching:
        eventually(lambda: api.verbs().count("watch") >= 6)
        assert api.verbs().count("list") == 2
        assert watching.found().problems == ()


def test_a_watch_that_is_silent_for_too_long_is_opened_again(
    api: KubernetesAPI, settings: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some connections die without a word: the end that was asked for never comes."""
    monkeypatch.setattr("kserve_client.catalog.cluster.api.WATCH_LIFE_S", (1, 1))
    monkeypatch.setattr("kserve_client.catalog.cluster.api.WATCH_SLACK_S", -0.6)
    api.hangs = True
    with Cluster(changed(settings, namespaces=["flowers"])).watch() as watching:
        eventually(lambda: api.watching == 1)
        api.put(objects.load("new"))
        eventually(lambda: api.verbs().count("watch") >= 2)
        api.hangs = False
        eventually(lambda: "flowers/fresh" in watching.found().services)
        assert watching.found().problems == ()
        assert api.verbs().count("list") == 1


def test_watches_that_end_at_once_are_not_opened_without_a_pause(
    api: KubernetesAPI, settings: Kubernetes
) -> None:
    """Some proxies let none through: four take the shortest of three growing pauses at least."""
    api.watch_life_s = 0.0
    began = time.monotonic()
    with Cluster(changed(settings, namespaces=["flowers"])).watch() as watching:
        eventually(lambda: api.verbs().count("watch") == 4)
        assert time.monotonic() - began >= 0.025 + 0.05 + 0.1
        assert watching.found().problems == ()


def test_what_was_known_stays_while_the_api_is_away(settings: Kubernetes, tmp_path: Path) -> None:
    """With the time of it, and one problem for all namespaces; later it goes on."""
    with kubernetes_api() as first:
        port = int(first.url.rpartition(":")[2])
        first.put(objects.load("standard"))
        write_kubeconfig(tmp_path / "kubeconfig", first)
        watching = Cluster(settings).watch()
        eventually(lambda: first.watching == 2)
    with watching:
        eventually(lambda: [one.namespace for one in watching.found().problems] == [""])
        found = watching.found()
        assert list(found.services) == ["flowers/iris"]
        assert isinstance(found.problems[0].error, ConnectError)
        assert found.problems[0].as_of == found.as_of
        assert timedelta(0) < datetime.now(UTC) - found.as_of < timedelta(seconds=10)
        assert f"(shown as of {found.as_of:%Y-%m-%d %H:%M:%S} UTC)" in str(found.problems[0])
        with kubernetes_api(port=port) as second:
            second.put(objects.load("new"))
            second.forget()
            eventually(lambda: list(watching.found().services) == ["flowers/fresh"])
            eventually(lambda: not watching.found().problems)
            assert watching.found().as_of > found.as_of


def test_a_forbidden_namespace_does_not_stop_the_others(
    api: KubernetesAPI, settings: Kubernetes
) -> None:
    """And is seen as soon as somebody gives the permission."""
    api.allowed = {("list", "houses"), ("watch", "houses")}
    with Cluster(settings).watch() as watching:
        found = watching.found(wait_s=10)
        assert list(found.services) == ["houses/prices"]
        assert (only_problem(found)[0], found.problems[0].as_of) == ("flowers", None)
        api.put(objects.load("old_style") | {"status": {"url": "http://moved.example.org"}})
        eventually(lambda: watching.found().services["houses/prices"].url.startswith("http://mov"))
        api.allowed = None
        eventually(lambda: len(watching.found().services) == 3)
        eventually(lambda: not watching.found().problems)


def test_who_may_list_but_not_watch_sees_what_is_listed(
    api: KubernetesAPI, settings: Kubernetes
) -> None:
    """Again and again, with the problem beside it."""
    api.allowed = {("list", "flowers")}
    with Cluster(changed(settings, namespaces=["flowers"])).watch() as watching:
        eventually(lambda: watching.found().problems)
        assert "no permission to watch InferenceServices" in str(watching.found().problems[0])
        api.put(objects.load("new"))
        eventually(lambda: "flowers/fresh" in watching.found().services)
        assert "no permission to watch" in str(watching.found().problems[0])


def test_kserve_may_come_later(api: KubernetesAPI, settings: Kubernetes) -> None:
    """No start of the dashboard is needed."""
    api.has_kserve = False
    with Cluster(settings).watch() as watching:
        found = watching.found(wait_s=10)
        assert isinstance(only_problem(found)[1], NotFoundError)
        api.has_kserve = True
        eventually(lambda: len(watching.found().services) == 3)


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b"7\n",
        b'{"type": "NEWS", "object": {"metadata": {"resourceVersion": "1"}}}\n',
        b'{"type": "ADDED", "object": {}}\n',
        b'{"type": "ERROR", "object": {"code": 500, "message": "etcd is down"}}\n',
        b'{"type": "ERROR", "object": 7}\n',
    ],
)
def test_what_is_no_event_is_a_problem_for_a_moment(
    watch: Watch, api: KubernetesAPI, line: bytes
) -> None:
    """Then it is listed again, and watched from there."""
    api.send(line)
    eventually(lambda: api.verbs().count("list") == 4)
    eventually(lambda: api.watching == 2)
    eventually(lambda: not watch.found().problems)
    api.put(objects.load("new"))
    eventually(lambda: "flowers/fresh" in watch.found().services)


def test_an_event_without_an_end_is_refused(
    watch: Watch, api: KubernetesAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fills the memory."""
    monkeypatch.setattr("kserve_client.catalog.cluster.api.LARGEST_EVENT_BYTES", 1000)
    api.send(b"x" * 2000)
    eventually(lambda: api.verbs().count("list") == 4)


def test_an_event_may_come_in_pieces(watch: Watch, api: KubernetesAPI) -> None:
    """Chunks of HTTP are no lines."""
    value = objects.load("new")
    value["metadata"]["resourceVersion"] = "500"
    line = json.dumps({"type": "ADDED", "object": value}).encode() + b"\n"
    api.send(line[:40])
    time.sleep(0.05)
    api.send(line[40:])
    eventually(lambda: "flowers/fresh" in watch.found().services)
    assert "houses/fresh" not in watch.found().services
    assert [key for key in watch.found().services if key.endswith("/fresh")] == ["flowers/fresh"]


def test_asking_before_the_first_answer(api: KubernetesAPI, settings: Kubernetes) -> None:
    """It says that it is not all, and waits for no longer than wanted."""
    api.pause_s = 0.4
    with Cluster(settings).watch() as watching:
        early = watching.found(wait_s=0.05)
        assert (early.is_complete, dict(early.services)) == (False, {})
        whole = watching.found(wait_s=5)
        assert (whole.is_complete, len(whole.services)) == (True, 3)


def test_a_bug_does_not_end_the_watch(
    api: KubernetesAPI, settings: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and tried again."""
    cluster = Cluster(changed(settings, namespaces=["flowers"]))
    list_place, bugs = cluster.list_place, [ZeroDivisionError("secret")]

    def sometimes(place: str) -> Any:
        if bugs:
            raise bugs.pop()
        return list_place(place)

    monkeypatch.setattr(cluster, "list_place", sometimes)
    with cluster.watch() as watching:
        found = watching.found(wait_s=10)
        assert str(found.problems[0]) == "namespace flowers: watching failed: ZeroDivisionError"
        eventually(lambda: len(watching.found().services) == 2)


# In a forked child

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@can_fork
def test_a_forked_child_follows_by_itself(watch: Watch, api: KubernetesAPI) -> None:
    """The threads stay with the parent: what the child has is as old as the fork until it asks."""

    def change() -> None:
        eventually(lambda: api.watching == 4)
        api.put(objects.load("new"))

    def seen() -> str:
        at_first, whole = watch.found(), watch.found(wait_s=60)
        eventually(lambda: "flowers/fresh" in watch.found().services)
        return f"{len(at_first.services)} {at_first.is_complete} {whole.is_complete}"

    changing = threading.Thread(target=change)
    changing.start()
    assert in_child(seen) == "3 False True"
    changing.join()
    eventually(lambda: "flowers/fresh" in watch.found().services)
    assert api.verbs().count("list") == 4


@can_fork
def test_a_forked_child_waits_for_no_thread_of_its_parent(watch: Watch) -> None:
    """What another thread had locked at that moment nobody would ever unlock in the child."""
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with watch._lock, watch._cluster._lock:
            is_held.set()
            is_over.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    is_held.wait()
    try:
        assert in_child(lambda: str(len(watch.found(wait_s=60).services))) == "3"
    finally:
        is_over.set()
        holding.join()


@can_fork
def test_the_end_of_a_forked_child_is_not_that_of_its_parent(
    watch: Watch, api: KubernetesAPI
) -> None:
    """Though both have the same connections open; and what was over before stays so."""
    assert in_child(lambda: str(watch.close())) == "None"
    api.put(objects.load("new"))
    eventually(lambda: "flowers/fresh" in watch.found().services)
    assert api.verbs().count("watch") == 2
    watch.close()
    assert in_child(lambda: str(len(watch.found(wait_s=60).services))) == "4"
    assert api.verbs().count("list") == 2


@can_fork
def test_a_forked_child_makes_connections_of_its_own(tmp_path: Path) -> None:
    """On a shared one each would read the other's answers."""

    def tells_its_number(wire: Wire) -> None:
        while wire.read() is not None:
            wire.write(
                http(body=b'{"items": [], "metadata": {"resourceVersion": "%d"}}' % wire.number)
            )

    with fault_server(tells_its_number) as server:
        path = write_kubeconfig(tmp_path / "kubeconfig", KubernetesAPI(server.url))
        cluster = Cluster(Kubernetes(namespaces=("flowers",), kubeconfig=str(path)))
        assert cluster.list_place("flowers").version == "0"
        assert in_child(lambda: cluster.list_place("flowers").version) == "1"
        assert cluster.list_place("flowers").version == "0"
        cluster.close()


# The end


def test_closing_ends_threads_and_connections_at_once(
    api: KubernetesAPI, settings: Kubernetes
) -> None:
    """Though they wait for events; twice is once."""
    watching = Cluster(settings).watch()
    eventually(lambda: api.watching == 2)
    began = time.monotonic()
    watching.close()
    assert time.monotonic() - began < 20
    watching.close()
    found = watching.found()
    assert (len(found.services), found.problems) == (3, ())
    api.bookmark()
    eventually(lambda: api.watching == 0)


def test_closing_a_watch_over_tls(pod: KubernetesAPI) -> None:
    """The wait within the TLS library ends too."""
    watching = Cluster(Kubernetes(namespaces=("flowers",))).watch()
    eventually(lambda: pod.watching == 1)
    time.sleep(0.1)
    began = time.monotonic()
    watching.close()
    assert time.monotonic() - began < 20
    assert watching.found().problems == ()


def test_a_watch_that_is_over_may_be_ended_again(api: KubernetesAPI, settings: Kubernetes) -> None:
    """The server may end it in the moment when we do."""
    api.watch_life_s = 0.1
    changes = Cluster(settings).watch_place("flowers", "103")
    assert list(changes) == []
    changes.abort()
    changes.end()
    changes.abort()


def test_closing_while_nothing_answers(settings: Kubernetes) -> None:
    """In a pause between two tries."""
    watching = Cluster(changed(settings, context="there")).watch()
    watching.found(wait_s=10)
    began = time.monotonic()
    watching.close()
    assert time.monotonic() - began < 20


def open_files() -> int:
    """How many there are (Linux)."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_watches_leave_no_open_files(api: KubernetesAPI, settings: Kubernetes) -> None:
    """Each gives back its connections."""

    def once() -> None:
        with Cluster(settings).watch() as watching:
            watching.found(wait_s=10)
            eventually(lambda: api.watching == 2)
        api.bookmark()
        eventually(lambda: api.watching == 0)

    once()
    before = open_files()
    for _ in range(5):
        once()
    assert open_files() <= before + 2
