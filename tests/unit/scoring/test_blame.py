"""Runs whose server goes away, hangs or dies of a row: who is blamed, and how long is waited."""

from __future__ import annotations

import random
import threading
import time

import pytest

from kserve_client.errors import (
    AccessError,
    ConnectError,
    ConnectionLostError,
    KServeClientError,
    NoAnswerInTimeError,
    NotFoundError,
    NotReadyError,
    ServerError,
)
from kserve_client.scoring import blame, chunks
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import RunOptions, in_order
from kserve_client.scoring.step import Answered
from tests.unit.scoring.scripted_step import numbers, ok, predictions, run_of, table

ALONE = "no answer to this row, while others were answered: "


def test_a_busy_server_is_asked_again_when_it_wants() -> None:
    """Its Retry-After is obeyed."""
    began: list[float] = []

    def once_busy(rows: Rows) -> Answered:
        began.append(time.monotonic())
        if len(began) == 1:
            error = NotReadyError("503", status=503)
            error.retry_after_s = 0.3
            raise error
        return ok(rows)

    run, _ = run_of(once_busy, count=1)
    assert numbers(list(run)) == [0]
    assert began[1] - began[0] >= 0.3
    assert run.figures.retried == 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectError("connection refused"),
        ConnectionLostError("cut"),
        NoAnswerInTimeError("silence"),
        NotReadyError("503", status=503),
        ServerError("502", status=502),
        NotFoundError("404: no such model", status=404),
    ],
    ids=str,
)
def test_a_model_that_stays_away_ends_the_run_with_its_rows_left(error: KServeClientError) -> None:
    """After the patience is used up, with no row failed; the rows that were cut are told."""
    gone = threading.Event()

    def leaves(rows: Rows) -> Answered:
        if rows.start >= 20:
            gone.set()
        if gone.is_set():
            raise error
        return ok(rows)

    run, step = run_of(leaves, concurrency=1, options=RunOptions(patience_s=0.3))
    scored = list(run)
    assert sorted(numbers(scored)) == list(range(20))
    assert sum(chunk.failed for chunk in scored) == 0
    assert run.stopped == f"no answer for 0.3 s: {error}"
    left = [n for rows in run.left for n in range(rows.start, rows.stop)]
    assert left == list(range(20, 20 + len(left)))
    assert len({start for start, _ in step.seen}) < 12  # new chunks were held back


def test_a_model_that_comes_back_is_waited_for() -> None:
    """Nothing is lost by its absence."""
    back_at = time.monotonic() + 0.3

    def away_for_a_while(rows: Rows) -> Answered:
        if rows.start >= 20 and time.monotonic() < back_at:
            raise NotFoundError("404: no such model", status=404)
        return ok(rows)

    run, _ = run_of(away_for_a_while)
    assert predictions(list(in_order(iter(run)))) == [2 * n for n in range(50)]


@pytest.mark.parametrize(
    "error",
    [
        AccessError("401 Unauthorized", status=401),
        NotFoundError("404: no such model", status=404),
    ],
)
def test_what_waiting_does_not_mend_ends_the_run_at_once(error: KServeClientError) -> None:
    """No patience with a missing right or a name that is not there."""

    def refused(rows: Rows) -> Answered:
        raise error

    run, step = run_of(refused)
    started = time.monotonic()
    assert list(run) == []
    assert time.monotonic() - started < 10
    assert run.stopped == str(error)
    assert len(step.seen) <= 3


def test_a_row_that_kills_the_server_stands_alone_in_the_end() -> None:
    """The others are predicted, this one has the error."""

    def dies_of_nine(rows: Rows) -> Answered:
        if rows.start <= 9 < rows.stop:
            raise ConnectionLostError("the connection ended before its answer was whole")
        time.sleep(0.002)
        return ok(rows)

    run, _ = run_of(dies_of_nine, count=600, chunk_rows=4, concurrency=2)
    scored = list(in_order(iter(run)))
    assert numbers(scored) == list(range(600))
    bad = [chunk for chunk in scored if chunk.errors]
    assert [(chunk.rows.start, dict(chunk.errors)) for chunk in bad] == [
        (9, {0: f"{ALONE}the connection ended before its answer was whole"})
    ]


POISONS = {
    "cut": ConnectionLostError("cut"),
    "silent": NoAnswerInTimeError("silence"),
    "a gateway's 502": ServerError("502", status=502),
    "a gateway's 504": NotReadyError("504", status=504),
    "a gateway's 503": NotReadyError("503", status=503),
}


@pytest.mark.parametrize("error", POISONS.values(), ids=POISONS)
@pytest.mark.parametrize("bad", [{49}, {0}, {7, 20, 48, 49}, {48, 49}])
@pytest.mark.parametrize("chunk_rows", [1, 4, 50])
def test_rows_that_get_no_answer_fail_alone_though_nothing_else_is_left(
    error: KServeClientError, bad: set[int], chunk_rows: int
) -> None:
    """A row that was predicted before shows that the server is there; the run comes to its end."""

    def poisoned(rows: Rows) -> Answered:
        if bad & set(range(rows.start, rows.stop)):
            raise error
        return ok(rows)

    # A 503 blames a row, and divides what was never answered with others, by the patience alone.
    is_busy = error is POISONS["a gateway's 503"]
    options = RunOptions(patience_s=1.5 if is_busy else 30)
    run, _ = run_of(poisoned, chunk_rows=chunk_rows, concurrency=1, options=options)
    scored = list(in_order(iter(run)))
    assert run.stopped == ""
    assert numbers(scored) == list(range(50))
    found = {chunk.rows.start: chunk.errors[0] for chunk in scored if chunk.errors}
    assert found == dict.fromkeys(bad, f"{ALONE}{error}")
    assert predictions(scored) == [2 * n for n in range(50) if n not in bad]


@pytest.mark.parametrize("bad", [{3}, {3, 30}, {3, 4, 47}])
@pytest.mark.parametrize("chunk_rows", [1, 5])
def test_rows_that_were_lost_with_the_one_that_ends_the_server_are_not_blamed(
    bad: set[int], chunk_rows: int
) -> None:
    """Whatever is under way dies with it, each time; in the end the others have been asked without it."""
    lock, lives = threading.Lock(), [0]

    def crashing(rows: Rows) -> Answered:
        life = lives[0]
        time.sleep(0.004)
        with lock:
            if bad & set(range(rows.start, rows.stop)):
                lives[0] += 1
        time.sleep(0.002)
        if lives[0] > life:
            raise ConnectionLostError("cut")
        return ok(rows)

    run, _ = run_of(crashing, chunk_rows=chunk_rows, concurrency=6)
    scored = list(in_order(iter(run)))
    assert run.stopped == ""
    assert numbers(scored) == list(range(50))
    assert {chunk.rows.start for chunk in scored if chunk.errors} == bad
    assert predictions(scored) == [2 * n for n in range(50) if n not in bad]


def test_a_resumed_run_takes_its_witness_from_the_one_before() -> None:
    """Where nothing but the bad row is left."""

    def only_the_witness(rows: Rows) -> Answered:
        if rows.start == 0:
            raise ConnectionLostError("cut")
        return ok(rows)

    before = next(iter(table(1)))
    witness = Rows(7, before.cells)
    options = RunOptions(patience_s=0.4, has_answered=True, witness=lambda: witness)
    run, step = run_of(only_the_witness, count=1, options=options)
    (scored,) = run
    assert dict(scored.errors) == {0: f"{ALONE}cut"}
    assert run.stopped == ""
    assert step.seen.count((7, 8)) >= chunks.MOST_TRIES_ALONE


@pytest.mark.parametrize("error", POISONS.values(), ids=POISONS)
def test_without_a_row_that_was_ever_predicted_none_is_to_blame(error: KServeClientError) -> None:
    """A table of one row: the server may as well be broken."""

    def never(rows: Rows) -> Answered:
        raise error

    run, _ = run_of(never, count=1, options=RunOptions(patience_s=0.3))
    assert list(run) == []
    assert run.stopped == f"no answer for 0.3 s: {error}"
    assert [(rows.start, rows.stop) for rows in run.left] == [(0, 1)]


def test_a_server_that_closes_every_connection_is_not_asked_row_by_row() -> None:
    """Halving ends at some dozens of pieces."""

    def never(rows: Rows) -> Answered:
        raise ConnectionLostError("cut")

    options = RunOptions(patience_s=0.5)
    run, step = run_of(never, count=5000, chunk_rows=1000, options=options)
    assert list(run) == []
    assert run.stopped == "no answer for 0.5 s: cut"
    assert len(set(step.seen)) < 4 * blame.MOST_PIECES


def test_a_model_that_now_refuses_what_it_took_is_gone_too() -> None:
    """Its answers about the other rows say nothing of the one that gets none."""
    answered: list[int] = []

    def breaks(rows: Rows) -> Answered:
        if rows.start == 49:
            raise ConnectionLostError("cut")
        answered.append(rows.start)
        if answered.count(0) > 1:
            return Answered(Scored(rows, None, {0: "500: out of memory"}))
        return ok(rows)

    options = RunOptions(patience_s=0.3)
    run, _ = run_of(breaks, chunk_rows=1, concurrency=1, options=options)
    scored = list(run)
    assert sorted(numbers(scored)) == list(range(49))
    assert sum(chunk.failed for chunk in scored) == 0
    assert run.stopped.endswith("a row that was predicted before fails: 500: out of memory")


def test_a_busy_server_is_no_fault_of_a_row_before_the_patience_is_over() -> None:
    """Ten refusals in a moment are not enough, though another row is answered between them."""
    refused: list[int] = []

    def busy(rows: Rows) -> Answered:
        if rows.start == 49 and len(refused) < 10:
            refused.append(49)
            raise NotReadyError("503", status=503)
        return ok(rows)

    run, _ = run_of(busy, chunk_rows=1, concurrency=1)
    assert predictions(list(in_order(iter(run)))) == [2 * n for n in range(50)]
    assert len(refused) == 10


def test_a_server_that_hangs_is_given_up_as_soon_as_one_that_is_gone() -> None:
    """The witness is asked before the halves of what timed out: each of them takes as long."""
    hangs, asked = threading.Event(), [0]

    def silent(rows: Rows) -> Answered:
        if rows.start >= 100:
            hangs.set()
        if hangs.is_set():
            asked[0] += 1
            time.sleep(0.05)
            raise NoAnswerInTimeError("silence")
        return ok(rows)

    run, _ = run_of(silent, count=1000, chunk_rows=64, options=RunOptions(patience_s=0.3))
    assert sum(chunk.failed for chunk in run) == 0
    assert run.stopped == "no answer for 0.3 s: silence"
    # Those that were under way, and the witness about once in 0.05 s.
    assert asked[0] < 16


@pytest.mark.parametrize(("chunk_rows", "most"), [(1, 4), (8, 4), (64, 4), (1000, 6)])
def test_a_silent_row_is_found_with_few_time_outs(chunk_rows: int, most: int) -> None:
    """However large the chunk that it came in: each time-out may take a minute."""
    bad, silences = chunk_rows + chunk_rows // 3, list[int]()

    def hangs_on_one(rows: Rows) -> Answered:
        if rows.start <= bad < rows.stop:
            silences.append(len(rows))
            raise NoAnswerInTimeError("silence")
        return ok(rows)

    count = 2 * chunk_rows + 2
    run, step = run_of(hangs_on_one, count=count, chunk_rows=chunk_rows, concurrency=1)
    scored = list(in_order(iter(run)))
    assert {chunk.rows.start for chunk in scored if chunk.errors} == {bad}
    assert predictions(scored) == [2 * n for n in range(count) if n != bad]
    assert len(silences) <= most
    assert silences.count(1) >= 2
    assert len(step.seen) < 40


@pytest.mark.parametrize("refusal", [ConnectError("refused"), NotReadyError("503", status=503)])
def test_refusals_do_not_count_as_losses(refusal: KServeClientError) -> None:
    """A row that met a server which started anew is not blamed for one cut connection after it."""
    told: list[KServeClientError] = [*[refusal] * 8, ConnectionLostError("cut")]

    def starts_anew(rows: Rows) -> Answered:
        if rows.start == 49 and told:
            raise told.pop(0)
        return ok(rows)

    run, _ = run_of(starts_anew, chunk_rows=1, concurrency=1)
    assert predictions(list(in_order(iter(run)))) == [2 * n for n in range(50)]
    assert (run.stopped, told) == ("", [])


@pytest.mark.parametrize("seed", range(3))
def test_many_rows_that_end_the_server_end_neither_the_run_nor_others(seed: int) -> None:
    """Each time it is away for a while, and refuses the others: that is no sign of what they are."""
    bad = set(random.Random(seed).sample(range(300), 12))
    lock, lives, back_at = threading.Lock(), [0], [0.0]

    def crashing(rows: Rows) -> Answered:
        if time.monotonic() < back_at[0]:
            raise ConnectError("refused")
        life = lives[0]
        time.sleep(0.003)
        with lock:
            if lives[0] == life and bad & set(range(rows.start, rows.stop)):
                lives[0], back_at[0] = life + 1, time.monotonic() + 0.02
        if lives[0] > life:
            raise ConnectionLostError("cut")
        return ok(rows)

    options = RunOptions(patience_s=1.5)
    run, _ = run_of(crashing, count=300, chunk_rows=16, concurrency=8, options=options)
    scored = list(in_order(iter(run)))
    assert run.stopped == ""
    assert {chunk.rows.start for chunk in scored if chunk.errors} == bad
    assert predictions(scored) == [2 * n for n in range(300) if n not in bad]


@pytest.mark.parametrize("chunk_rows", [1, 4])
def test_a_row_refused_while_the_first_answers_are_under_way_fails_alone(chunk_rows: int) -> None:
    """A refusal is told sooner than a prediction: until one has come, there is no witness for the row.

    Where all other rows were under way at once, and took longer than the patience, its refusals alone
    used that up and ended the run.
    """

    def busy_for_one(rows: Rows) -> Answered:
        if rows.start == 0:
            raise NotReadyError("503", status=503)
        if rows.start >= chunk_rows:
            time.sleep(0.8)
        return ok(rows)

    count = 4 * chunk_rows
    run, _ = run_of(
        busy_for_one,
        count=count,
        chunk_rows=chunk_rows,
        concurrency=4,
        size=count,  # none of them waits to be read
        options=RunOptions(patience_s=0.3),
    )
    scored = list(in_order(iter(run)))
    assert run.stopped == ""
    assert {chunk.rows.start for chunk in scored if chunk.errors} == {0}
    assert predictions(scored) == [2 * n for n in range(1, count)]


@pytest.mark.parametrize("asked_s", [0.0, 3600.0])
def test_retry_after_moves_neither_end_of_the_patience(asked_s: float) -> None:
    """An hour is not waited for; nor is a server asked on end that says at once."""
    began: list[float] = []

    def busy(rows: Rows) -> Answered:
        began.append(time.monotonic())
        error = NotReadyError("503", status=503)
        error.retry_after_s = asked_s
        raise error

    run, _ = run_of(busy, count=1, options=RunOptions(patience_s=0.4))
    started = time.monotonic()
    assert list(run) == []
    assert time.monotonic() - started < 30
    assert run.stopped.startswith("no answer for 0.4 s")
    assert len(began) < 100


def test_a_job_that_was_answered_before_has_patience_from_the_start() -> None:
    """After a restart the dashboard may be up before the model is."""
    back_at = time.monotonic() + 0.5

    def not_yet(rows: Rows) -> Answered:
        if time.monotonic() < back_at:
            raise NotFoundError("404: no such model", status=404)
        return ok(rows)

    run, _ = run_of(not_yet, options=RunOptions(has_answered=True))
    assert predictions(list(in_order(iter(run)))) == [2 * n for n in range(50)]
