"""Whether a process still runs, as Linux says in /proc."""

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
