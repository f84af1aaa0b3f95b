"""A run against steps that fail in every way: each row is dealt with once, or said to be left."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InputError,
    KServeClientError,
    NoAnswerInTimeError,
    NotFoundError,
    NotReadyError,
    ServerError,
)
from kserve_client.scoring import run as module
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.pace import Pace
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import Run, RunOptions, in_order
from kserve_client.scoring.step import AllRefusedError, Answered

ALONE = "no answer to this row, while others were answered: "
RESULT = pa.schema([("prediction", pa.int64())])


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "LOOK_S", 0.01)


def table(count: int, size: int = 7) -> Iterator[Rows]:
    for start in range(0, count, size):
        numbers = list(range(start, min(start + size, count)))
        yield Rows(start, pa.record_batch({"n": pa.array(list(map(str, numbers)))}))


def ok(rows: Rows) -> Answered:
    """The prediction of a row is twice its number."""
    numbers = [2 * int(cell) for cell in rows.cells.column(0).to_pylist()]
    results = pa.record_batch([pa.array(numbers)], schema=RESULT)
    return Answered(Scored(rows, results), requests=1, elapsed_s=0.001, body_bytes=100)


@dataclass
class Scripted:
    """A step that does as it is told, by the row the chunk begins with."""

    does: Callable[[Rows], Answered]
    seen: list[tuple[int, int]] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, rows: Rows, halted: Callable[[], str]) -> Answered:
        """Note the chunk and do with it as told."""
        del halted
        with self._lock:
            self.seen.append((rows.start, rows.stop))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.does(rows)
        finally:
            with self._lock:
                self._at_once -= 1


def run_of(
    does: Callable[[Rows], Answered],
    *,
    count: int = 50,
    chunk_rows: int = 4,
    concurrency: int = 3,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    **events: threading.Event,
) -> tuple[Run, Scripted]:
    step = Scripted(does)
    run = Run(step, Cutter(table(count)), Pace(chunk_rows, concurrency), options, **events)
    return run, step


def numbers(scored: list[Scored]) -> list[int]:
    return [n for chunk in scored for n in range(chunk.rows.start, chunk.rows.stop)]


def predictions(scored: list[Scored]) -> list[int]:
    return [n for chunk in scored if chunk.results for n in chunk.results.column(0).to_pylist()]


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
    """And as many as it allows are."""

    def slow(rows: Rows) -> Answered:
        time.sleep(0.02)
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
        patch.setattr(module, "MOST_TRIES_ALONE", 1000)  # none is given up
        scored = list(in_order(iter(run)))
    assert numbers(scored) == list(range(count))
    assert predictions(scored) == [2 * n for n in range(count)]


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

    options = RunOptions(patience_s=0.4)
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
    assert step.seen.count((7, 8)) >= module.MOST_TRIES_ALONE


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
    assert len(set(step.seen)) < 4 * module.MOST_PIECES


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

    options = RunOptions(patience_s=0.8)
    run, _ = run_of(crashing, count=300, chunk_rows=16, concurrency=8, options=options)
    scored = list(in_order(iter(run)))
    assert run.stopped == ""
    assert {chunk.rows.start for chunk in scored if chunk.errors} == bad
    assert predictions(scored) == [2 * n for n in range(300) if n not in bad]


def test_a_run_that_is_done_does_not_wait_for_its_witness() -> None:
    """Another row was answered meanwhile, and it is not needed any more."""
    asked, is_over, seen = threading.Event(), threading.Event(), list[int]()

    def witness_hangs(rows: Rows) -> Answered:
        seen.append(rows.start)
        if rows.start == 0 and seen.count(0) > 1:
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
        if rows.start == 0 and seen.count(0) > 1:
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

    options = RunOptions(patience_s=0.3)
    count = 4 * chunk_rows
    run, _ = run_of(
        busy_for_one, count=count, chunk_rows=chunk_rows, concurrency=4, options=options
    )
    scored = list(in_order(iter(run)))
    assert run.stopped == ""
    assert {chunk.rows.start for chunk in scored if chunk.errors} == {0}
    assert predictions(scored) == [2 * n for n in range(1, count)]


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


def test_a_job_that_was_answered_before_has_patience_from_the_start() -> None:
    """After a restart the dashboard may be up before the model is."""
    back_at = time.monotonic() + 0.5

    def not_yet(rows: Rows) -> Answered:
        if time.monotonic() < back_at:
            raise NotFoundError("404: no such model", status=404)
        return ok(rows)

    run, _ = run_of(not_yet, options=RunOptions(has_answered=True))
    assert predictions(list(in_order(iter(run)))) == [2 * n for n in range(50)]
