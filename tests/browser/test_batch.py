import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

# Alone such a test takes seconds; a machine that is busy otherwise makes minutes of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def upload(visit: Visit, path: Path) -> None:
    """Choose a file."""
    visit.page.locator("input[type=file]").set_input_files(path)


def saved(visit: Visit, button: str, to: Path) -> Path:
    """Press a download button and keep the file."""
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name=button).click()
    download.value.save_as(to)
    return to


def test_150_rows_go_up_and_150_come_back(
    visit: Visit, demo_models_file: Path, tmp_path: Path
) -> None:
    """The downloaded file has every row of the upload, untouched and in order, and its prediction."""
    source = demo_models_file.parent / "data" / "iris-150.csv"
    visit.go("batch?m=iris")
    upload(visit, source)
    visit.page.get_by_role("button", name="Score 150 rows").click()
    expect(visit.page.get_by_text(re.compile("^All 150 rows have a prediction"))).to_be_visible()
    result = saved(visit, "Download the result", tmp_path / "result.csv")
    with source.open(newline="") as up, result.open(newline="") as down:
        sent, back = list(csv.reader(up)), list(csv.reader(down))
    width = len(sent[0])
    assert [row[:width] for row in back] == sent
    at = back[0].index("prediction")
    predicted = [row[at] for row in back[1:]]
    assert len(predicted) == 150
    assert predicted[0] == "Iris setosa"
    # The last column of the sample is the truth; the model is right nearly always.
    right = sum(row[-1] == found for row, found in zip(sent[1:], predicted, strict=True))
    assert right >= 140
    assert {row[-1] for row in back[1:]} == {""}


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
    visit.page.get_by_role("button", name="Score 5 rows").click()
    expect(visit.page.get_by_text(re.compile("^All 5 rows have a prediction"))).to_be_visible()


def test_a_reload_keeps_the_job(visit: Visit, demo_models_file: Path, tmp_path: Path) -> None:
    """F5 in the middle: the same job goes on, and its result is whole."""
    header, *rows = (demo_models_file.parent / "data" / "iris-150.csv").read_text().splitlines()
    big = tmp_path / "big.csv"
    big.write_text("\n".join([header, *rows * 400]) + "\n")
    visit.go("batch?m=iris")
    upload(visit, big)
    visit.page.get_by_role("button", name="Score 60,000 rows").click()
    expect(visit.page.get_by_role("progressbar")).to_be_visible()
    address = visit.page.url
    assert "job=" in address
    visit.page.reload()
    visit.settle()
    assert visit.page.url == address
    done = visit.page.get_by_text(re.compile("^All 60,000 rows have a prediction"))
    expect(done).to_be_visible(timeout=60_000)
    expect(visit.page.get_by_text("the download holds all 60,000")).to_be_visible()


def test_rows_that_fail_are_told_apart(visit: Visit, tmp_path: Path) -> None:
    """One bad cell in three rows: words, a filter, a way to the next file."""
    source = tmp_path / "rows.csv"
    header = "sepal length,sepal width,petal length,petal width"
    source.write_text(f"{header}\n5.1,3.5,1.4,0.2\n5.1,many,1.4,0.2\n7,3,6,2\n")
    visit.go("batch?m=iris")
    upload(visit, source)
    visit.page.get_by_role("button", name="Score 3 rows").click()
    expect(visit.page.get_by_text(re.compile("1 of 3 rows failed"))).to_be_visible()
    visit.page.get_by_role("button", name="Score another file").click()
    expect(visit.page.get_by_text("CSV file with a header line")).to_be_visible()
    assert "job=" not in visit.page.url
