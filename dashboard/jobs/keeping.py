"""Which jobs are removed, and how."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from dashboard.jobs.card import END, Card
from dashboard.jobs.root import Root
from dashboard.jobs.view import OVER
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import check_job_id

# What a process that broke off while it began a job left.
_BROKEN_OFF_S = 24 * 3600.0


def obsolete(all_cards: Iterable[Card], kept: int, kept_days: float) -> Iterator[Card]:
    """The jobs that are over and older than so many days, or not among the newest of their owner.

    One whose card can't be read stays: nobody knows what it holds, and whose it is.
    """
    before = datetime.now(UTC) - timedelta(days=kept_days)
    seen: Counter[str] = Counter()
    for card in sorted(all_cards, key=lambda card: card.created, reverse=True):
        if card.state in OVER and card.state != "damaged":
            seen[card.owner] += 1
            if seen[card.owner] > kept or (card.finished or card.created) < before:
                yield card


def remove(root: Root, job_id: str) -> bool:
    """Remove a job with all that lies beside it; False while a process has it."""
    try:
        held = root.hold(job_id)
    except FileNotFoundError:
        root.cards.remove(job_id + END)
        return True
    except ConfigurationError:
        return False
    try:
        # Without its card a job is gone, though a removal that breaks off leaves files.
        root.cards.remove(job_id + END)
        root.remove(job_id)
    finally:
        held.release()
    return True


def remove_unused(root: Root, job_id: str) -> None:
    """Remove files that no job has; those that a job has, or is about to have, stay."""
    try:
        held = root.hold(job_id)
    except (FileNotFoundError, ConfigurationError):
        return
    try:
        if not root.cards.read_all([job_id + END]):
            root.remove(job_id)
    finally:
        held.release()


def remove_broken(root: Root) -> None:
    """Remove what is no job and no upload, and none that is just being begun."""
    stores = (root.cards, root.uploads)
    known = {name.removesuffix(END) for store in stores for name in store.sizes("")}
    for job_id in filter(is_id, root.ids()):
        if job_id not in known:
            with contextlib.suppress(OSError):
                if time.time() - root.changed_s(job_id) > _BROKEN_OFF_S:
                    remove_unused(root, job_id)


def is_id(name: str) -> bool:
    """Whether it may be a job: what somebody laid beside them has another name."""
    try:
        return check_job_id(name) == name
    except InputError:
        return False
