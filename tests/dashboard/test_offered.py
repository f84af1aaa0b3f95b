"""The tables that the settings offer, where one of their places says nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.jobs import offered
from dashboard.jobs.offered import Offered
from dashboard.jobs.view import NamedSource
from kserve_client.scoring.sources import Limits
from tests.dashboard.batch_jobs import until

PREFIX = "s3://bucket/tables"
THERE = NamedSource("tables/b.csv", f"{PREFIX}/b.csv", 4, None)


class Silent:
    """A storage that lists its one table as soon as it may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked = 0

    def __call__(self, *_: object) -> Iterator[NamedSource]:
        """List it."""
        self.asked += 1
        self.may_answer.wait(30)
        return iter([THERE])


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    found = Silent()
    monkeypatch.setattr(offered, "_objects", found)
    monkeypatch.setattr(offered, "NEXT_LOOK_S", 0.0)
    yield found
    found.may_answer.set()


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """What a folder and a storage offer, of which the folder was listed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.csv").write_bytes(b"a\n1\n")
    found = Offered(f"{PREFIX}, {tmp_path / 'folder'}", Limits())
    found.source("folder/a.csv")
    monkeypatch.setattr(offered, "FIRST_LOOK_S", 0.05)
    return found


def names(tables: Offered) -> list[str]:
    return [source.name for source in tables.sources()]


def test_a_silent_storage_keeps_nobody_waiting(silent: Silent, tables: Offered) -> None:
    """What else there is is offered at once, with a word on the one that says nothing."""
    for _ in range(3):
        assert names(tables) == ["folder/a.csv"]
        assert tables.problems() == [f"{PREFIX} can't be read: no answer yet"]
    assert silent.asked == 1
    silent.may_answer.set()
    until(lambda: names(tables) == ["folder/a.csv", "tables/b.csv"])
    assert tables.problems() == []


def test_tables_that_were_there_stay_while_they_are_looked_for(
    silent: Silent, tables: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the storage says something else."""
    silent.may_answer.set()
    assert tables.source("tables/b.csv") == THERE
    silent.may_answer.clear()
    monkeypatch.setattr(offered, "LOOK_S", -1.0)
    assert names(tables) == ["folder/a.csv", "tables/b.csv"]
    assert tables.source("tables/b.csv") == THERE
    assert silent.asked == 2


def test_a_job_waits_for_the_storage_of_its_table(silent: Silent, tables: Offered) -> None:
    """One that is slow after a start of the process does not end the jobs that read from it."""
    threading.Timer(0.3, silent.may_answer.set).start()
    assert tables.source("tables/b.csv") == THERE


def test_a_look_that_can_not_begin_may_begin_later(
    silent: Silent, tables: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod may have no thread left at that moment; nobody waits for a look that is none."""
    silent.may_answer.set()

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            tables.source("tables/b.csv")
    assert tables.source("tables/b.csv") == THERE
