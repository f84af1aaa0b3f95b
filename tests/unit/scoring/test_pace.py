import random
from itertools import pairwise

import pytest

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.pace import Answered, Bounds, Pace
from tests.unit.scoring.simulated_server import Run, SimulatedServer, drive

TEN_THOUSAND = 10_000


def fixed(seconds: float) -> SimulatedServer:
    """Return a server that takes as long for any request, and any number at once."""
    return SimulatedServer(lambda rows, now: seconds)


def workers(count: int, fixed_s: float, row_s: float, spread: float = 0.2) -> SimulatedServer:
    """Return a server with so many workers, a cost of each request and a cost of each row."""
    return SimulatedServer(
        lambda rows, now: fixed_s + row_s * rows, lambda now: count, spread=spread
    )


def answer(pace: Pace, *, rows: int, seconds: float, at_s: float, row_bytes: int = 40) -> None:
    """Answer a chunk."""
    pace.answered(Answered(rows, rows * row_bytes, seconds, pace.concurrency, at_s))


def held(run: Run, start_s: float, stop_s: float) -> tuple[int, int]:
    """Return the least and the most in flight between two times."""
    seen = run.concurrency(start_s, stop_s)
    return min(seen), max(seen)


# Numbers that were given


def test_given_numbers_are_obeyed_whatever_happens() -> None:
    """A chunk size and a concurrency that a person gave stay, through slowness and overload."""
    pace = Pace(50_000, 100)
    for at in range(1, 300):
        answer(pace, rows=50_000, seconds=9.0, at_s=float(at))
        pace.overloaded(at + 0.5)
        pace.refused_as_too_large(50_000, at + 0.6)
        pace.timed_out(50_000, at + 0.7)
        assert (pace.chunk_rows, pace.concurrency) == (50_000, 100)


def test_a_given_concurrency_leaves_the_chunks_free() -> None:
    """With one number given the other is still found."""
    pace = Pace("auto", 3)
    run = drive(fixed(0.2), pace, 20)
    assert run.concurrency(0, 20) == {3}
    assert pace.chunk_rows == TEN_THOUSAND


def test_given_chunks_leave_the_concurrency_free() -> None:
    """The same the other way round."""
    pace = Pace(77, "auto")
    run = drive(fixed(0.2), pace, 20)
    assert run.chunk_rows(0, 20) == {77}
    assert pace.concurrency == 64


@pytest.mark.parametrize("given", [(0, "auto"), ("auto", 0), (-5, 2)])
def test_numbers_below_one_are_refused(given: tuple[int, int]) -> None:
    """Nothing can be scored by chunks of no rows, or with nothing in flight."""
    with pytest.raises(ConfigurationError, match="use auto, or a number from 1 up"):
        Pace(*given)


# The start


def test_the_start_is_small() -> None:
    """The first answer comes soon: 100 rows, four chunks."""
    pace = Pace()
    assert (pace.chunk_rows, pace.concurrency) == (100, 4)


def test_wide_rows_start_in_fewer() -> None:
    """A first body has at most a megabyte: rows of 100 kB travel ten at a time."""
    assert Pace(row_bytes=100_000.0).chunk_rows == 10
    assert Pace(row_bytes=5e6).chunk_rows == 1


def test_the_bounds_may_be_tighter_than_the_start() -> None:
    """Bounds below the usual start hold from the first chunk on."""
    pace = Pace(bounds=Bounds(most_rows=20, most_in_flight=2))
    run = drive(fixed(0.05), pace, 10)
    assert run.chunk_rows(0, 10) == {20}
    assert run.concurrency(0, 10) == {2}


# Chunk size


def test_a_fixed_cost_ends_at_the_largest_chunks_and_many() -> None:
    """200 ms a request, any number at once: 10 000 rows and 64 in flight within 30 round trips."""
    run = drive(fixed(0.2), Pace(), 30)
    assert run.chunk_rows(6, 30) == {TEN_THOUSAND}
    assert held(run, 6, 30) == (64, 64)
    assert run.rate(6, 30) >= 0.95 * 64 * TEN_THOUSAND / 0.2


def test_a_slow_round_trip_is_not_taken_for_slow_rows() -> None:
    """A second a request, whatever its rows: smaller chunks would only cost, so they grow."""
    run = drive(fixed(1.0), Pace(), 90)
    assert run.chunk_rows(40, 90) == {TEN_THOUSAND}
    assert run.rate(40, 90) >= 0.9 * 64 * TEN_THOUSAND


def test_slow_rows_travel_alone() -> None:
    """A second a row, two workers: one row a request, now and then two on trial; none is idle."""
    run = drive(workers(2, 0.0, 1.0, spread=0.0), Pace(), 900)
    assert run.chunk_rows(101, 900) <= {1, 2}
    assert run.rate(120, 900) >= 0.97 * 2


def test_answers_come_in_the_time_wanted() -> None:
    """20 ms a row, one worker: 25 rows would take half a second alone, so chunks stay below."""
    run = drive(workers(1, 0.001, 0.02), Pace(), 100)
    assert max(run.chunk_rows(10, 100)) <= 25
    assert run.rate(10, 100) >= 0.9 * 50


def test_bodies_stay_below_four_megabytes() -> None:
    """Rows of 4 kB: never more than 1000 in a chunk, however fast the server."""
    run = drive(fixed(0.05), Pace(), 30, row_bytes=4000.0)
    assert max(run.chunk_rows(0, 30)) == 1000


def test_rows_that_become_wider_shrink_the_next_chunk() -> None:
    """The limit in bytes holds for the rows as they are now."""
    pace = Pace()
    drive(fixed(0.05), pace, 10)
    assert pace.chunk_rows == TEN_THOUSAND
    answer(pace, rows=1000, seconds=0.05, at_s=10.1, row_bytes=40_000)
    assert pace.chunk_rows == 100


def test_a_refusal_for_size_is_never_provoked_again() -> None:
    """After a 413 no chunk has more than half of the rows that were refused."""
    pace = Pace()
    pace.refused_as_too_large(100, 0.1)
    pace.refused_as_too_large(100, 0.1)
    assert pace.chunk_rows == 50
    assert max(drive(fixed(0.05), pace, 30).chunk_rows(0, 30)) == 50
    pace.refused_as_too_large(1, 31.0)
    assert pace.chunk_rows == 1


def test_a_refusal_of_large_chunks_keeps_what_is_in_flight() -> None:
    """Size and number are two matters."""
    pace = Pace()
    drive(fixed(0.05), pace, 10)
    pace.refused_as_too_large(TEN_THOUSAND, 10.1)
    assert (pace.chunk_rows, pace.concurrency) == (5000, 64)


def test_a_time_out_of_chunks_larger_than_any_answered_quarters_them() -> None:
    """Nothing was answered yet: 100 rows may have been too many, 25 and 6 too."""
    pace = Pace()
    pace.timed_out(100, 30.0)
    assert (pace.chunk_rows, pace.concurrency) == (25, 4)
    pace.timed_out(25, 60.0)
    assert pace.chunk_rows == 6


def test_chunks_shrunk_by_a_time_out_grow_again() -> None:
    """A server that was away when the first chunks came is not slow for good."""
    pace = Pace()
    for _ in range(4):
        pace.timed_out(pace.chunk_rows, 0.0)
    assert pace.chunk_rows == 1
    run = drive(fixed(0.05), pace, 30)
    assert run.chunk_rows(15, 30) == {TEN_THOUSAND}


def test_time_outs_of_usual_chunks_are_overload() -> None:
    """Rows that were answered before are not too many: the server has too much to do."""
    pace = Pace()
    drive(fixed(0.2), pace, 10)
    for late in range(7):
        pace.timed_out(TEN_THOUSAND, 12.0 + late / 100)
    assert (pace.chunk_rows, pace.concurrency) == (TEN_THOUSAND, 32)


def test_a_source_of_small_pieces_does_not_stop_the_search() -> None:
    """Chunks never fill up when the source has 70 rows at a time: the rest is still found."""
    pace, now = Pace(), 0.0
    for _ in range(2000):
        now += 0.2 / pace.concurrency
        answer(pace, rows=70, seconds=0.2, at_s=now)
    assert pace.concurrency == 64


# Concurrency


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_two_workers_get_two_to_six(spread: float) -> None:
    """More would only queue; fewer would starve them. Trials go one step further now and then."""
    run = drive(workers(2, 0.05, 1e-5, spread), Pace(1000, "auto"), 300)
    least, most = held(run, 30, 300)
    assert least >= 2
    assert most <= 9
    often = [m.concurrency for m in run.moments if m.at_s > 30]
    assert sum(2 <= c <= 6 for c in often) >= 0.9 * len(often)
    assert run.rate(30, 300) >= 0.95 * 2 * 1000 / 0.06


@pytest.mark.parametrize(("count", "spread"), [(1, 0.2), (5, 0.2), (20, 0.3), (40, 0.2), (8, 1.0)])
def test_workers_are_kept_busy(count: int, spread: float) -> None:
    """At least nine tenths of what so many workers can do, from half a minute on."""
    run = drive(workers(count, 0.05, 1e-5, spread), Pace(1000, "auto"), 200)
    assert run.rate(30, 200) >= 0.9 * count * 1000 / 0.06


def test_a_settled_pace_does_not_swing() -> None:
    """Failed trials become rare: after five minutes they cost little and change little."""
    run = drive(workers(8, 0.05, 1e-5), Pace(1000, "auto"), 600)
    settings = [m.concurrency for m in run.moments if m.at_s > 300]
    changes = sum(one != other for one, other in pairwise(settings))
    assert changes <= len(settings) / 100
    assert run.rate(300, 600) >= 0.95 * 8 * 1000 / 0.06


def test_a_full_queue_is_not_provoked_all_the_time() -> None:
    """Eight workers, a queue of one: what is refused stays a fraction, and the workers are busy."""
    server = workers(8, 0.05, 1e-5)
    server.queue = 1
    run = drive(server, Pace(1000, "auto"), 200)
    refused = sum(m.rows == 0 for m in run.moments)
    assert refused <= 0.05 * len(run.moments)
    assert run.rate(30, 200) >= 0.9 * 8 * 1000 / 0.06


def test_one_refusal_in_a_hundred_is_noise() -> None:
    """Isolated 503s don't slow the rest down."""

    def one_in_a_hundred(_: float, dice: random.Random) -> bool:
        return dice.random() < 0.01

    server = SimulatedServer(lambda rows, now: 0.2, refuses=one_in_a_hundred, spread=0.2)
    run = drive(server, Pace(), 120)
    assert run.rate(15, 120) >= 0.9 * 64 * TEN_THOUSAND / 0.2


def test_three_refusals_at_once_halve_it_once() -> None:
    """What was in flight is refused together: that is one overload, not seven."""
    pace = Pace(100, "auto")
    for _ in range(2):
        pace.overloaded(1.0)
    assert pace.concurrency == 4
    for _ in range(5):
        pace.overloaded(1.1)
    assert pace.concurrency == 2


def test_overload_that_lasts_goes_down_to_one() -> None:
    """Each round trip of refusals halves again, and one is always in flight."""
    pace = Pace()
    for step in range(100):
        pace.overloaded(float(step))
    assert pace.concurrency == 1
    assert pace.chunk_rows == 100


def test_it_recovers_from_an_overload() -> None:
    """Ten seconds in which half is refused: half a minute later everything is as it was."""

    def half_of_it(now: float, dice: random.Random) -> bool:
        return 30 < now < 40 and dice.random() < 0.5

    run = drive(SimulatedServer(lambda rows, now: 0.2, refuses=half_of_it, spread=0.2), Pace(), 120)
    assert min(run.concurrency(30, 41)) <= 4
    assert held(run, 80, 120) == (64, 64)


def test_an_overload_while_the_chunks_still_grow_does_not_end_their_growth() -> None:
    """A busy second at the start does not leave small chunks behind."""

    def at_first(now: float, dice: random.Random) -> bool:
        return 0.5 < now < 1.5 and dice.random() < 0.7

    server = SimulatedServer(lambda rows, now: 0.2, refuses=at_first)
    assert drive(server, Pace(), 60).chunk_rows(20, 60) == {TEN_THOUSAND}


# Servers that change


def test_a_pause_of_the_server_shrinks_nothing_for_good() -> None:
    """Five silent seconds, then as before: so is the rate."""

    def service(rows: int, now: float) -> float:
        pause_s = 35 - now if 30 < now < 35 else 0.0
        return 0.05 + 1e-4 * rows + pause_s

    run = drive(SimulatedServer(service, lambda now: 8, spread=0.2), Pace(), 200)
    assert run.rate(80, 200) >= 0.9 * run.rate(15, 29)


def test_one_late_answer_changes_nothing() -> None:
    """One in two hundred requests takes fifty times as long: the others go on."""
    dice = random.Random(3)
    server = SimulatedServer(lambda rows, now: 10.0 if dice.random() < 0.005 else 0.2)
    run = drive(server, Pace(), 120)
    assert run.chunk_rows(30, 120) == {TEN_THOUSAND}
    # A late one costs what 50 others take: 0.2 s become 0.25 s on average.
    assert run.rate(30, 120) >= 0.85 * 64 * TEN_THOUSAND / 0.25


def test_a_server_that_grew_is_noticed() -> None:
    """One replica becomes ten: within a minute they are busy."""
    server = SimulatedServer(lambda rows, now: 0.06, lambda now: 1 if now < 60 else 10, spread=0.2)
    run = drive(server, Pace(1000, "auto"), 240)
    assert run.rate(120, 240) >= 0.9 * 10 * 1000 / 0.06


def test_a_server_that_shrank_is_not_flooded() -> None:
    """Twenty replicas become two: what queues before them goes down with them."""
    server = SimulatedServer(lambda rows, now: 0.06, lambda now: 20 if now < 60 else 2, spread=0.2)
    run = drive(server, Pace(1000, "auto"), 300)
    assert held(run, 45, 60)[1] >= 20
    assert held(run, 200, 300)[1] <= 9
    assert run.rate(120, 300) >= 0.9 * 2 * 1000 / 0.06


def test_a_server_that_became_slow_keeps_its_load() -> None:
    """Each request takes three times as long, and none queues: fewer would cost, so all stay."""
    run = drive(SimulatedServer(lambda rows, now: 0.2 if now < 30 else 0.6), Pace(), 150)
    assert run.rate(60, 150) >= 0.9 * 64 * TEN_THOUSAND / 0.6


def test_changes_and_numbers_stay_within_bounds() -> None:
    """Whatever a server does, 1 ≤ rows ≤ 10 000 and 1 ≤ in flight ≤ 64."""
    for seed in range(20):
        dice = random.Random(seed)
        pace, now = Pace(), 0.0
        for _ in range(3000):
            now += dice.expovariate(20)
            took = dice.choice([0.001, 0.05, 0.5, 5.0]) * dice.random()
            deed = dice.random()
            if deed < 0.9:
                rows = dice.randint(1, pace.chunk_rows)
                answer(pace, rows=rows, seconds=took, at_s=now, row_bytes=dice.choice([4, 4000]))
            elif deed < 0.98:
                pace.overloaded(now)
            else:
                pace.timed_out(pace.chunk_rows, now)
            assert 1 <= pace.chunk_rows <= TEN_THOUSAND
            assert 1 <= pace.concurrency <= 64
