"""The one place that opens a URL, by fsspec, and says what became of it.

A storage that speaks S3 keeps nobody waiting for more than half a minute. What was seen with
aiobotocore 3.9, aiohttp 3.14 and s3fs 2026.9: `read_timeout` counts from the end of a request. Each
PUT first asks whether it may go on (Expect: 100-continue), and aiohttp waits for that word without
end; then for the storage to take the bytes, without end as well. On top, s3fs asks five times, and
has no option for it.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from kserve_client.errors import InputError

_S3 = frozenset({"s3", "s3a"})
CONNECT_S = 3
# MinIO may need ten seconds for the first word about the end of a long upload.
SILENT_S = 12
# So long it may take not one byte; aiohttp sends a PUT that broke off so once more.
UNTAKEN_S = 6
# The second is for a connection that was closed meanwhile.
ATTEMPTS = 2
_AWAY = (
    *("Connect", "Timeout", "Proxy", "HTTPClient"),
    *("ClientOS", "ClientPayload", "ServerDisconnected"),
)
# What s3fs makes of "slow down", and of a fault of the storage.
_BUSY = frozenset({errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO)})


class StorageInputError(InputError):
    """A URL could not be used.

    `kind` is the name of the error's class, `errno` its number where it had one; the words of
    a storage may hold keys.
    """

    def __init__(self, message: str, kind: str = "", errno: int | None = None) -> None:
        super().__init__(message)
        self.kind, self.errno = kind, errno

    @classmethod
    def of(cls, said: str, error: Exception) -> Self:
        """What a file system raised, after the words that say of which URL."""
        errno = getattr(error, "errno", None)
        return cls(f"{said}: {words_of(error)}", kind_of(error), errno)


class PromptSession:
    """A session of aiobotocore that sends the bytes of a PUT at once.

    The header it leaves out is none of those that are signed. Not derived from theirs, so that this
    module can be imported without the extra.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from aiobotocore.httpsession import AIOHTTPSession

        self._session = AIOHTTPSession(*args, **kwargs)

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.__aexit__(*error)

    async def send(self, request: Any) -> Any:
        """Send one request and return its answer."""
        request.headers.pop("Expect", None)
        return await self._session.send(request)

    def __getattr__(self, name: str) -> Any:
        """Everything else is theirs; s3fs asks whether its connections are closed."""
        return getattr(self._session, name)


def impatient_socket(address: tuple[int, int, int, str, object]) -> socket.socket:
    """A socket for one of `getaddrinfo`, which breaks when nothing it sends is taken for `UNTAKEN_S`.

    TCP alone waits for that as long as the other side is there; see RFC 5482, which Linux has.
    """
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_S * 1000)
    return made


def open_file_system(url: str, storage_options: Mapping[str, object]) -> tuple[Any, str]:
    """The file system of a URL and the path in it, `storage_options` as fsspec takes them.

    Nothing is asked of the storage yet. Raises ImportError without fsspec or its part for the
    scheme, ValueError for a scheme that nobody knows, and what the file system raises.
    """
    from fsspec.core import url_to_fs  # the extra s3

    if urlsplit(url).scheme.lower() not in _S3:
        system, path = url_to_fs(url, **storage_options)
    else:
        system, path = url_to_fs(url, **_impatient(storage_options))
        system.retries = ATTEMPTS
    return system, str(path)


def _impatient(storage_options: Mapping[str, Any]) -> dict[str, Any]:
    """What s3fs is opened with; what the caller says of the configuration counts more."""
    config = {
        "connect_timeout": CONNECT_S,
        "read_timeout": SILENT_S,
        "retries": {"total_max_attempts": 1},
        "http_session_cls": PromptSession,
        "connector_args": {"socket_factory": impatient_socket},
    }
    return {**storage_options, "config_kwargs": config | storage_options.get("config_kwargs", {})}


def abandon(out: Any, *, is_away: bool) -> None:
    """Let nothing appear of a buffered file that is written: to close it would send the rest.

    A storage that is away is not asked to take back what it has: that would be waited for, too.
    """
    if not is_away:
        with contextlib.suppress(Exception):  # each file system raises its own
            out.discard()
    out.closed = True


def is_away(error: BaseException) -> bool:
    """Whether the storage did not answer, or was too busy to: it may be there in a moment."""
    is_silent = isinstance(error, ConnectionError | TimeoutError)
    kind = kind_of(error)
    is_busy = getattr(error, "errno", None) in _BUSY
    return is_silent or is_busy or any(word in kind for word in _AWAY)


def kind_of(error: BaseException) -> str:
    """The name of the class that a library raised, also where one of our errors stands for it."""
    # s3fs 2026.9 reads the errno of a time-out that has none, and falls over that.
    if isinstance(error, IndexError) and isinstance(error.__context__, OSError):
        error = error.__context__
    return str(getattr(error, "kind", "")) or type(error).__name__


def words_of(error: BaseException) -> str:
    """What went wrong and what to do, by its kind: the words of a storage may hold keys."""
    if not is_away(error):
        return kind_of(error)
    return (
        f"the storage does not answer ({kind_of(error)}); check that it runs and the address it is "
        "asked at (for s3: AWS_ENDPOINT_URL), then try again"
    )
