"""Which files are a job's, by what is in them: other programs have a "lock" and a ledger, too."""

from __future__ import annotations

import re

import orjson

from kserve_client.scoring.job import ledger, lock
from kserve_client.scoring.job.store import Store

# What `lock` writes; an older holder may have left nothing.
_HOLDER = re.compile(rb"(process \d+ on [^\n]*)?")
_SQLITE = b"SQLite format 3\0"
# SQLite keeps the text of the scheme in the first page.
_FIRST_PAGE = 4096
_JOURNAL = f"{ledger.FILE}-journal"


def is_own(store: Store, name: str) -> bool:
    """Whether a file named as one of a job is one. Raises OSError when it can't be read.

    A ledger that is empty, or a journal, is what a killed process may have left of a beginning.
    """
    if name == lock.LOCK_FILE:
        return _HOLDER.fullmatch(_read(store, name, _FIRST_PAGE)) is not None
    if name == lock.LEASE_FILE:
        return _is_lease(_read(store, name))
    if name == ledger.FILE:
        return _is_ledger(_read(store, name, _FIRST_PAGE))
    return name != _JOURNAL or ledger.FILE in store.sizes("")


def _read(store: Store, name: str, most: int | None = None) -> bytes:
    """A file, or the beginning of one; b"" when it is gone."""
    try:
        if store.path is None:
            return store.read(name)[:most]
        with (store.path / name).open("rb") as file:
            return file.read(-1 if most is None else most)
    except FileNotFoundError:
        return b""


def _is_ledger(data: bytes) -> bool:
    return not data or (data.startswith(_SQLITE) and b"CREATE TABLE parts (" in data)


def _is_lease(data: bytes) -> bool:
    try:
        found = orjson.loads(data or b"{}")
    except ValueError:
        return False
    return isinstance(found, dict) and (not found or {"token", "renewed"} <= found.keys())
