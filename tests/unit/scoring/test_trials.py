import pytest

from kserve_client.scoring.levels import Measured, Setting
from kserve_client.scoring.trials import Move, judged


def measured(rows: int, concurrency: int, rate: float, latency_s: float) -> Measured:
    return Measured(Setting(rows, concurrency), rate, latency_s)


def test_a_trial_that_overshot_is_met_between() -> None:
    """Half more in flight brought a tenth: the server works on 11 at once, and a quarter may wait."""
    before, after = measured(100, 10, 1000.0, 0.1), measured(100, 15, 1100.0, 0.13)
    verdict = judged(Move.MORE, before, after, 0.5)
    assert (verdict.setting.concurrency, verdict.is_better) == (14, False)


def test_late_answers_are_worth_it_while_they_pay() -> None:
    """Twice the rows at 1.9 times the rate may take 0.6 s instead of 0.5 s."""
    before, after = measured(100, 4, 1000.0, 0.57), measured(200, 4, 1900.0, 0.6)
    assert judged(Move.LARGER, before, after, 0.5).setting == Setting(200, 4)


def test_late_answers_that_pay_little_are_met_where_they_are_in_time() -> None:
    """100 rows take 0.2 s and 1000 take 2 s: 250 take the half second that is wanted."""
    before, after = measured(100, 4, 1000.0, 0.2), measured(1000, 4, 1100.0, 2.0)
    verdict = judged(Move.LARGER, before, after, 0.5)
    assert verdict.setting.rows == pytest.approx(250, abs=1)
    assert not verdict.is_better
