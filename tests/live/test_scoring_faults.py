"""A proxy that breaks things between the engine and a real MLServer: the result is that of a quiet day."""

from __future__ import annotations

import csv
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from kserve_client import Catalog, Endpoint, InferenceClient, Model
from kserve_client.scoring import (
    ScoreOptions,
    Wishes,
    blame,
    facts_of,
    retry_failed,
    run_job,
    score,
    write_results,
)
from kserve_client.scoring.job import Job
from kserve_client.scoring.progress import Progress
from scripts.mlserver import MLServer
from tests.fault_proxy import Fault, FaultProxy, Kind, always, drawn, fault_proxy

HEADER = ["sepal length", "sepal width", "petal length", "petal width"]
ROWS = 3000
EVERY = {
    Fault(Kind.BUSY, retry_after="0"): 0.04,
    Fault(Kind.BUSY): 0.04,
    Fault(Kind.TOO_MANY): 0.02,
    Fault(Kind.BAD_GATEWAY): 0.02,
    Fault(Kind.CUT_BEFORE): 0.03,
    Fault(Kind.CUT_WITHIN, resets=True): 0.03,
    Fault(Kind.CUT_AFTER): 0.03,
    Fault(Kind.CUT_ANSWER): 0.03,
    Fault(Kind.FEWER_ROWS): 0.03,
    Fault(Kind.FEWER_VALUES): 0.03,
    Fault(Kind.OTHER_ID): 0.03,
    Fault(delay_s=0.05): 0.1,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three thousand rows, two of which no model can read."""
    place = tmp_path_factory.mktemp("faults") / "in.csv"
    chance = random.Random(1)
    with place.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["number", *HEADER])
        for number in range(ROWS):
            cells = [f"{chance.uniform(0.1, 7.9):.1f}" for _ in HEADER]
            writer.writerow(
                [number, *(cells if number not in (700, 2100) else ["wide", *cells[1:]])]
            )
    return place


@pytest.fixture(scope="module")
def quiet(catalog: Catalog, table: Path) -> bytes:
    """The result without a proxy."""
    out = table.with_name("quiet.csv")
    summary = score(catalog.model("iris"), table, out)
    assert (summary.ok, summary.failed) == (ROWS - 2, 2)
    return out.read_bytes()


def through(proxy: FaultProxy, catalog: Catalog) -> Model:
    return Model(InferenceClient(proxy.url), "iris", signature=catalog.model("iris").signature)


def rounded(table: bytes) -> list[list[str | float]]:
    """The cells of a result, its probabilities to nine digits.

    The model sums in another order when a request has another number of rows.
    """
    header, *rows = csv.reader(table.decode().splitlines())
    numbers = {at for at, name in enumerate(header) if name.startswith("probability")}
    return [
        [round(float(c), 9) if at in numbers and c else c for at, c in enumerate(row)]
        for row in rows
    ]


@pytest.mark.parametrize("seed", range(3))
def test_every_kind_of_fault_at_once_changes_nothing(
    mlserver: MLServer, catalog: Catalog, table: Path, quiet: bytes, tmp_path: Path, seed: int
) -> None:
    """A third of the answers is late, wrong, cut or refused."""
    with fault_proxy(mlserver.url, drawn(seed, EVERY)) as proxy:
        options = ScoreOptions(chunk_rows=30, concurrency=4)
        summary = score(through(proxy, catalog), table, tmp_path / "out.csv", options)
        assert sum(n for fault, n in proxy.counts.items() if fault != Kind.PASS) > 15
    assert summary.stopped == ""
    assert (tmp_path / "out.csv").read_bytes() == quiet


def test_the_pace_that_finds_itself_loses_nothing_either(
    mlserver: MLServer, catalog: Catalog, table: Path, quiet: bytes, tmp_path: Path
) -> None:
    """With chunks of changing size and number."""
    with fault_proxy(mlserver.url, drawn(7, EVERY)) as proxy:
        summary = score(through(proxy, catalog), table, tmp_path / "out.csv")
    assert summary.stopped == ""
    assert (tmp_path / "out.csv").read_bytes() == quiet


def test_a_server_that_goes_and_comes_back_is_waited_for(
    mlserver: MLServer, catalog: Catalog, table: Path, quiet: bytes, tmp_path: Path
) -> None:
    """For seconds no connection is taken."""
    with fault_proxy(mlserver.url) as proxy:
        went = threading.Event()

        def leave(progress: Progress) -> None:
            if progress.rows_done > 500 and not went.is_set():
                went.set()
                threading.Thread(target=away, daemon=True).start()

        def away() -> None:
            with proxy.gone():
                time.sleep(1.5)

        options = ScoreOptions(chunk_rows=30, concurrency=2)
        model = through(proxy, catalog)
        summary = score(model, table, tmp_path / "out.csv", options, on_progress=leave)
    assert went.is_set()
    assert summary.retried > 0
    assert (tmp_path / "out.csv").read_bytes() == quiet


def test_a_model_that_stays_away_leaves_a_job_to_resume(
    mlserver: MLServer, catalog: Catalog, table: Path, quiet: bytes, tmp_path: Path
) -> None:
    """What was done stays; the rest is done when it is back."""
    options = ScoreOptions(chunk_rows=50, concurrency=2, patience_s=1)
    with fault_proxy(mlserver.url) as proxy:
        model = through(proxy, catalog)

        def leave(progress: Progress) -> None:
            if progress.rows_done > 1000:
                proxy.policy = always(Fault(Kind.BUSY))

        with Job.create(tmp_path / "job", facts_of(model, table, options)) as job:
            first = run_job(job, model, table, options, on_progress=leave)
        assert 1000 < first.rows < ROWS
        assert first.stopped.startswith("no answer for 1 s")
        proxy.policy = always()
        with Job.open(tmp_path / "job") as job:
            job.check(facts_of(model, table, options))
            second = run_job(job, model, table, options)
            write_results(job, tmp_path / "out.csv")
    assert (second.rows, second.is_complete) == (ROWS, True)
    assert (tmp_path / "out.csv").read_bytes() == quiet


def test_rows_that_failed_by_bad_luck_can_go_again(
    mlserver: MLServer, catalog: Catalog, table: Path, quiet: bytes, tmp_path: Path
) -> None:
    """Answers that are always short fail their rows; later only these are sent."""
    options = ScoreOptions(chunk_rows=100, concurrency=2)
    seen: Counter[str] = Counter()
    with fault_proxy(mlserver.url) as proxy:
        model = through(proxy, catalog)

        def spoil(progress: Progress) -> None:
            bad = 1000 < progress.rows_done < 1400
            seen[str(bad)] += 1
            proxy.policy = always(Fault(Kind.FEWER_VALUES)) if bad else always()

        with Job.create(tmp_path / "job", facts_of(model, table, options)) as job:
            first = run_job(job, model, table, options, on_progress=spoil)
            assert first.failed > 2
            proxy.policy = always()
            before = proxy.inferences
            second = retry_failed(job, model, options)
            assert proxy.inferences - before < 60
            write_results(job, tmp_path / "out.csv")
    assert (second.ok, second.failed) == (ROWS - 2, 2)
    assert rounded((tmp_path / "out.csv").read_bytes()) == rounded(quiet)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(Kind.CUT_BEFORE), "closed the connection before its answer was whole"),
        (Fault(Kind.CUT_WITHIN, resets=True), "closed the connection before its answer was whole"),
        (Fault(Kind.BAD_GATEWAY), "502"),
        pytest.param(Fault(Kind.CUT_BEFORE, delay_s=600), "within 1.5 s", marks=pytest.mark.slow),
    ],
    ids=["closed", "reset", "a gateway's 502", "silent"],
)
def test_a_row_that_no_server_survives_fails_alone(
    mlserver: MLServer,
    catalog: Catalog,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    told: str,
) -> None:
    """The last of all, so that nothing else is left; from a single run and from a resumed job."""
    monkeypatch.setattr(blame, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(blame, "LONGEST_PAUSE_S", 0.05)
    place = tmp_path / "in.csv"
    place.write_text("".join(table.read_text().splitlines(keepends=True)[:61]) + "60,1,1,1,777.5\n")
    options = ScoreOptions(chunk_rows=4, concurrency=2, patience_s=60)
    with fault_proxy(mlserver.url) as proxy:
        proxy.poisons = {b"777.5": fault}
        endpoint = Endpoint(url=proxy.url, read_timeout_s=1.5)
        model = Model(InferenceClient(endpoint), "iris", signature=catalog.model("iris").signature)
        wishes = Wishes()

        def enough(progress: Progress) -> None:
            if progress.ok == 60:
                wishes.cancel.set()

        with Job.create(tmp_path / "job", facts_of(model, place, options)) as job:
            run_job(job, model, place, options, wishes=wishes, on_progress=enough)
            assert (job.counts.ok, job.counts.failed) == (60, 0)
        with Job.open(tmp_path / "job") as job:
            summary = run_job(job, model, place, options)
            write_results(job, tmp_path / "resumed.csv")
        assert (summary.ok, summary.failed, summary.stopped) == (60, 1, "")
        score(model, place, tmp_path / "out.csv", options)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "resumed.csv").read_bytes()
    *_, last = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    assert (last["number"], last["state"], last["prediction"]) == ("60", "failed", "")
    assert last["error"].startswith("no answer to this row, while others were answered: ")
    assert told in last["error"]
