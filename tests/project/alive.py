"""Whether a process still runs, and whether it sleeps, as Linux says in /proc."""

import time
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Return whether the process runs; one that ended but was not collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_death(pid: int, seconds: float = 10.0) -> bool:
    """Wait for the process to end; return whether it did."""
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


def naps(pid: int, seconds: float = 60.0) -> int:
    """Return how often the process has gone to sleep, counted while it sleeps."""
    end = time.monotonic() + seconds
    while "State:\tS" not in (status := Path(f"/proc/{pid}/status").read_text()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
