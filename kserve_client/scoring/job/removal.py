"""Removing a job: only files that are a job's, whatever else lies in its directory."""

from __future__ import annotations

from collections.abc import Iterator

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import ledger, lock, manifest, parts
from kserve_client.scoring.job.manifest import Manifest
from kserve_client.scoring.job.own_files import is_own
from kserve_client.scoring.job.store import Store, is_draft_of

_NAMES = (ledger.FILE, f"{ledger.FILE}-journal", manifest.FILE, lock.LEASE_FILE, lock.LOCK_FILE)
# Any of these is enough to be something left of a job.
_SURE = (ledger.FILE, lock.LEASE_FILE)


def remove_job(store: Store) -> None:
    """Remove a job, or what is left of one that was half removed.

    Raises ConfigurationError while a process works on it, and when there is no job.
    """
    if not holds_job(store):
        raise ConfigurationError(f"there is no job in {store.where}")
    held = lock.acquire(store)
    try:
        # The manifest goes after what it names: until then the job is still listed.
        for name in _own_files(store):
            store.remove(name)
        # While it is held: the next one may have taken it in the moment after.
        store.remove(lock.LOCK_FILE)
    finally:
        held.release()
    store.remove("")


def holds_job(store: Store) -> bool:
    """Whether there is a job, or something left of one.

    Other programs have files and folders of these names. An empty folder of parts is nothing: SeaweedFS
    lists it for a while after its last object is gone. An empty ledger alone may be anybody's.
    """
    files = store.sizes("")
    if manifest.FILE in files and _has_manifest(store):
        return True
    if any(files.get(name) and is_own(store, name) for name in _SURE):
        return True
    return any(map(parts.is_part, store.sizes(parts.FOLDER)))


def _has_manifest(store: Store) -> bool:
    try:
        Manifest.from_bytes(store.read(manifest.FILE), store.where)
    except (ConfigurationError, OSError):
        return False
    return True


def _own_files(store: Store) -> Iterator[str]:
    for name in store.sizes(parts.FOLDER):
        if parts.is_part(name):
            yield f"{parts.FOLDER}/{name}"
    yield parts.FOLDER
    found = store.sizes("")
    yield from (name for name in found if is_draft_of(name, _NAMES))
    # The journal is of the ledger that lies beside it; alone it is what is left of our removing.
    is_ours = ledger.FILE not in found or is_own(store, ledger.FILE)
    names = _NAMES[:3] if is_ours else (manifest.FILE,)
    yield from (name for name in names if name in found)
