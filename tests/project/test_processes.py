import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import processes
from scripts.problem import ScriptError
from scripts.processes import (
    Child,
    Interrupted,
    answers,
    fail_if_ended,
    free_ports,
    is_taken,
    signals_raise,
    wait_until,
)
from tests.project.alive import is_alive, wait_for_death

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# Starts a child of its own and prints its number, then ignores SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
# Starts a child with our own class, prints its number and is killed with SIGKILL by the test.
PARENT = """
import sys, time
from pathlib import Path
from scripts.processes import Child
child = Child("x", [sys.executable, "-c", "import time; time.sleep(60)"], Path(sys.argv[1]))
print(child.process.pid, flush=True)
time.sleep(60)
"""


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    """Both streams are in one file, and the last lines can be shown."""
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr)"
    child = Child("x", [sys.executable, "-c", code], tmp_path / "logs" / "x.log")
    assert child.wait() == 0
    assert child.last_lines(1) == "    two"
    assert child.last_lines() == "    one\n    two"


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """A child that ignores SIGTERM is killed after the time-out, with its own children."""
    child = Child("x", [sys.executable, "-c", STUBBORN], tmp_path / "x.log")
    wait_until(lambda: bool(child.last_lines()), [child], what="x", timeout_s=10)
    grandchild = int(child.last_lines())
    child.stop(timeout_s=0.3)
    assert not child.is_running
    assert wait_for_death(grandchild)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells children")
def test_a_killed_parent_takes_its_children_along(tmp_path: Path) -> None:
    """Even SIGKILL, which nobody can handle, leaves no server behind."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "x.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    assert wait_for_death(child)


def test_a_child_that_ends_is_named_with_its_last_words(tmp_path: Path) -> None:
    """The message says which program ended, how, and the end of its log."""
    code = "import sys; sys.exit('no licence')"
    child = Child("The server", [sys.executable, "-c", code], tmp_path / "x.log")
    child.process.wait()
    with pytest.raises(ScriptError, match="exit status 1") as caught:
        fail_if_ended([child])
    assert str(caught.value).startswith("The server ended by itself")
    assert "    no licence" in str(caught.value)


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """A server that never answers is named with its log."""
    child = Child("x", SLEEP, tmp_path / "x.log")
    try:
        with pytest.raises(ScriptError, match="The moon did not answer within 0 s") as caught:
            wait_until(lambda: False, [child], what="The moon", timeout_s=0.2)
        assert str(tmp_path / "x.log") in str(caught.value)
    finally:
        child.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_become_one_exception(number: signal.Signals) -> None:
    """Whatever asks us to stop takes the same way out, and the handlers come back."""
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, signals_raise():
        signal.raise_signal(number)
    assert caught.value.number == number
    assert signal.getsignal(number) == before


def test_free_ports_are_free_and_different() -> None:
    """Three servers get three ports that can be bound."""
    ports = free_ports(3)
    assert len(set(ports)) == 3
    assert not any(is_taken(port) for port in ports)


def test_a_port_is_given_once_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks before its server listens gets another one; half a file does no harm."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(processes, "PORTS", range(20_000, 20_020))
    first = free_ports(10)
    second = free_ports(5)
    assert not set(first) & set(second)
    (kept,) = tmp_path.rglob("ports.json")
    kept.write_text(kept.read_text()[:20])
    assert len(free_ports(10)) == 10


def test_ports_are_given_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache may be a place that can't be written."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(set(free_ports(3))) == 3


def test_nobody_answers_on_a_free_port() -> None:
    """A refused connection is an answer to the question, not an error."""
    assert not answers(f"http://127.0.0.1:{free_ports(1)[0]}/")
