"""The chart's HTTPRoute served by a real Traefik, before two real replicas below a path, in Chromium."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from scripts.ask_dashboard import problem
from scripts.processes import Child, free_ports, wait_until
from tests import needs
from tests.browser.conftest import ARGUMENTS
from tests.chart.cluster import Cluster, cluster
from tests.chart.engines import ROOT, Engines, Object, Rendered, values_of
from tests.servers import dashboard_variables
from tests.v2_server import V2Server, v2_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOST = "models.example.org"
BASE = "/ml/dash"
NAMESPACE = "dashboards"
READY_S = 60.0
UPLOADS = 20
SETTLED_MS = 30_000
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

    @property
    def url(self) -> str:
        """The address that people type."""
        return f"http://{HOST}:{self.port}"

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


def start_replica(address: str, port: int, release: Rendered, models: Path, folder: Path) -> Child:
    """Start the dashboard as the image does, with the variables that the chart sets."""
    here = {
        "KSERVE_CLIENT_MODELS": str(models),
        "KSERVE_CLIENT_JOBS_FOLDER": str(folder / f"jobs-{address}"),
        "STREAMLIT_SERVER_ADDRESS": address,
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_COOKIE_SECRET": "of-tests-alone-0123456789abcdef",
    }
    variables = dashboard_variables(None, **{**release.settings(), **here})
    command = [sys.executable, "-m", "scripts.serve"]
    return Child(
        f"The replica at {address}", command, folder / f"{address}.log", cwd=ROOT, env=variables
    )


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
    """Run a server that speaks V2, for a page to be about."""
    with v2_server() as running:
        yield running


@pytest.fixture(scope="module")
def platform(
    helm: Engines, model: V2Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """Run it all, until the route is taken and both replicas answer."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has more than one loopback address")
    folder = tmp_path_factory.mktemp("platform")
    models = folder / "models.yaml"
    models.write_text(
        f"version: 1\nendpoints: {{here: {{url: '{model.url}'}}}}\nmodels: {{m: {{endpoint: here}}}}\n"
    )
    # The example as it is; its discovery asks an API that nobody runs here.
    release = helm.render(values_of("sub-path-traefik") | {"models": {"content": "version: 1"}})
    port, replica_port = free_ports(2)
    replicas = {one: start_replica(one, replica_port, release, models, folder) for one in ADDRESSES}
    children = list(replicas.values())
    try:
        with cluster() as api:
            running = Platform(api, port, replicas, replica_port, release)
            for one in objects(release, port):
                api.put(one)
            running.tell_endpoints(*ADDRESSES)
            traefik = start_traefik(api.url, port, folder)
            children.append(traefik)
            try:
                wait_until(
                    lambda: is_ready(running), children, what="The platform", timeout_s=READY_S
                )
                yield running
            finally:
                traefik.stop()
    finally:
        for child in children:
            child.stop()


def is_ready(platform: Platform) -> bool:
    for address in platform.replicas:
        if problem(f"http://{address}:{platform.replica_port}{BASE}", with_page=False):
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
    page.goto(f"{platform.url}{BASE}/model?m=m&part=Learn from a CSV")
    expect(page.locator("input[type=file]")).to_be_attached(timeout=SETTLED_MS)
    return page


def upload(page: Page, name: str) -> None:
    """Drop a file and wait until its name stands above the grid of its columns."""
    content = {"name": name, "mimeType": "text/csv", "buffer": b"width,height\n1.5,2\n2.5,3\n"}
    page.locator("input[type=file]").set_input_files(content)  # type: ignore[arg-type]
    expect(page.get_by_text(f"{name} ·")).to_be_visible(timeout=SETTLED_MS)


def replica_of(page: Page) -> str:
    """What the cookie says of the replica that serves the page."""
    (found,) = (
        one["value"] for one in page.context.cookies() if one["name"] == "kserve-client-replica"
    )
    return str(found)


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
    """20 of 20, from people who were never here, spread over both replicas."""
    replicas = []
    for number in range(UPLOADS):
        page = visit(context, platform)
        upload(page, f"flowers-{number}.csv")
        replicas.append(replica_of(page))
        page.close()
    assert len(replicas) == UPLOADS
    assert len(set(replicas)) == 2


def test_the_browser_comes_back_when_its_replica_goes(
    platform: Platform, context: BrowserContext
) -> None:
    """The page connects to the other replica, and an upload there arrives. The last test: it kills."""
    page = visit(context, platform)
    upload(page, "before.csv")
    before = replica_of(page)
    gone = replica_with_a_session(platform)
    left = next(one for one in ADDRESSES if one != gone)
    platform.tell_endpoints(left)
    platform.replicas[gone].signal(signal.SIGTERM)
    assert platform.replicas[gone].wait() == 0
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=SETTLED_MS)
    page.reload()
    expect(page.locator("input[type=file]")).to_be_attached(timeout=SETTLED_MS)
    upload(page, "after.csv")
    assert replica_of(page) != before
    # The batch that ran on the replica that went belongs here: see issue 7.


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
