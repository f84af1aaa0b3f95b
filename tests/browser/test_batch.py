import csv
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, WebSocketRoute, expect

from scripts.mlserver import MLServer
from tests.browser.conftest import NewVisit, Visit
from tests.fault_proxy import PASS, Fault, FaultProxy, Policy, always, fault_proxy
from tests.servers import ROOT, dashboard_variables, start_dashboard, wait_for

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RUN_MS = 120_000
SOME_S = 60.0
DONE = "^All 600,000 rows have a prediction"


def upload(visit: Visit, path: Path) -> None:
    """Choose a file."""
    visit.page.locator("input[type=file]").set_input_files(path)


def press(visit: Visit, button: str) -> None:
    """Press a button by its whole label."""
    visit.page.get_by_role("button", name=button, exact=True).click()


def saved(visit: Visit, button: str, to: Path) -> Path:
    """Press a download button and keep the file."""
    with visit.page.expect_download() as download:
        press(visit, button)
    download.value.save_as(to)
    return to


def told(visit: Visit, pattern: str) -> Locator:
    """Return the text that begins like this."""
    return visit.page.get_by_text(re.compile(pattern))


def by_command_line(models: Path, source: Path, to: Path) -> bytes:
    """Return what the command line makes of the same table."""
    command = [sys.executable, "-m", "kserve_client", "score", "iris", str(source), str(to)]
    subprocess.run(
        command, cwd=ROOT, env=dashboard_variables(models), check=True, capture_output=True
    )
    return to.read_bytes()


def first(chunks: int, proxy: FaultProxy, hold_s: float = 30.0) -> Policy:
    """Let so many more inferences through and hold the others: a job is halfway as long as it takes."""
    end = proxy.inferences + chunks
    return lambda number: PASS if number < end else Fault(delay_s=hold_s)


@pytest.fixture
def proxy(mlserver: MLServer) -> Iterator[FaultProxy]:
    """Run a proxy before the server, which hands on what it gets until a test has another policy."""
    with fault_proxy(mlserver.url) as running:
        yield running


@pytest.fixture
def behind_proxy(proxy: FaultProxy, mlserver: MLServer, demo_models_file: Path) -> Iterator[Path]:
    """Return the demo's models file with the proxy's address."""
    path = demo_models_file.with_name("behind.yaml")
    path.write_text(demo_models_file.read_text().replace(mlserver.url, proxy.url))
    yield path
    path.unlink()


@pytest.fixture
def slowed(behind_proxy: Path, tmp_path: Path) -> Iterator[str]:
    """Run a dashboard whose server is behind the proxy; return its address."""
    dashboard = start_dashboard(
        behind_proxy, tmp_path / "dashboard.log", KSERVE_CLIENT_JOBS_FOLDER=str(tmp_path / "jobs")
    )
    try:
        wait_for(dashboard)
        yield dashboard.url
    finally:
        dashboard.child.stop()


@pytest.fixture(scope="module")
def iris(demo_models_file: Path) -> Path:
    """Return 150 rows with the truth in the last column."""
    return demo_models_file.parent / "data" / "iris-150.csv"


@pytest.fixture(scope="module")
def big(iris: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 600,000 rows: some seconds of work."""
    header, *rows = iris.read_text().splitlines()
    path = tmp_path_factory.mktemp("big") / "big.csv"
    path.write_text("\n".join([header, *rows * 4000]) + "\n")
    return path


def test_two_clicks_and_every_row_is_back(
    visit: Visit, iris: Path, demo_models_file: Path, tmp_path: Path
) -> None:
    """The download is the upload with its predictions, byte for byte what the command line writes."""
    visit.go("batch?m=iris")
    upload(visit, iris)
    press(visit, "Score 150 rows")
    expect(told(visit, "^All 150 rows have a prediction")).to_be_visible()
    result = saved(visit, "Download the result", tmp_path / "result.csv")
    assert result.read_bytes() == by_command_line(demo_models_file, iris, tmp_path / "cli.csv")
    with iris.open(newline="") as up, result.open(newline="") as down:
        sent, back = list(csv.reader(up)), list(csv.reader(down))
    width = len(sent[0])
    assert [row[:width] for row in back] == sent
    predicted = [row[back[0].index("prediction")] for row in back[1:]]
    # The model is right nearly always.
    right = sum(row[-1] == found for row, found in zip(sent[1:], predicted, strict=True))
    assert right >= 140


def test_the_template_can_be_sent_back(visit: Visit, tmp_path: Path) -> None:
    """The downloaded template holds the examples, and is a file that scores."""
    visit.go("batch?m=penguins")
    template = saved(visit, "Download a template", tmp_path / "template.csv")
    with template.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 5
    assert rows[0]["island"] == "Torgersen"
    assert rows[3]["sex"] == ""
    upload(visit, template)
    press(visit, "Score 5 rows")
    expect(told(visit, "^All 5 rows have a prediction")).to_be_visible()


def test_rows_that_fail_are_told_apart(visit: Visit, tmp_path: Path) -> None:
    """One bad cell in three rows: seen before, told after, and a file of its own."""
    source = tmp_path / "rows.csv"
    header = "sepal length,sepal width,petal length,petal width"
    source.write_text(f"{header}\n5.1,3.5,1.4,0.2\n5.1,many,1.4,0.2\n7,3,6,2\n")
    visit.go("batch?m=iris")
    upload(visit, source)
    expect(told(visit, "1 row holds no number")).to_be_visible()
    press(visit, "Score 3 rows")
    expect(told(visit, "1 of 3 rows failed")).to_be_visible()
    press(visit, "Other downloads")
    visit.page.get_by_text("Only the rows without a prediction").click()
    visit.settle()
    bad = saved(visit, "Download", tmp_path / "bad.csv")
    with bad.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["sepal width"], row["state"]) == ("many", "failed")
    visit.page.keyboard.press("Escape")
    press(visit, "Score another table")
    expect(visit.page.get_by_text("Table to score")).to_be_visible()
    assert "job=" not in visit.page.url


def test_a_reload_and_a_closed_tab_keep_the_job(
    proxy: FaultProxy, slowed: str, new_visit: NewVisit, big: Path
) -> None:
    """F5 in the middle: the same job; pause, another tab, go on: it is whole in the end."""
    visit = new_visit(url=slowed)
    visit.go("batch?m=iris")
    upload(visit, big)
    proxy.policy = first(5, proxy, hold_s=3.0)
    press(visit, "Score 600,000 rows")
    press(visit, "Pause")
    expect(told(visit, "^Paused · ")).to_be_visible()
    address = visit.page.url
    assert "job=" in address
    visit.page.reload()
    visit.settle()
    assert visit.page.url == address
    expect(told(visit, "^Paused · ")).to_be_visible()
    visit.page.goto("about:blank")
    proxy.policy = always()
    again = new_visit(url=slowed)
    again.go("batch?m=iris")
    again.page.get_by_test_id("stMain").get_by_role("button", name="Open", exact=True).first.click()
    press(again, "Go on")
    expect(told(again, DONE)).to_be_visible(timeout=RUN_MS)
    expect(told(again, "^Rows 1 to 100 of 600,000")).to_be_visible()


def test_a_lost_connection_is_made_again(
    proxy: FaultProxy, slowed: str, new_visit: NewVisit, big: Path
) -> None:
    """Cut in the middle of a job, twice: the page goes on by itself, to the end."""
    visit = new_visit(url=slowed)
    connections: list[WebSocketRoute] = []

    def connect(connection: WebSocketRoute) -> None:
        connections.append(connection)
        connection.connect_to_server()

    visit.page.route_web_socket(re.compile("_stcore/stream"), connect)
    visit.go("batch?m=iris")
    upload(visit, big)
    proxy.policy = first(5, proxy, hold_s=10.0)
    press(visit, "Score 600,000 rows")
    expect(told(visit, "^Running · [1-9]")).to_be_visible()
    for cut in (1, 2):
        assert len(connections) == cut
        connections[-1].close(code=1006)
        visit.page.wait_for_timeout(100)
        expect(visit.page.get_by_test_id("stApp")).to_have_attribute(
            "data-test-connection-state", "CONNECTED"
        )
    proxy.policy = always()
    expect(told(visit, DONE)).to_be_visible(timeout=RUN_MS)
    assert len(connections) == 3
    # The page's own timer may find nobody to send to.
    heard = [one for one in visit.seen.complaints if "when disconnected from server" not in one]
    visit.seen.complaints[:] = heard


def test_a_job_outlives_the_dashboard(
    new_visit: NewVisit,
    big: Path,
    proxy: FaultProxy,
    behind_proxy: Path,
    demo_models_file: Path,
    tmp_path: Path,
) -> None:
    """Ended by SIGTERM, then by SIGKILL: the third process finishes it, to the command line's bytes."""
    link, seen = "", 0
    for number, end in enumerate((signal.SIGTERM, signal.SIGKILL, None)):
        proxy.policy = always() if end is None else first(5, proxy)
        dashboard = start_dashboard(
            behind_proxy,
            tmp_path / f"{number}.log",
            KSERVE_CLIENT_JOBS_FOLDER=str(tmp_path / "jobs"),
        )
        try:
            wait_for(dashboard)
            visit = new_visit(url=dashboard.url)
            if link:
                visit.go(link)
            else:
                visit.go("batch?m=iris")
                upload(visit, big)
                press(visit, "Score 600,000 rows")
                expect(visit.page).to_have_url(re.compile("job="))
                link = "batch?" + visit.page.url.partition("?")[2]
            if end is None:
                expect(told(visit, DONE)).to_be_visible(timeout=RUN_MS)
                result = saved(visit, "Download the result", tmp_path / "result.csv").read_bytes()
                visit.page.goto("about:blank")
                break
            running = told(visit, "^Running · [1-9]")
            expect(running).to_be_visible()
            words = running.inner_text()
            visit.page.goto("about:blank")
            done = int(words.split()[2].replace(",", ""))
            assert seen <= done < 600_000
            seen = done
            dashboard.child.signal(end)
            dashboard.child.process.wait(SOME_S)
        finally:
            dashboard.child.stop()
    assert result == by_command_line(demo_models_file, big, tmp_path / "cli.csv")
