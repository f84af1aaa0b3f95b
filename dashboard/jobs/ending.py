"""What is done when the process ends.

Streamlit (1.67) takes SIGTERM as a wish: its event loop stops, the main thread ends, caches are
forgotten without a word to what they hold. Then the interpreter first tells the thread pools to take
no more work and waits for their threads, and only after that calls `atexit`. A run would find its
pool closed, and would be waited for, before it heard of the end; so we must be told before the pools.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor  # noqa: F401 - see _close_all
from typing import Protocol


class Closes(Protocol):
    """What has to be closed."""

    def close(self) -> None:
        """Close it; again does nothing."""
        ...


_open: weakref.WeakSet[Closes] = weakref.WeakSet()


def close_at_end(what: Closes) -> None:
    """Close something when the process ends, if it is still there."""
    _open.add(what)


def _close_all() -> None:
    """Whoever registers later is called earlier, and the pools did when they were imported."""
    for one in list(_open):
        one.close()


# There is no public call for this (seen in Python 3.9 to 3.14); without it we are late, and no worse.
getattr(threading, "_register_atexit", atexit.register)(_close_all)
