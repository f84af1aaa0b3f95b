"""What a forked child must not share with its parent: connections, and locks and waits of threads it has not."""

from __future__ import annotations

import os
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


def _begin_all() -> None:
    for one in list(_living):
        one.begin_anew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_all)
