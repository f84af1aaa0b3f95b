"""What a forked child must not share with its parent: connections, and locks and waits of threads it has not."""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something that lives on in a forked child."""

    def begin_anew(self) -> None:
        """Forget, in the child, what is the parent's alone; the child has one thread so far."""


_living: WeakSet[Forked] = WeakSet()


def begin_anew_in_children(one: Forked) -> None:
    """Let it begin anew in every child that is forked from now on, as long as somebody holds it."""
    _living.add(one)


class Turn:
    """A lock for one thread at a time, which a forked child finds open whoever of its parent held it."""

    def __init__(self) -> None:
        self.begin_anew()
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """Leave the lock to the parent's threads."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _begin_all() -> None:
    for one in list(_living):
        one.begin_anew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_all)
