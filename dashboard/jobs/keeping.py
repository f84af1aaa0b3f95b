"""Which jobs are removed, and how."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboard.jobs import card as cards
from dashboard.jobs.card import Card
from dashboard.jobs.folder import Folder
from dashboard.jobs.view import OVER
from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job.lock import FileLock
from kserve_client.scoring.job.store import LocalStore

# What a process that broke off while it began a job left.
_BROKEN_OFF_S = 24 * 3600.0


def obsolete(all_cards: Iterable[Card], kept: int, kept_days: float) -> Iterator[Card]:
    """The jobs that are over and older than so many days, or not among the newest of their owner."""
    before = datetime.now(UTC) - timedelta(days=kept_days)
    seen: Counter[str] = Counter()
    for card in sorted(all_cards, key=lambda card: card.created, reverse=True):
        if card.state in OVER:
            seen[card.owner] += 1
            if seen[card.owner] > kept or (card.finished or card.created) < before:
                yield card


def remove(folder: Path) -> bool:
    """Remove a job with all that lies beside it; False while a process has it."""
    try:
        held = FileLock(LocalStore(folder))
    except FileNotFoundError:
        return True
    except ConfigurationError:
        return False
    try:
        # Without its card a job is gone, though a removal that breaks off leaves files.
        (folder / cards.FILE).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        held.release()
    return True


def remove_broken(folder: Folder) -> None:
    """Remove what is no job, and none that is just being begun."""
    for path in folder.jobs.iterdir():
        with contextlib.suppress(OSError):
            is_old = time.time() - path.stat().st_mtime > _BROKEN_OFF_S
            if is_old and path.is_dir() and not (path / cards.FILE).exists():
                remove(path)
