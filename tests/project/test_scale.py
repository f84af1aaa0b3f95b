"""The simulation of a run on a cluster, with figures whose times are known."""

import pytest

from bench.batch.scale import Measured, Plan, limits, seconds

EASY = Measured(
    replica_rows_per_s=100,
    worker_rows_per_s=1000,
    scan_bytes_per_s=1e9,
    task_s=0,
    row_bytes=10,
    part_bytes=10,
)


def test_threads_share_the_replicas() -> None:
    """Twenty tasks of 100 rows at 200 rows a second in all take ten seconds, found or not."""
    plan = Plan(replicas=2, threads=4, task_rows=100, is_text=False)
    assert seconds(2000, plan, EASY) == pytest.approx(10)
    assert limits(2000, plan, EASY)["the model"] == 10


def test_a_thread_is_no_faster_than_it_is() -> None:
    """However many replicas there are."""
    plan = Plan(replicas=1000, threads=2, task_rows=100, is_text=False)
    assert seconds(2000, plan, EASY) == pytest.approx(1)


def test_the_last_task_is_waited_for() -> None:
    """Three equal tasks on two threads take as long as four."""
    plan = Plan(replicas=2, threads=2, task_rows=100, is_text=False)
    assert seconds(300, plan, EASY) == seconds(400, plan, EASY) == pytest.approx(2)


def test_rows_have_to_be_found() -> None:
    """At 1000 bytes a second, 2000 rows of a text take twenty seconds to find, and one more task."""
    slow = Measured(100, 1000, scan_bytes_per_s=1000, task_s=0, row_bytes=10)
    plan = Plan(replicas=100, threads=10, task_rows=100)
    assert seconds(2000, plan, slow) == pytest.approx(20.1)


def test_a_coordinator_takes_its_time() -> None:
    """A second for each of twenty tasks."""
    slow = Measured(100, 1000, task_s=1.0)
    plan = Plan(replicas=100, threads=10, task_rows=100, is_text=False)
    assert seconds(2000, plan, slow) == pytest.approx(20, abs=0.2)
