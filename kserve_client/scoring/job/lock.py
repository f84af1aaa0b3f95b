"""One process at a time works on a job; others may read it.

A folder of this machine is locked by the kernel: the lock ends with the process, however that ends.
A storage behind a URL knows no locks; there a lease lies beside the job, renewed while the process
lives, and whoever finds one that was not renewed for long may take the job over. Clocks of the
machines should agree to some ten seconds.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import orjson

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job.store import Data, LocalStore, Store, UrlStore

LOCK_FILE = "lock"
LEASE_FILE = "lease.json"
STALE_S = 120.0
# A lease is renewed so many times before it would be stale.
RENEWALS = 6
SETTLE_S = 2.0
# Somebody who looks whether a job is running holds its lock for an instant.
_LOOKS = 10
_BETWEEN_LOOKS_S = 0.02


class Lock(Protocol):
    """A job that is held."""

    def check(self) -> None:
        """Raises ConfigurationError when another process has taken the job over."""
        ...

    def look(self) -> None:
        """The same, asked of the storage at this moment. Raises OSError when it does not say."""
        ...

    def release(self) -> None:
        """Let others work on it."""
        ...


class Lent:
    """A lock for somebody who works on the job while its holder keeps it."""

    def __init__(self, held: Lock) -> None:
        self._held = held

    def check(self) -> None:
        """As the holder's."""
        self._held.check()

    def look(self) -> None:
        """As the holder's."""
        self._held.look()

    def release(self) -> None:
        """Its holder does that."""


def acquire(store: Store, *, stale_s: float = STALE_S) -> Lock:
    """Hold a job. Raises ConfigurationError when another process does.

    Behind a URL, others may take the job over when this process was silent for `stale_s` seconds.
    """
    if isinstance(store, UrlStore):
        return Lease(store, stale_s=stale_s)
    assert isinstance(store, LocalStore)
    return FileLock(store)


def put_over(store: Store, held: Lock, name: str, data: Data) -> None:
    """Put a file of a job in the place of its last one.

    Raises ConfigurationError when another process has taken the job over, also where this one slept
    in the middle of the put; OSError when the storage says no.
    """
    if not isinstance(store, UrlStore):
        held.check()
        store.put(name, data)
        return
    try:
        _put_over(store, held, name, data)
    except FileExistsError:
        # Either another process has put one, or a put of ours came through whose answer did not.
        _put_over(store, held, name, data)


def _put_over(store: UrlStore, held: Lock, name: str, data: Data) -> None:
    tag = store.tag(name)
    # In this order: what has the tag lay there while the job was ours.
    held.look()
    store.put_over(name, data, tag)


def is_held(store: Store) -> bool:
    """Whether some process works on a job, this one included."""
    return silence_s(store) is not None


def silence_s(store: Store) -> float | None:
    """For how long nothing was heard of the process that works on a job; None when there is none.

    0.0 in a folder of this machine, where the kernel knows.
    """
    if isinstance(store, UrlStore):
        return _silence_s(_lease_of(store), time.time())
    assert store.path is not None
    return 0.0 if _is_locked(store.path / LOCK_FILE) else None


def _in_use(where: str, holder: str) -> ConfigurationError:
    by = f" by {holder}" if holder else ""
    return ConfigurationError(
        f"the job in {where} is in use{by}; wait until it is done, or stop it there"
    )


def _who() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


class FileLock:
    """An exclusive `flock` on the file "lock" of the job; the file stays until the job is removed."""

    def __init__(self, store: LocalStore) -> None:
        assert store.path is not None
        path, holder = store.path / LOCK_FILE, ""
        for _ in range(_LOOKS):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if self._is_got(path):
                    return
                holder = os.pread(self._descriptor, 300, 0).decode(errors="replace")
            except BaseException:
                self.release()
                raise
            self.release()
            time.sleep(_BETWEEN_LOOKS_S)
        raise _in_use(store.where, holder)

    def _is_got(self, path: Path) -> bool:
        if not _is_taken(self._descriptor, fcntl.LOCK_EX) or not _is_at(path, self._descriptor):
            return False
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, _who().encode(), 0)
        return True

    def check(self) -> None:
        """Nothing to check: the kernel gives it to nobody else."""

    def look(self) -> None:
        """Nothing to look at either."""

    def release(self) -> None:
        """Give it back; again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _is_taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file still lies there; its last holder may have removed it with the job."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _is_taken(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


class Lease:
    """The object "lease.json" beside a job: who works on it, and when that was last true.

    Not renewed for `stale_s` seconds, which it says itself, it may be taken over; the one that takes
    it waits `settle_s` and looks whether it is still its own. The one that lost it finds out when it
    renews, from its own clock, or when it puts something over (`put_over`), and writes nothing more.
    `renew_s` is a sixth of `stale_s` when not given.
    """

    def __init__(
        self,
        store: UrlStore,
        *,
        stale_s: float = STALE_S,
        renew_s: float | None = None,
        settle_s: float = SETTLE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._clock = store, clock
        self._stale_s = stale_s
        self._renew_s = stale_s / RENEWALS if renew_s is None else renew_s
        self._token = secrets.token_hex(16)
        self._is_lost = False
        # Not every storage replaces a file at once: what is just being renewed is not read.
        self._turn = threading.Lock()
        self._take(settle_s)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="job-lease", daemon=True)
        self._thread.start()

    def _take(self, settle_s: float) -> None:
        found = _lease_of(self._store)
        if _silence_s(found, self._clock()) is not None:
            raise _in_use(self._store.where, str(found.get("holder", "")))
        if found:
            self._store.remove(LEASE_FILE)
        self._renewed = self._clock()
        try:
            if not self._is_put_alone() or found:
                time.sleep(settle_s)
            is_mine = self._is_mine()
        except BaseException:
            self._remove()  # nobody would renew it, and everybody would wait until it is stale
            raise
        if not is_mine:
            raise _in_use(self._store.where, "another process that came first")

    def _is_put_alone(self) -> bool:
        """Put the lease; False where the storage can't promise that nobody else did meanwhile."""
        try:
            self._store.put_if_absent(LEASE_FILE, self._text())
        except FileExistsError:
            if self._is_mine():  # the answer to the first try was lost, and it was tried again
                return True
            raise _in_use(self._store.where, "another process that came first") from None
        except OSError:
            self._store.put(LEASE_FILE, self._text())
            return False
        return True

    def _text(self) -> bytes:
        said = {"token": self._token, "holder": _who(), "renewed": self._renewed}
        return orjson.dumps(said | {"stale_s": self._stale_s})

    def _is_mine(self) -> bool:
        return _lease_of(self._store).get("token") == self._token

    def renew(self) -> None:
        """Say that the process lives, unless the lease is another's by now."""
        with self._turn:
            self._renew()

    def _renew(self) -> None:
        moment = self._clock()
        tag = self._store.tag(LEASE_FILE)
        if not self._is_mine():
            self._is_lost = True
            return
        before, self._renewed = self._renewed, moment
        try:
            self._store.put_over(LEASE_FILE, self._text(), tag)
        except BaseException:
            self._renewed = before
            raise
        # So late, it may lie over the lease of another, where the storage knows no conditions.
        if self._clock() - moment > self._stale_s:
            self._is_lost = True

    def _keep(self) -> None:
        while not self._end.wait(self._renew_s) and not self._is_lost:
            # A storage that does not answer may do so the next time; `check` minds the clock.
            with contextlib.suppress(OSError):
                self.renew()

    def check(self) -> None:
        """Raises ConfigurationError when the lease was lost, or not renewed for too long."""
        if self._is_lost or self._clock() - self._renewed > self._stale_s:
            raise ConfigurationError(
                f"another process may have taken over the job in {self._store.where}, because this "
                "one was silent for too long; resume it when that one is done"
            )

    def look(self) -> None:
        """Raises the same when another's lease lies there by now."""
        self.check()
        with self._turn:
            self._is_lost = self._is_lost or not self._is_mine()
        self.check()

    def release(self) -> None:
        """Stop renewing and remove the lease, if it is still our own."""
        if self._end.is_set():
            return
        self._end.set()
        self._thread.join()
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            if self._is_mine():
                self._store.remove(LEASE_FILE)


def _lease_of(store: UrlStore) -> dict[str, object]:
    try:
        found = orjson.loads(store.read(LEASE_FILE))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _silence_s(lease: Mapping[str, object], now_s: float) -> float | None:
    """How long ago a lease was renewed; None when there is none, or it is stale."""
    renewed, stale_s = lease.get("renewed"), lease.get("stale_s", STALE_S)
    if not isinstance(renewed, (int, float)) or not isinstance(stale_s, (int, float)):
        return None
    silent_s = now_s - renewed
    return None if silent_s > stale_s else max(silent_s, 0.0)
