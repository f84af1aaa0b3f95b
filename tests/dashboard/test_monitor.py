"""What health checks saw: one number for each."""

from datetime import UTC, datetime, timedelta

from dashboard.monitor import Monitor, Sample
from kserve_client.health import Ladder, Rung

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ladder(ready_ms: float | None, after_s: float = 0) -> Ladder:
    """Return a check of the model `m`: ready after so many milliseconds, or not."""
    rung = Rung("Model ready", "failed" if ready_ms is None else "ok", "said", ready_ms or 3.0)
    return Ladder("m", (rung,), NOON + timedelta(seconds=after_s))


def after(seconds: float, latency_ms: float | None) -> Sample:
    return Sample(NOON + timedelta(seconds=seconds), latency_ms)


def test_each_check_is_kept() -> None:
    """In their order; of a model that nobody looked at there is nothing."""
    monitor = Monitor()
    monitor.observe(ladder(2.0))
    monitor.observe(ladder(None, 5))
    assert monitor.samples("m") == (after(0, 2.0), after(5, None))
    assert [sample.is_ready for sample in monitor.samples("m")] == [True, False]
    assert monitor.samples("other") == ()


def test_a_failed_test_inference_leaves_the_ready_check_ready() -> None:
    """What is counted and drawn is the step "Model ready" alone."""
    monitor = Monitor()
    broken = Rung("Test inference", "failed", "500", 1.0)
    monitor.observe(Ladder("m", (*ladder(2.0).rungs, broken), NOON))
    assert monitor.samples("m") == (after(0, 2.0),)
