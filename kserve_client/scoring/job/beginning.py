"""Beginning a job in a directory, and putting one in order that a killed process left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import ledger as ledgers
from kserve_client.scoring.job import lock, manifest
from kserve_client.scoring.job.ledger import Ledger
from kserve_client.scoring.job.manifest import Facts, Manifest, now
from kserve_client.scoring.job.own_files import is_own
from kserve_client.scoring.job.parts import FOLDER, Part, decoded, is_part
from kserve_client.scoring.job.store import Store, is_draft_of

_OWN_NAMES = (
    lock.LOCK_FILE,
    lock.LEASE_FILE,
    ledgers.FILE,
    f"{ledgers.FILE}-journal",
    manifest.FILE,
)


def check_free(store: Store) -> None:
    """Raise ConfigurationError when a directory holds a job, or files that are not of one."""
    files = store.sizes("")
    if manifest.FILE in files:
        raise ConfigurationError(
            f"there is a job in {store.where} already; resume it, or choose another directory"
        )
    others = sorted(name for name in files if not _is_own(store, name))
    others += [name for name in store.folders() if name != FOLDER]
    others += sorted(f"{FOLDER}/{name}" for name in store.sizes(FOLDER) if not is_part(name))
    if others:
        raise ConfigurationError(
            f"{store.where} is not empty ({others[0]!r} is in it); choose another directory"
        )


def _is_own(store: Store, name: str) -> bool:
    return is_own(store, name) if name in _OWN_NAMES else is_draft_of(name, _OWN_NAMES)


def new_ledger(store: Store) -> Ledger:
    """An empty ledger, without parts that an earlier attempt to begin may have left."""
    for name in filter(is_part, store.sizes(FOLDER)):
        store.remove(f"{FOLDER}/{name}")
    if store.path is not None:
        return Ledger.create(store.path / ledgers.FILE, store.where)
    ledger = Ledger.create(None, store.where)
    store.put(ledgers.FILE, ledger.dump())
    return ledger


def put_in_order(store: Store, ledger: Ledger, held: lock.Lock, *, check_parts: bool) -> None:
    """Forget rows whose part is not there as it was written, remove parts that no row names."""
    sizes = store.sizes(FOLDER)
    lost = [p for p in ledger.parts() if not _is_there(store, p, sizes, check_parts=check_parts)]
    if lost:
        ledger.commit(drop=lost)
        if store.path is None:
            lock.put_over(store, held, ledgers.FILE, ledger.dump())
    remove_unnamed(store, ledger, sizes)


def remove_unnamed(store: Store, ledger: Ledger, names: Iterable[str]) -> None:
    """Remove those of these parts that no row names."""
    named = {part.name for part in ledger.parts()}
    for name in names:
        if name not in named and is_part(name):
            store.remove(f"{FOLDER}/{name}")


def _is_there(store: Store, part: Part, sizes: Mapping[str, int], *, check_parts: bool) -> bool:
    if sizes.get(part.name) != part.size_bytes:
        return False
    if not check_parts:
        return True
    try:
        return sum(map(len, decoded(part, store.read(part.path)))) == part.stop - part.start
    except ConfigurationError:
        return False


def new_manifest(facts: Facts, job_id: str) -> Manifest:
    """The manifest of a job that begins now."""
    moment = now()
    return Manifest(
        software_version=software_version(),
        job_id=job_id,
        facts=facts,
        signature_hash=facts.signature_hash,
        created=moment,
        updated=moment,
    )


def software_version() -> str:
    """The version of this package, as it is installed."""
    try:
        return version("kserve-client")
    except PackageNotFoundError:
        return "not installed"
