"""The ledger of a job: which rows are done, with what outcome, and which part holds them.

SQLite, in rollback-journal mode with `synchronous=FULL`. A commit is on the disk when it returns,
and a process killed in the middle of one leaves a journal from which the next one to open the file
restores the state before. WAL would save a sync per commit (there are four commits per second at
most), but it needs shared memory, which network file systems have not, and leaves rows outside of
the one file that is put to a remote directory. TRUNCATE keeps the journal's name, so that no sync of
the folder is owed either.

    parts(start, stop, ok, failed, skipped, name, size_bytes, crc32, tries, elapsed_s)
    facts(name, value)      total_rows: int, once the source has ended
                            results: the result columns as JSON, once there are any

`PRAGMA user_version` is the version of this scheme. A remote ledger is held in memory, and what
counts is the copy that was put.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import orjson

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job.manifest import Counts
from kserve_client.scoring.job.parts import Part
from kserve_client.scoring.results import ResultSchema

FILE = "ledger.sqlite"
VERSION = 1
_BUSY_S = 30.0
_AT_ONCE = 1000
_SCHEME = f"""
BEGIN EXCLUSIVE;
CREATE TABLE parts (
    start INTEGER PRIMARY KEY CHECK (start >= 0),
    stop INTEGER NOT NULL CHECK (stop > start),
    ok INTEGER NOT NULL CHECK (ok >= 0),
    failed INTEGER NOT NULL CHECK (failed >= 0),
    skipped INTEGER NOT NULL CHECK (skipped >= 0),
    name TEXT NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    elapsed_s REAL NOT NULL,
    CHECK (ok + failed + skipped = stop - start)
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""
_COLUMNS = ", ".join(field.name for field in fields(Part))
_INSERT = f"INSERT INTO parts ({_COLUMNS}) VALUES ({', '.join('?' * len(fields(Part)))})"  # noqa: S608 - our own names
_OVERLAPPING = (
    "SELECT count(*) FROM parts AS a JOIN parts AS b "
    "ON b.start = (SELECT min(start) FROM parts WHERE start > a.start) WHERE b.start < a.stop"
)


class Ledger:
    """The open ledger. May be used from several threads, one at a time inside."""

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        self._lock = threading.RLock()

    @classmethod
    def create(cls, path: Path | None, where: str) -> Ledger:
        """A new one in a file, or in memory. A file that is there is replaced."""
        if path is not None:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        ledger = cls(_connected(str(path) if path else ":memory:", where), where)
        with ledger._using() as connection:
            connection.executescript(_SCHEME)
            _make_durable(connection)
        return ledger

    @classmethod
    def open(cls, path: Path, where: str) -> Ledger:
        """The one in a file.

        Opened for writing where that may be, even to read: SQLite then mends what a killed process
        left half done. Raises ConfigurationError when it is missing or damaged.
        """
        if not path.is_file():
            raise ConfigurationError(f"the job in {where} has no ledger ({FILE} is missing)")
        try:
            return cls._checked(_connected(f"{_uri(path)}?mode=rw", where), where)
        except OSError:
            return cls._checked(_connected(f"{_uri(path)}?mode=ro", where), where)

    @classmethod
    def loaded(cls, data: bytes, where: str) -> Ledger:
        """The one in these bytes, held in memory. Raises ConfigurationError when it is damaged."""
        connection = _connected(":memory:", where)
        if data:
            connection.deserialize(data)
        return cls._checked(connection, where)

    @classmethod
    def _checked(cls, connection: sqlite3.Connection, where: str) -> Ledger:
        ledger = cls(connection, where)
        try:
            ledger._check_version()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def _check_version(self) -> None:
        with self._using() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            _make_durable(connection)
        if version > VERSION:
            raise ConfigurationError(
                f"the job in {self._where} was written by a newer version of kserve-client"
            )
        if version != VERSION:
            raise self._damaged("it holds no tables")

    def check(self) -> None:
        """Look through all of it. Raises ConfigurationError when it is damaged."""
        with self._using() as connection:
            said = connection.execute("PRAGMA quick_check").fetchone()[0]
            overlaps = connection.execute(_OVERLAPPING).fetchone()[0]
        if said != "ok" or overlaps:
            raise self._damaged("some rows are in it twice" if overlaps else said)

    def parts(self, start: int = 0, stop: int | None = None) -> Iterator[Part]:
        """The parts that hold rows from `start` to `stop`, in order.

        Some are fetched at a time, so that the ledger may change meanwhile.
        """
        at = start
        while found := self._some_parts(at, stop):
            yield from found
            at = found[-1].stop

    def _some_parts(self, start: int, stop: int | None) -> list[Part]:
        with self._using() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM parts WHERE stop > ? AND start < ? "  # noqa: S608 - our own names
                "AND start >= coalesce((SELECT max(start) FROM parts WHERE start <= ?), 0) "
                "ORDER BY start LIMIT ?",
                (start, 2**62 if stop is None else stop, start, _AT_ONCE),
            ).fetchall()
        return [Part(*row) for row in rows]

    def counts(self) -> Counts:
        """How many rows there are, by what became of them."""
        with self._using() as connection:
            ok, failed, skipped = connection.execute(
                "SELECT coalesce(sum(ok), 0), coalesce(sum(failed), 0), coalesce(sum(skipped), 0) "
                "FROM parts"
            ).fetchone()
        return Counts(total_rows=self.total_rows, ok=ok, failed=failed, skipped=skipped)

    @property
    def total_rows(self) -> int | None:
        """How many rows the source has; None until it ended."""
        found = self._fact("total_rows")
        return found if isinstance(found, int) else None

    @property
    def results(self) -> ResultSchema | None:
        """The result columns; None before the first answer."""
        found = self._fact("results")
        return ResultSchema.from_json(orjson.loads(found)) if isinstance(found, bytes) else None

    def _fact(self, name: str) -> object:
        with self._using() as connection:
            row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def commit(
        self,
        add: Sequence[Part] = (),
        drop: Sequence[Part] = (),
        *,
        total_rows: int | None = None,
        results: ResultSchema | None = None,
    ) -> None:
        """Take some parts out and others in, all or nothing, durably."""
        facts = {"total_rows": total_rows, "results": results and orjson.dumps(results.to_json())}
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._change(connection, add, drop, facts)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @staticmethod
    def _change(
        connection: sqlite3.Connection,
        add: Sequence[Part],
        drop: Sequence[Part],
        facts: Mapping[str, object],
    ) -> None:
        connection.executemany("DELETE FROM parts WHERE name = ?", [(p.name,) for p in drop])
        connection.executemany(_INSERT, map(astuple, add))
        known = [(name, value) for name, value in facts.items() if value is not None]
        connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", known)

    def dump(self) -> bytes:
        """The whole file, as `loaded` takes it."""
        with self._using() as connection:
            return bytes(connection.serialize())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, with the errors of SQLite told as ours."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.IntegrityError:
                raise
            except sqlite3.DatabaseError as error:
                raise self._told(error) from error

    def _told(self, error: sqlite3.DatabaseError) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _AS_ERRNO:
            return OSError(_AS_ERRNO[code], f"the ledger: {error}", f"{self._where}/{FILE}")
        return self._damaged(str(error))

    def _damaged(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"the ledger of the job in {self._where} is damaged ({why}); start a new job"
        )


_AS_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
}


def _uri(path: Path) -> str:
    return path.absolute().as_uri()


def _make_durable(connection: sqlite3.Connection) -> None:
    """Both hold for a connection, not for the file."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_mode = TRUNCATE").fetchone()


def _connected(database: str, where: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            database,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            uri=database.startswith("file:"),
        )
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(
            f"the ledger of the job in {where} is damaged, or may not be read ({error})"
        ) from error
