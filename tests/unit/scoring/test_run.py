"""A run against steps that fail in every way: each row is dealt with once, or said to be left."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InputError,
    KServeClientError,
    NoAnswerInTimeError,
    NotReadyError,
)
from kserve_client.scoring import chunks
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.pace import Pace
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import Run, RunOptions, in_order
from kserve_client.scoring.step import AllRefusedError, Answered
from tests.unit.scoring.scripted_step import Scripted, numbers, ok, predictions, run_of, table


def test_every_row_comes_back_once_and_in_order() -> None:
    """However long each chunk takes."""

    def uneven(rows: Rows) -> Answered:
        time.sleep(random.Random(rows.start).uniform(0, 0.01))
        return ok(rows)

    run, _ = run_of(uneven, options=RunOptions(ahead_bytes=200))
    scored = list(in_order(iter(run)))
    assert numbers(scored) == list(range(50))
    assert predictions(scored) == [2 * n for n in range(50)]
    assert run.stopped == ""


def test_no_more_are_under_way_than_the_pace_allows() -> None:
    """And as many as it allows are: the first three go on when all of them are there."""
    together = threading.Barrier(3)

    def slow(rows: Rows) -> Answered:
        if rows.start < 12:
            together.wait(30)
        return ok(rows)

    run, step = run_of(slow, concurrency=3)
    assert len(numbers(list(run))) == 50
    assert step.most_at_once == 3


FAULTS: list[Callable[[], KServeClientError]] = [
    lambda: NotReadyError("503", status=503),
    lambda: ConnectError("refused"),
    lambda: ConnectionLostError("cut"),
    lambda: NoAnswerInTimeError("silence"),
]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 5), st.integers(0, 1000))
def test_faults_that_pass_change_nothing(
    count: int, chunk_rows: int, concurrency: int, seed: int
) -> None:
    """A third of the requests fail, in four ways; the result is that of a run without faults."""
    lock, chance = threading.Lock(), random.Random(seed)

    def faulty(rows: Rows) -> Answered:
        with lock:
            fails, which = chance.random() < 0.3, chance.choice(FAULTS)
        if fails:
            raise which()
        return ok(rows)

    run, _ = run_of(faulty, count=count, chunk_rows=chunk_rows, concurrency=concurrency)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "MOST_TRIES_ALONE", 1000)  # none is given up
        scored = list(in_order(iter(run)))
    assert numbers(scored) == list(range(count))
    assert predictions(scored) == [2 * n for n in range(count)]


def test_our_own_settings_are_an_error_of_the_caller() -> None:
    """Nothing was sent, so nothing is left to tell."""

    def unset(rows: Rows) -> Answered:
        raise ConfigurationError("TOKEN is not set")

    run, _ = run_of(unset)
    with pytest.raises(ConfigurationError, match="TOKEN is not set"):
        list(run)


def test_a_chunk_that_takes_too_long_goes_in_halves() -> None:
    """Until it is small enough for the server."""

    def slow_when_large(rows: Rows) -> Answered:
        if len(rows) > 2:
            raise NoAnswerInTimeError("no answer within 60 s")
        return ok(rows)

    run, step = run_of(slow_when_large, count=32, chunk_rows=16)
    assert predictions(list(in_order(iter(run)))) == [2 * n for n in range(32)]
    assert (0, 16) in step.seen
    assert (0, 8) in step.seen


def test_a_run_that_is_done_does_not_wait_for_its_witness() -> None:
    """Another row was answered meanwhile, and it is not needed any more."""
    asked, is_over, seen = threading.Event(), threading.Event(), list[int]()

    def witness_hangs(rows: Rows) -> Answered:
        seen.append(rows.start)
        if rows.start < 2 and seen.count(rows.start) > 1:
            asked.set()
            is_over.wait(30)
            seen.append(-1)
        elif rows.start == 2:
            asked.wait(30)
        elif rows.start == 3 and seen.count(3) == 1:
            raise ConnectionLostError("cut")
        return ok(rows)

    run, _ = run_of(witness_hangs, count=4, chunk_rows=1, concurrency=2)
    scored = list(in_order(iter(run)))
    hung = -1 not in seen
    is_over.set()
    assert (predictions(scored), run.stopped, hung) == ([0, 2, 4, 6], "", True)


def test_a_witness_that_fails_when_nobody_waits_for_it_stops_nothing() -> None:
    """However short the patience: no row is in doubt."""
    asked, again, seen = threading.Event(), threading.Event(), list[int]()

    def witness_fails(rows: Rows) -> Answered:
        seen.append(rows.start)
        if rows.start < 2 and seen.count(rows.start) > 1:
            asked.set()
            again.wait(30)
            raise ConnectionLostError("the server ended after its work")
        if rows.start == 2:
            asked.wait(30)
        elif rows.start == 3 and seen.count(3) == 1:
            raise ConnectionLostError("cut")
        elif rows.start == 3:
            again.set()
            time.sleep(0.05)
        return ok(rows)

    options = RunOptions(patience_s=0.0)
    run, _ = run_of(witness_fails, count=4, chunk_rows=1, concurrency=2, options=options)
    assert predictions(list(in_order(iter(run)))) == [0, 2, 4, 6]
    assert (run.stopped, run.first_failure and str(run.first_failure)) == ("", "cut")


def test_cancelling_while_a_row_waits_for_its_witness_leaves_it_to_the_next_run() -> None:
    """The row is neither lost nor failed, and the witness is told to nobody."""
    cancel = threading.Event()

    def cancels(rows: Rows) -> Answered:
        if rows.start == 49:
            cancel.set()
            raise ConnectionLostError("cut")
        return ok(rows)

    run, _ = run_of(cancels, chunk_rows=1, concurrency=1, cancel=cancel)
    assert numbers(list(run)) == list(range(49))
    assert run.stopped == "cancelled"
    assert [(rows.start, rows.stop) for rows in run.left] == [(49, 50)]


def test_a_model_that_refuses_everything_is_not_asked_a_million_times() -> None:
    """The run ends with what it said."""

    def refuses(rows: Rows) -> Answered:
        raise AllRefusedError("the model refused each of the first 100 rows: 500: boom")

    run, step = run_of(refuses)
    assert list(run) == []
    assert run.stopped.endswith("500: boom")
    assert run.is_answered
    assert len(step.seen) <= 3


def test_too_many_failures_end_the_run() -> None:
    """One more than allowed; what is under way still counts."""

    def odd_fails(rows: Rows) -> Answered:
        return Answered(Scored(rows, None, dict.fromkeys(range(len(rows)), "bad")), requests=1)

    run, _ = run_of(odd_fails, concurrency=1, options=RunOptions(max_failures=5))
    scored = list(run)
    assert sum(chunk.failed for chunk in scored) == 8
    assert run.stopped == "8 rows failed, and 5 were allowed"
    assert run.has_too_many_failures


@pytest.mark.parametrize("count", [50, 0])
def test_failures_stop_nothing_that_is_done(count: int) -> None:
    """The last rows go beyond the bound, or those of the runs before did: nothing is left to send."""

    def last_fails(rows: Rows) -> Answered:
        return Answered(Scored(rows, None, {1: "bad"})) if rows.stop == 50 else ok(rows)

    options = RunOptions(max_failures=0, failures_before=0 if count else 1)
    run, _ = run_of(last_fails, count=count, concurrency=1, options=options)
    assert numbers(list(run)) == list(range(count))
    assert (run.stopped, run.has_too_many_failures) == ("", False)


def test_cancelling_ends_it_soon() -> None:
    """What is under way comes back, nothing new goes out."""
    cancel = threading.Event()

    def cancels(rows: Rows) -> Answered:
        if rows.start >= 8:
            cancel.set()
        return ok(rows)

    run, step = run_of(cancels, count=5000, concurrency=1, cancel=cancel)
    scored = list(run)
    assert numbers(scored) == list(range(12))
    assert run.is_cancelled
    assert run.stopped == "cancelled"
    assert len(step.seen) == 3


def test_a_pause_sends_nothing_and_goes_on_after_it() -> None:
    """As if there had been none."""
    pause = threading.Event()
    during: list[int] = []

    def pauses(rows: Rows) -> Answered:
        if rows.start == 20:
            pause.set()
            threading.Timer(0.3, pause.clear).start()
        elif pause.is_set():
            during.append(rows.start)
        return ok(rows)

    run, step = run_of(pauses, concurrency=1, pause=pause)
    assert predictions(list(run)) == [2 * n for n in range(50)]
    assert during == []
    assert len(step.seen) == 13


def test_a_source_that_breaks_off_loses_nothing_before_it() -> None:
    """The chunks that were cut come back, then the error."""

    def broken() -> Iterator[Rows]:
        yield from table(10)
        raise InputError("line 12: a quote is opened in this row and never closed")

    step = Scripted(ok)
    run = Run(step, Cutter(broken()), Pace(5, 2))
    scored: list[Scored] = []
    with pytest.raises(InputError, match="line 12"):
        scored.extend(run)
    assert sorted(numbers(scored)) == list(range(10))


def test_a_bug_in_a_step_is_not_swallowed() -> None:
    """It comes out in the thread that iterates."""

    def bug(rows: Rows) -> Answered:
        raise ZeroDivisionError

    run, _ = run_of(bug)
    with pytest.raises(ZeroDivisionError):
        list(run)


def test_memory_is_bounded_when_the_first_chunk_hangs() -> None:
    """With an order to keep, the others run ahead only so far."""
    go_on = threading.Event()
    ahead: list[int] = []

    def first_hangs(rows: Rows) -> Answered:
        if rows.start == 0:
            go_on.wait(10)
        ahead.append(rows.stop)
        return ok(rows)

    run, _ = run_of(first_hangs, count=1000, chunk_rows=1, options=RunOptions(ahead_bytes=500))
    threading.Timer(0.4, lambda: (ahead.append(-1), go_on.set())).start()
    assert numbers(list(in_order(iter(run)))) == list(range(1000))
    assert 10 < max(ahead[: ahead.index(-1)]) < 200


def test_a_source_that_stalls_does_not_hold_what_was_asked() -> None:
    """Rows that came are dealt with, and a cancelled run ends while the source still hangs."""
    goes_on, cancel = threading.Event(), threading.Event()

    def stalls() -> Iterator[Rows]:
        yield from table(7)
        goes_on.wait(60)

    step = Scripted(ok)
    cutter = Cutter(stalls())
    run = Run(step, cutter, Pace(5, 2), cancel=cancel)
    scored = []
    try:
        for chunk in run:
            scored.append(chunk)
            if sum(map(len, scored)) == 7:
                cancel.set()
    finally:
        goes_on.set()
        cutter.close()
    assert sorted(numbers(scored)) == list(range(7))
    assert run.stopped == "cancelled"
