import pytest

from kserve_client.scoring.levels import Answered, Level, Measured, Setting


def level(answers: int, least_s: float = 0.0) -> Level:
    return Level(Setting(1, 4), 0.0, answers=answers, least_s=least_s, is_about_rows=False)


def answers_of(bursts: list[float], elapsed_s: float = 0.2) -> list[Answered]:
    """Return four answers of one row at each of these times."""
    return [Answered(1, 40, elapsed_s, 4, at_s) for at_s in bursts for _ in range(4)]


def first_measure(level: Level, answers: list[Answered]) -> tuple[int, Measured] | None:
    """Return how many answers it took, and the measure."""
    for count, answer in enumerate(answers, 1):
        level.add(answer)
        if (measured := level.measured()) is not None:
            return count, measured
    return None


def test_bursts_are_counted_in_whole_rounds() -> None:
    """Four at a time each 0.2 s are 20 a second, though six answers were thought enough."""
    found = first_measure(level(6), answers_of([0.2, 0.4, 0.6, 0.8]))
    assert found is not None
    assert found[0] == 9
    assert found[1].rows_per_s == pytest.approx(20)


def test_requests_of_before_do_not_count() -> None:
    """What was sent before the level began says nothing of it."""
    assert first_measure(level(4), answers_of([0.1, 0.2, 0.3], elapsed_s=0.5)) is None


def test_quick_answers_are_measured_for_a_while() -> None:
    """Milliseconds are noise: the level lasts as long as it should."""
    bursts = [0.21 + 0.01 * step for step in range(30)]
    found = first_measure(level(8, least_s=0.1), answers_of(bursts))
    assert found is not None
    assert found[0] == 41


def test_slow_answers_end_it_after_one_round() -> None:
    """Sixteen answers that take 6 s each are not waited for."""
    found = first_measure(level(16), answers_of([6.0, 12.0, 18.0], elapsed_s=6.0))
    assert found is not None
    assert found[0] == 5
