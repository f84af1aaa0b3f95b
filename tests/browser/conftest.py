"""A real Chromium before a real dashboard before a real MLServer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from scripts.mlserver import MLServer
from tests import needs
from tests.servers import ROOT, Dashboard, streamlit_server

FAILURES = ROOT / ".pytest_cache" / "screenshots"
# Without the popups of the address bar: two more pages for each window, a quarter of its cost.
# Chromium takes the last list only: the others are Playwright's own, among them what asks Google.
FEATURES_OFF = [
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
]
ARGUMENTS = [
    f"--disable-features={','.join(FEATURES_OFF)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = (1360, 900)
# Streamlit tells a phone by these words, not by the size of the window.
PHONE: dict[str, Any] = {
    "size": (390, 844),
    "has_touch": True,
    "is_mobile": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36",
}
SETTLED_MS = 45_000
expect.set_options(timeout=SETTLED_MS)


@dataclass
class Seen:
    """What a browser page asked for and complained of."""

    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        """Remember the host of a request; data: and blob: have none."""
        host = urlsplit(request.url).netloc
        if host:
            self.hosts.add(host)

    def console(self, message: ConsoleMessage) -> None:
        """Remember an error of the console, but Streamlit's own search for its base path."""
        where = message.location.get("url", "")
        if message.type == "error" and "/_stcore/" not in where:
            self.complaints.append(f"{message.text} {where}")


@dataclass
class Visit:
    """A person with the dashboard open."""

    page: Page
    url: str
    seen: Seen = field(default_factory=Seen)

    def go(self, path: str) -> None:
        """Open an address and wait until it is drawn."""
        self.page.goto(f"{self.url}/{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the app has run and stands still."""
        app = self.page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-connection-state", "CONNECTED")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
        expect(self.page.get_by_test_id("stMain").get_by_role("heading").first).to_be_visible()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)

    def choose_page(self, title: str) -> None:
        """Follow a link of the sidebar."""
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=title, exact=True).click()
        self.settle()


NewVisit = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium. Not for longer: Playwright's own event loop would be in the way of other tests."""
    path = needs.chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def dashboard(
    demo_models_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """Run a dashboard for all tests; one that needs a fresh process starts its own."""
    log = tmp_path_factory.mktemp("dashboard") / "dashboard.log"
    with streamlit_server(demo_models_file, log, KSERVE_CLIENT_REFRESH_S="1") as running:
        yield running


@pytest.fixture
def new_visit(
    browser: Browser, dashboard: Dashboard, request: pytest.FixtureRequest
) -> Iterator[NewVisit]:
    """Return a function that opens a browser window; all are held to the same rules at the end.

    No request leaves the dashboard's own host, the console has no errors, and no page shows a
    traceback. A failed test leaves a picture of each window in .pytest_cache/screenshots.
    """
    visits: list[Visit] = []

    def opened(
        *,
        size: tuple[int, int] = WIDE,
        scheme: str = "light",
        url: str = dashboard.url,
        **more: Any,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            accept_downloads=True,
            **more,
        )
        visit = Visit(context.new_page(), url)
        visit.page.on("request", visit.seen.request)
        visit.page.on("console", visit.seen.console)
        visit.page.on("pageerror", lambda error: visit.seen.complaints.append(str(error)))
        visits.append(visit)
        return visit

    yield opened
    if request.node.stash.get(FAILED, False):
        keep_pictures(request.node.name, visits)
    tracebacks = [visit.page.get_by_test_id("stException").count() for visit in visits]
    for visit in visits:
        visit.page.context.close()
    assert sum(tracebacks) == 0
    for visit in visits:
        assert visit.seen.hosts <= {urlsplit(visit.url).netloc}
        assert visit.seen.complaints == []


@pytest.fixture
def visit(new_visit: NewVisit) -> Visit:
    """Open one wide window in light."""
    return new_visit()


@pytest.fixture
def stoppable(mlserver: MLServer) -> Iterator[MLServer]:
    """Return the server for a test that stops it; it runs again afterwards."""
    yield mlserver
    if mlserver.child is None or not mlserver.is_ready():
        mlserver.stop()
        mlserver.start()
        mlserver.wait_until_ready()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember on the test itself that it failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


def keep_pictures(name: str, visits: list[Visit]) -> None:
    FAILURES.mkdir(parents=True, exist_ok=True)
    stem = "".join(letter if letter.isalnum() else "-" for letter in name)
    for number, visit in enumerate(visits):
        visit.page.screenshot(path=FAILURES / f"{stem}-{number}.png", full_page=True)
