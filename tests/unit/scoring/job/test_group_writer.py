from __future__ import annotations

import threading
import time

import pytest

from kserve_client.scoring.job.group_writer import GroupWriter

LONG_S = 1000.0


class Written:
    """What a writer wrote and published, with failures on request."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.published = 0
        self.write_error: Exception | None = None
        self.publish_error: Exception | None = None
        self.may_go = threading.Event()
        self.may_go.set()

    def write(self, group: list[int]) -> None:
        """Write a group, once it may go."""
        assert self.may_go.wait(30)
        if self.write_error:
            raise self.write_error
        self.groups.append(group)

    def publish(self) -> None:
        """Count a publication."""
        if self.publish_error:
            raise self.publish_error
        self.published += 1

    @property
    def all(self) -> list[int]:
        """All that was written, in its order."""
        return [item for group in self.groups for item in group]


def writer(written: Written, interval_s: float = LONG_S, most: int = 1000) -> GroupWriter[int]:
    return GroupWriter(written.write, written.publish, interval_s=interval_s, most_bytes=most)


def test_what_comes_together_is_written_together() -> None:
    """The first at once, the others when the time has come, or at a flush."""
    written = Written()
    group = writer(written)
    group.add(0, 1)
    group.flush()
    for item in range(1, 5):
        group.add(item, 1)
    assert written.all == [0]
    group.flush()
    assert written.groups == [[0], [1, 2, 3, 4]]
    group.close()


def test_flushing_nothing_returns() -> None:
    """Twice, and after closing nothing waits."""
    written = Written()
    group = writer(written)
    group.flush()
    group.flush()
    group.close()
    group.close()
    assert written.groups == []


def test_closing_writes_what_waits() -> None:
    """Nothing is forgotten on the way out."""
    written = Written()
    group = writer(written)
    for item in range(5):
        group.add(item, 1)
    group.close()
    assert written.all == [0, 1, 2, 3, 4]
    assert not group._thread.is_alive()


def test_what_was_not_written_is_written_later() -> None:
    """In its order, after the error was raised once and whoever adds was told."""
    written = Written()
    written.write_error = OSError("full")
    group = writer(written)
    group.add(0, 1)
    with pytest.raises(OSError, match="full"):
        group.flush()
    with pytest.raises(OSError, match="full"):
        group.add(1, 1)
    written.write_error = None
    group.flush()
    group.add(1, 1)
    group.close()
    assert written.all == [0, 1]


def test_what_was_not_published_is_published_later() -> None:
    """Without being written again."""
    written = Written()
    written.publish_error = OSError("gone")
    group = writer(written)
    group.add(0, 1)
    with pytest.raises(OSError, match="gone"):
        group.flush()
    written.publish_error = None
    group.flush()
    assert (written.all, written.published) == ([0], 1)
    group.close()


def test_a_close_that_fails_says_so_and_ends() -> None:
    """No thread stays behind."""
    written = Written()
    written.write_error = OSError("full")
    group = writer(written)
    group.add(0, 1)
    with pytest.raises(OSError, match="full"):
        group.close()
    assert not group._thread.is_alive()


def test_who_is_faster_than_the_disk_waits() -> None:
    """Memory holds no more than `most_bytes` and one item."""
    written = Written()
    written.may_go.clear()
    group = writer(written, interval_s=0, most=10)
    added: list[int] = []

    def add_all() -> None:
        for item in range(10):
            group.add(item, 10)
            added.append(item)

    thread = threading.Thread(target=add_all)
    thread.start()
    time.sleep(0.2)
    assert len(added) <= 3  # one is being written, one waits, one may have just been taken
    written.may_go.set()
    thread.join(30)
    group.close()
    assert written.all == list(range(10))


def test_a_slow_publication_makes_the_next_one_rarer() -> None:
    """One of p seconds is not followed by another before 19 p."""
    written = Written()
    slow_s, over_s = 0.05, list[float]()

    def publish() -> None:
        time.sleep(slow_s)
        over_s.append(time.monotonic())

    written.publish = publish  # type: ignore[method-assign]
    group = writer(written, interval_s=0)
    group.add(0, 1)
    group.flush()
    assert group._next_at - over_s[0] > 18.9 * slow_s
    group.close()
