"""Child processes that never outlive their parent, and the ports they listen on."""

import contextlib
import ctypes
import fcntl
import http.client
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from scripts.problem import ScriptError

LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG = 1
# A server gets this long to finish by itself before it is killed.
STOP_S = 8.0
POLL_S = 0.1
PORTS = range(20_000, 32_000)
# Whoever is given a port listens on it by then.
GIVEN_S = 120.0
# Addresses on this machine must not go through a proxy that the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Interrupted(BaseException):
    """A signal asked us to stop. Not an Exception, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Turn Ctrl-C, a closed terminal and SIGTERM into `Interrupted`, once; ignore the next ones."""
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, _frame: FrameType | None) -> None:
        for other in wanted:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_status(go: Callable[[], int], what: str) -> int:
    """Run `what`, such as "The demo", to its end; what stopped it is told and is the exit status."""
    try:
        with signals_raise():
            return go()
    except ScriptError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk, a folder that somebody else owns.
        print(f"{what} stopped: {error.strerror}: {error.filename}.", file=sys.stderr)
        return 1
    except Interrupted as stop:
        print("\nStopped", file=sys.stderr)
        return 128 + stop.number


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a child runs before it starts, so that it gets SIGTERM when we die (Linux)."""
    # The kernel watches the thread that forked, not the process: only the main one lives as long.
    if not sys.platform.startswith("linux") or threading.current_thread() is not (
        threading.main_thread()
    ):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the kernel was asked
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


class Child:
    """A running program in a process group of its own, with all its output in one log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        has_input: bool = False,
    ) -> None:
        """Start `command`. `name` is what messages call it; the log is emptied first.

        With `has_input` its standard input is a pipe that stays open until `give`.
        """
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches the parent alone, which stops its children.
                start_new_session=True,
                # Unsafe beside other threads, so only the main thread gets one.
                preexec_fn=_die_with_parent(),  # noqa: PLW1509
            )

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended yet."""
        return self.process.poll() is None

    def give(self, text: str) -> None:
        """Write the standard input and end it; a program that is gone takes none."""
        assert self.process.stdin is not None, "started without has_input"
        with contextlib.suppress(BrokenPipeError), self.process.stdin as pipe:
            pipe.write(text.encode())

    def last_lines(self, count: int = 15) -> str:
        """Return the end of the log, indented."""
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(f"    {line}" for line in lines)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and everything it started itself."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Ask the program to end, wait, and kill what is left of its group."""
        stop_all([self], timeout_s)

    def wait(self) -> int:
        """Wait for the program's own end and return its exit status."""
        try:
            return self.process.wait()
        except BaseException:
            self.stop()
            raise


def stop_all(children: Sequence[Child], timeout_s: float = STOP_S) -> None:
    """Stop all children at once: SIGTERM, up to `timeout_s` together, then SIGKILL."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
    for child in children:
        child.signal(signal.SIGKILL)
        child.process.wait()


def wait_until(
    is_ready: Callable[[], bool], children: Sequence[Child], *, what: str, timeout_s: float
) -> None:
    """Wait until `is_ready()`; raise ScriptError when a child ends or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        fail_if_ended(children)
        if time.monotonic() > deadline:
            logs = " and ".join(str(child.log) for child in children)
            raise ScriptError(f"{what} did not answer within {timeout_s:.0f} s; see {logs}")
        time.sleep(POLL_S)


def fail_if_ended(children: Sequence[Child]) -> None:
    """Raise ScriptError for the first child that ended, with the last lines of its log."""
    for child in children:
        if not child.is_running:
            raise ScriptError(
                f"{child.name} ended by itself (exit status {child.process.returncode}); the last "
                f"lines of {child.log}:\n{child.last_lines()}"
            )


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Return whether a GET of `url` is answered with a 2xx status."""
    try:
        with _direct.open(url, timeout=timeout_s):
            return True
    except (OSError, http.client.HTTPException):
        return False


def is_taken(port: int, host: str = LOOPBACK) -> bool:
    """Return whether some other program listens on the port."""
    with socket.socket() as probe:
        # Without this, a port counts as taken for a minute after its last user closed.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """Return `count` different ports that nobody listens on, and that no other process was just given.

    They lie below those that Linux gives to whoever asks for any, so that nothing else takes one
    before a server that starts slowly listens on it.
    """
    with _given_ports() as given:
        free = (
            port
            for port in random.sample(PORTS, len(PORTS))
            if str(port) not in given and not is_taken(port, host)
        )
        found = list(itertools.islice(free, count))
        given.update(dict.fromkeys(map(str, found), time.time()))
    return found


@contextlib.contextmanager
def _given_ports() -> Iterator[dict[str, float]]:
    """The ports that processes of this user were given lately, and when; what is added is kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    file = Path(cache) / "kserve-client" / "ports.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = file.open("a+")
    except OSError:  # a home that can't be written is no reason not to start
        yield {}
        return
    with kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        given: dict[str, float] = {}
        with contextlib.suppress(ValueError):  # a process that was killed may have left half of it
            given = json.loads(kept.read())
        now = time.time()
        given = {port: at_s for port, at_s in given.items() if abs(now - at_s) < GIVEN_S}
        yield given
        kept.truncate(0)
        json.dump(given, kept)
