"""A folder of this machine for what is on its way to a storage or from it; it goes with its process."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import weakref
from pathlib import Path

from dashboard.jobs import downloads
from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job.lock import LOCK_FILE, FileLock, is_held
from kserve_client.scoring.job.store import LocalStore

COPIES_KEPT_S = 24 * 3600.0
RESULTS_KEPT_S = 3600.0
_PREFIX = "kserve-client-"
# Between making a folder and locking it.
_JUST_MADE_S = 5.0


class Scratch:
    """A folder that only its user may open, locked while the process lives.

    Removes those of processes that were killed. Raises ConfigurationError when it can't be made.
    """

    def __init__(self) -> None:
        try:
            _remove_left()
            self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
            self.path = Path(self._folder.name)
            held = FileLock(LocalStore(self.path))
        except OSError as error:
            raise ConfigurationError(
                f"there is no folder for temporary files ({error.strerror}); name one in TMPDIR"
            ) from None
        weakref.finalize(self, held.release)

    def tidy(self) -> None:
        """Remove copies that are older than a day, and results that are older than an hour."""
        for folder in self.path.iterdir():
            if folder.is_dir() and time.time() - folder.stat().st_mtime > COPIES_KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.is_dir():
                downloads.forget_old(folder, RESULTS_KEPT_S)


def _remove_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or none of a dashboard
            age_s = time.time() - (folder / LOCK_FILE).stat().st_mtime
            if age_s > _JUST_MADE_S and not is_held(LocalStore(folder)):
                shutil.rmtree(folder, ignore_errors=True)
