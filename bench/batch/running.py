"""A program from its start to its end: what it took, and what the server took meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.processes import ROOT, SideError, inherited

LOOK_MS = 20
LONGEST_S = 300.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ran:
    """One run. Seconds of the clock, from before its start to after its end; of the processor, of it and the server.

    `peak_mib` is the most memory it had at a time; `said` the object it printed in its last line, {} if none,
    and `words` everything it printed.
    """

    wall_s: float
    cpu_s: float
    server_cpu_s: float
    peak_mib: float
    said: dict[str, Any]
    words: str

    @property
    def own_s(self) -> float:
        """Seconds by its own clock, which leaves out its start; all of them if it has none."""
        return float(self.said.get("own_s", self.wall_s))


def run(command: Sequence[str | Path], *, server_pid: int | None = None) -> Ran:
    """Run a program to its end. Raises SideError, with its last words, when that is not a good one."""
    with tempfile.TemporaryFile() as output:
        before_s = _cpu_s(server_pid)
        started = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 - programs of this benchmark
            [str(word) for word in command],
            cwd=ROOT,
            env=inherited(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak_mib = _watched(child)
        wall_s = time.perf_counter() - started
        cpu_s = _ended(child, command, output)
        words = _words(output)
    return Ran(wall_s, cpu_s, _cpu_s(server_pid) - before_s, peak_mib, _object(words), words)


def _watched(child: subprocess.Popen[bytes]) -> float:
    """Wait for the end of a program, without reaping it; return the most memory it had, in MiB."""
    peak_mib, deadline = 0.0, time.monotonic() + LONGEST_S
    watch = select.poll()
    handle = os.pidfd_open(child.pid)
    try:
        watch.register(handle, select.POLLIN)
        while not watch.poll(LOOK_MS):
            peak_mib = max(peak_mib, _peak_mib(child.pid))
            if time.monotonic() > deadline:
                child.kill()
    finally:
        os.close(handle)
    return peak_mib


def _ended(
    child: subprocess.Popen[bytes], command: Sequence[str | Path], output: IO[bytes]
) -> float:
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        last = " / ".join(_words(output).strip().splitlines()[-3:])
        shown = " ".join(Path(str(word)).name for word in command[:6])
        raise SideError(f"{shown} ended with {child.returncode}: {last}")
    return usage.ru_utime + usage.ru_stime


def _peak_mib(pid: int) -> float:
    """The peak since the program was started: the kernel forgets what the process had before that."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _cpu_s(pid: int | None) -> float:
    """Seconds of the processor that a running program took so far, all threads of it."""
    if pid is None:
        return 0.0
    # The second field is a name in brackets and may hold anything; utime and stime are the 14th and 15th.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _words(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")


def _object(words: str) -> dict[str, Any]:
    lines = words.strip().splitlines()
    with contextlib.suppress(json.JSONDecodeError):
        found = json.loads(lines[-1]) if lines else {}
        return found if isinstance(found, dict) else {}
    return {}
