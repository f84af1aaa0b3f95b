"""Checks beside the pages: what is known is shown at once, and nobody waits for one that hangs."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dashboard import rounds as module
from dashboard.rounds import Look, Rounds
from kserve_client.errors import ConfigurationError
from kserve_client.health import Ladder
from kserve_client.health.probes import CHECKS_AT_ONCE

LONG_S = 30.0


def checked(age_s: float = 0) -> Ladder:
    """Return a check that was over so long ago."""
    return Ladder("m", (), datetime.now(UTC) - timedelta(seconds=age_s))


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a check waits for that hangs."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(autouse=True)
def long_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine not make a new check an old one."""
    monkeypatch.setattr(module, "FRESH", timedelta(seconds=20))


def held(gate: threading.Event, found: Ladder) -> Callable[[], Ladder]:
    """Return a check that finds this once it is let."""

    def check() -> Ladder:
        gate.wait(LONG_S)
        return found

    return check


def test_the_first_check_is_waited_for() -> None:
    """As long as it may take; what it found is no longer looked for."""
    found = checked()
    assert Rounds().look({"m": lambda: found}, longest_s=LONG_S) == {"m": Look(found)}


def test_a_new_check_stands_for_a_while() -> None:
    """Many who look at the same moment make one check."""
    rounds, made = Rounds(), []

    def check() -> Ladder:
        made.append("check")
        return checked()

    for _ in range(3):
        rounds.look({"m": check}, longest_s=LONG_S)
    assert made == ["check"]


def test_an_old_check_is_made_anew() -> None:
    """And waited for, where it does not take long."""
    rounds, newer = Rounds(), checked()
    rounds.look({"m": lambda: checked(25)}, longest_s=LONG_S)
    assert rounds.look({"m": lambda: newer}, longest_s=LONG_S) == {"m": Look(newer)}


def test_what_is_known_is_shown_while_a_check_hangs(gate: threading.Event) -> None:
    """It says that another one is under way, and makes no second one; when that is over it is known."""
    rounds, older, newer = Rounds(), checked(25), checked()
    rounds.look({"m": lambda: older}, longest_s=LONG_S)
    for _ in range(2):
        found = rounds.look({"m": held(gate, newer)}, longest_s=0.1)
        assert found == {"m": Look(older, is_checking=True)}
    gate.set()
    assert rounds.look({"m": checked}, longest_s=LONG_S) == {"m": Look(newer)}


def test_one_that_hangs_does_not_hold_up_the_others(gate: threading.Event) -> None:
    """Nothing is known of it yet; the other one is there."""
    rounds, found = Rounds(), checked()
    hangs, answers = {"m": held(gate, checked())}, {"other": lambda: found}
    assert rounds.look(hangs, longest_s=0.1) == {"m": Look(None, is_checking=True)}
    assert rounds.look(answers, longest_s=LONG_S) == {"other": Look(found)}


def test_nothing_begins_after_the_end(gate: threading.Event) -> None:
    """What waits for a thread is forgotten, so that the process need not wait for it."""
    rounds, made = Rounds(), []

    def last() -> Ladder:
        made.append("last")
        return checked()

    waiting = {str(at): held(gate, checked()) for at in range(CHECKS_AT_ONCE)}
    rounds.look(waiting | {"last": last}, longest_s=0.1)
    rounds.close()
    gate.set()
    assert rounds.look({"last": checked, "new": checked}, longest_s=LONG_S) == {
        "last": Look(None),
        "new": Look(None),
    }
    assert made == []


@pytest.mark.parametrize("age_s", [61, -60], ids=["of long ago", "by a clock that was set back"])
def test_what_is_old_is_not_shown(gate: threading.Event, age_s: float) -> None:
    """As if nothing were known."""
    rounds = Rounds()
    rounds.look({"m": lambda: checked(age_s)}, longest_s=LONG_S)
    found = rounds.look({"m": held(gate, checked())}, longest_s=0.1)
    assert found == {"m": Look(None, is_checking=True)}


def test_an_error_is_raised_and_the_next_check_made() -> None:
    """A check that could not be made is none that failed."""
    rounds, found = Rounds(), checked()

    def check() -> Ladder:
        raise ConfigurationError("no such model")

    with pytest.raises(ConfigurationError, match="no such model"):
        rounds.look({"m": check}, longest_s=LONG_S)
    assert rounds.look({"m": lambda: found}, longest_s=LONG_S) == {"m": Look(found)}
