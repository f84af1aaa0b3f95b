"""The chart's HTTPRoute served by a real Traefik, before two real replicas below a path, in Chromium."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Request,
    expect,
    sync_playwright,
)

from scripts.ask_dashboard import problem
from scripts.pipeline.seaweedfs import ADMIN
from scripts.processes import Child, free_ports, stop_all, wait_until
from tests import batch_page, needs
from tests.browser.conftest import ARGUMENTS
from tests.chart.cluster import Cluster, cluster
from tests.chart.engines import ROOT, Engines, Object, Rendered, Values, values_of
from tests.dashboard.batch_jobs import doubled
from tests.object_store import object_store
from tests.servers import dashboard_variables
from tests.v2_server import V2Server, v2_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOST = "models.example.org"
BASE = "/ml/dash"
NAMESPACE = "dashboards"
READY_S = 60.0
PEOPLE, UPLOADS_OF_EACH = 4, 5
MOST_PEOPLE = 20
SETTLED_MS = 30_000
BUCKET = "dashboards"
# Where the Secret holds the keys, unless the values say otherwise.
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Another moment after a reload.
OPENED = "performance.timeOrigin"
SEND = """async ([url, headers]) => {
    const body = new FormData();
    body.append("file", new Blob(["a\\n1\\n"]), "a.csv");
    return (await fetch(url, {method: "PUT", headers, body})).status;
}"""
# One address each, as pods have. All of 127.0.0.0/8 is this machine (Linux).
ADDRESSES = ("127.0.0.2", "127.0.0.3")


@dataclass
class Platform:
    """Traefik before the replicas; `port` is that of the Gateway."""

    cluster: Cluster
    port: int
    replicas: dict[str, Child]
    replica_port: int
    release: Rendered
    folder: Path
    # Beside what the chart sets for all tests.
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address that people type."""
        return f"http://{HOST}:{self.port}"

    @property
    def on_volume(self) -> dict[str, str]:
        """The variables of replicas that keep their jobs in one folder."""
        return {"KSERVE_CLIENT_JOBS_FOLDER": str(self.folder / "jobs")}

    def get(self, path: str, **headers: str) -> requests.Response:
        """Ask the Gateway by name, as a browser would."""
        session = requests.Session()
        session.trust_env = False
        return session.get(
            f"http://127.0.0.1:{self.port}{path}",
            headers={"Host": HOST, **headers},
            allow_redirects=False,
            timeout=30,
        )

    def start(self, address: str) -> None:
        """Start a replica as the image does, with the variables that the chart sets."""
        here = {
            "KSERVE_CLIENT_MODELS": str(self.folder / "models.yaml"),
            "STREAMLIT_SERVER_ADDRESS": address,
            "STREAMLIT_SERVER_PORT": str(self.replica_port),
            "STREAMLIT_SERVER_COOKIE_SECRET": "of-tests-alone-0123456789abcdef",
        }
        self.replicas[address] = Child(
            f"The replica at {address}",
            [sys.executable, "-m", "scripts.serve"],
            self.folder / f"{address}.log",
            cwd=ROOT,
            env=dashboard_variables(None, **{**self.release.settings(), **self.variables, **here}),
        )

    def provide(self, variables: dict[str, str]) -> None:
        """Have all replicas run with these variables, whatever the test before did to them."""
        missing = [one for one, child in self.replicas.items() if not child.is_running]
        if variables != self.variables:
            self.variables, missing = variables, list(self.replicas)
        stop_all([self.replicas[one] for one in missing])
        for address in missing:
            self.start(address)
        for address in missing:
            self._wait_for(address)
        self.tell_endpoints(*self.replicas)

    def end(self, address: str, how: signal.Signals) -> None:
        """End a replica; the next test finds another one in its place."""
        left = [one for one in self.replicas if one != address]
        if (
            how == signal.SIGTERM
        ):  # Kubernetes tells it first; a replica that crashes is missed later
            self.tell_endpoints(*left)
        gone = self.replicas[address]
        gone.signal(how)
        gone.process.wait()
        self.tell_endpoints(*left)

    def _wait_for(self, address: str) -> None:
        child = self.replicas[address]
        wait_until(lambda: self.is_well(address), [child], what=child.name, timeout_s=READY_S)

    def is_well(self, address: str) -> bool:
        """Whether a replica answers its probes."""
        return not problem(f"http://{address}:{self.replica_port}{BASE}", with_page=False)

    def tell_endpoints(self, *addresses: str) -> None:
        """Tell which replicas are ready, as the controller of Kubernetes does."""
        service = self.release.one("Service")["metadata"]["name"]
        self.cluster.put(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{service}-1",
                    "namespace": NAMESPACE,
                    "labels": {"kubernetes.io/service-name": service},
                },
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": self.replica_port, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": [one], "conditions": {"ready": True, "serving": True}}
                    for one in addresses
                ],
            }
        )


def objects(release: Rendered, port: int) -> list[Object]:
    """The release, the Gateway it hangs on, and what the API itself adds."""
    service = release.one("Service")
    service["spec"]["clusterIP"] = "10.96.0.10"
    return [
        *(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}}
            for one in (NAMESPACE, "gateways")
        ),
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "traefik"},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "gateways"},
            "spec": {
                "gatewayClassName": "traefik",
                "listeners": [
                    {
                        "name": "web",
                        "port": port,
                        "protocol": "HTTP",
                        "allowedRoutes": {"namespaces": {"from": "All"}},
                    }
                ],
            },
        },
        service,
        release.one("TraefikService"),
        release.one("HTTPRoute"),
    ]


def start_traefik(api: str, port: int, folder: Path) -> Child:
    """Start Traefik as a controller of Gateway API, and of its own TraefikService."""
    program = needs.chart_python().with_name("traefik")
    command: list[str | Path] = [program, f"--entrypoints.web.address=127.0.0.1:{port}"]
    command += ["--log.level=INFO", "--global.checknewversion=false"]
    command += ["--global.sendanonymoususage=false"]
    for provider in ("kubernetesgateway", "kubernetescrd"):
        command.append(f"--providers.{provider}=true")
        command.append(f"--providers.{provider}.endpoint={api}")
        command.append(f"--providers.{provider}.throttleDuration=100ms")
    # Whose proxy is named in our environment is none of its business.
    keep = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return Child("Traefik", command, folder / "traefik.log", env=keep)


@pytest.fixture(scope="module")
def model() -> Iterator[V2Server]:
    """Run a server that speaks V2, for pages to be about."""
    with v2_server(double=batch_page.PACED) as running:
        yield running


@pytest.fixture(scope="module")
def started(
    helm: Engines, model: V2Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """Run it all, until the route is taken and both replicas answer."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has more than one loopback address")
    folder = tmp_path_factory.mktemp("platform")
    batch_page.write_models_file(folder / "models.yaml", model)
    # The example as it is; its discovery asks an API that nobody runs here.
    release = helm.render(values_of("sub-path-traefik") | {"models": {"content": "version: 1"}})
    port, replica_port = free_ports(2)
    traefik: list[Child] = []
    with cluster() as api:
        running = Platform(api, port, {}, replica_port, release, folder)
        running.variables = running.on_volume
        try:
            for one in objects(release, port):
                api.put(one)
            for address in ADDRESSES:
                running.start(address)
            running.tell_endpoints(*ADDRESSES)
            traefik.append(start_traefik(api.url, port, folder))
            children = [*traefik, *running.replicas.values()]
            wait_until(lambda: is_ready(running), children, what="The platform", timeout_s=READY_S)
            yield running
        finally:
            for child in (*traefik, *running.replicas.values()):
                child.stop()


@pytest.fixture
def platform(started: Platform) -> Platform:
    """Return it whole, with a volume for the jobs that all replicas write."""
    started.provide(started.on_volume)
    return started


def is_ready(platform: Platform) -> bool:
    if not all(platform.is_well(address) for address in platform.replicas):
        return False
    try:
        return platform.get(f"{BASE}/_stcore/health").status_code == 200
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium, which takes the name of the host for this machine."""
    path = needs.chromium()
    rules = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, rules])
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a window whose cache fills, so that a page does not take seconds each time."""
    opened = browser.new_context()
    yield opened
    opened.close()


def visit(context: BrowserContext, platform: Platform) -> Page:
    """Open the page as a person who was never here: no cookie leads to a replica."""
    context.clear_cookies()
    page = context.new_page()
    page.goto(f"{platform.url}{BASE}/model?m=double&part=Learn from a CSV")
    expect(page.locator("input[type=file]")).to_be_attached(timeout=SETTLED_MS)
    return page


def upload(page: Page, name: str) -> Request:
    """Drop a file and wait until its name stands above the grid of its columns; return what was sent."""
    content = {"name": name, "mimeType": "text/csv", "buffer": b"width,height\n1.5,2\n2.5,3\n"}
    with page.expect_request(lambda one: "/_stcore/upload_file/" in one.url) as sent:
        page.locator("input[type=file]").set_input_files(content)  # type: ignore[arg-type]
    expect(page.get_by_text(f"{name} ·")).to_be_visible(timeout=SETTLED_MS)
    return sent.value


def sent_again(page: Page, upload: Request, number: int) -> int:
    """Send another file as an upload was sent, by the same browser; return the status of the answer."""
    headers = {"X-Xsrftoken": upload.headers["x-xsrftoken"]}
    place = upload.url.rpartition("/")[0]
    return int(page.evaluate(SEND, [f"{place}/another-{number}", headers]))


def replica_of(page: Page) -> str:
    """What the cookie says of the replica that serves the page."""
    (found,) = (
        one["value"] for one in page.context.cookies() if one["name"] == "kserve-client-replica"
    )
    return str(found)


def wait_for_another_replica(page: Page, before: str) -> None:
    """Wait until the browser, by itself, is with another replica than before."""
    end = time.monotonic() + READY_S
    while replica_of(page) == before:
        assert time.monotonic() < end, "the browser stayed away"
        page.wait_for_timeout(100)


def test_the_gateway_takes_the_route(platform: Platform) -> None:
    """Traefik accepts it, finds all it refers to, and says so in its status."""
    end = time.monotonic() + READY_S
    conditions: dict[str, str] = {}
    while time.monotonic() < end and not conditions:
        route = platform.cluster.get("httproutes", NAMESPACE, "dash-kserve-client") or {}
        for parent in route.get("status", {}).get("parents", []):
            conditions = {one["type"]: one["status"] for one in parent["conditions"]}
        time.sleep(0.1)
    assert conditions == {"Accepted": "True", "ResolvedRefs": "True"}


def test_only_the_path_is_the_dashboards(platform: Platform) -> None:
    """The slash is added, the metrics are hidden, other paths and hosts are others'."""
    for path in (BASE, f"{BASE}/_stcore/metrics"):
        answer = platform.get(path)
        # Traefik 3.7 leaves the port out, which only matters where it is not the usual one.
        assert (answer.status_code, answer.headers["Location"]) == (302, f"http://{HOST}{BASE}/")
    assert "<html" in platform.get(f"{BASE}/").text
    assert platform.get("/").status_code == 404
    assert platform.get(f"{BASE}/", Host="other.example.org").status_code == 404


def test_the_metrics_are_those_that_are_watched(platform: Platform) -> None:
    """Names of alerts and of the Grafana dashboard; a pod shows them inside the cluster."""
    session = requests.Session()
    session.trust_env = False
    shown = session.get(
        f"http://{ADDRESSES[0]}:{platform.replica_port}{BASE}/_stcore/metrics", timeout=30
    ).text
    for name in ("active_sessions ", "session_duration_seconds_total "):
        assert f"\n{name}" in shown
    for event in ("connect", "reconnect", "disconnect"):
        assert f'\nsession_events_total{{type="{event}"}}' in shown


def test_an_origin_from_elsewhere_is_refused(platform: Platform) -> None:
    """Through the Gateway as without it; nobody can be made to use the dashboard by another page."""
    answer = platform.get(
        f"{BASE}/_stcore/stream",
        **{
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Origin": "http://elsewhere.example.org",
        },
    )
    assert answer.status_code == 403


def test_every_upload_arrives(platform: Platform, context: BrowserContext) -> None:
    """20 of 20, from people who were never here, on both replicas."""
    replicas: list[str] = []
    while len(replicas) < PEOPLE or len(set(replicas)) < len(ADDRESSES):
        assert len(replicas) < MOST_PEOPLE, "all of them came to the same replica"
        page = visit(context, platform)
        first = upload(page, f"flowers-{len(replicas)}.csv")
        # To open a page takes seconds; each of these finds its own way all the same.
        statuses = [sent_again(page, first, number) for number in range(1, UPLOADS_OF_EACH)]
        assert set(statuses) == {204}
        replicas.append(replica_of(page))
        page.close()


def test_the_browser_comes_back_when_its_replica_goes(
    platform: Platform, context: BrowserContext
) -> None:
    """Without a reload the other replica draws the page anew, and an upload there arrives."""
    page = visit(context, platform)
    upload(page, "before.csv")
    before = replica_of(page)
    platform.end(replica_with_a_session(platform), signal.SIGTERM)
    expect(page.get_by_text("before.csv")).to_have_count(0, timeout=SETTLED_MS)
    assert replica_of(page) != before
    upload(page, "after.csv")
    page.close()


@pytest.fixture(params=["volume", "bucket"])
def jobs_place(
    request: pytest.FixtureRequest, helm: Engines, started: Platform, tmp_path: Path
) -> Iterator[None]:
    """Let the replicas share a volume, or nothing but a bucket of a real S3 store."""
    if request.param == "volume":
        started.provide(started.on_volume)
        yield
        return
    with object_store(tmp_path, BUCKET) as store:
        release = helm.render(values_of("sub-path-traefik") | values_of_bucket(store.url))
        started.provide(release.variables(dict(zip(KEYS, ADMIN, strict=True))))
        yield


def values_of_bucket(endpoint: str) -> Values:
    """What the chart is told of the bucket, and of the shortest silence it takes for an end."""
    return {
        "models": {"content": "version: 1"},
        "jobs": {"url": f"s3://{BUCKET}/jobs"},
        "s3": {"endpoint": endpoint, "region": "us-east-1", "existingSecret": "dashboard-s3"},
        "dashboard": {"jobsTakenOverS": 10},
    }


@pytest.mark.usefixtures("jobs_place")
def test_a_batch_is_not_lost_with_its_replica(
    started: Platform, context: BrowserContext, model: V2Server
) -> None:
    """Killed in the middle: without a reload the page shows how the other one goes on, to the end.

    From a volume at once, from a bucket once the silence was long enough.
    """
    model.models["double"] = batch_page.PACED
    context.clear_cookies()
    page = context.new_page()
    page.goto(f"{started.url}{BASE}/batch?m=double")
    opened = page.evaluate(OPENED)
    batch_page.begin(page)
    batch_page.rows_done(page, more_than=1000)
    before = replica_of(page)
    started.end(replica_with_a_session(started), signal.SIGKILL)
    model.asked.clear()
    wait_for_another_replica(page, before)
    batch_page.rows_done(page, more_than=batch_page.rows_done(page))
    model.models["double"] = doubled  # it was seen; the rest need not be slow
    assert batch_page.result(page) == batch_page.RESULT
    assert batch_page.rows_asked(model) < batch_page.ROWS
    assert page.evaluate(OPENED) == opened
    page.close()


def replica_with_a_session(platform: Platform) -> str:
    """The address of the replica that the only open page talks to."""
    session = requests.Session()
    session.trust_env = False
    for address in ADDRESSES:
        shown = session.get(
            f"http://{address}:{platform.replica_port}{BASE}/_stcore/metrics", timeout=30
        ).text
        if "\nactive_sessions 1" in shown:
            return address
    raise AssertionError("no replica has a session")
