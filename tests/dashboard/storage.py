"""A storage behind a URL for the tests of jobs: in memory, counted, and away when a test says so."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class File(io.BytesIO):
    """An object that is read: each reader has a place of its own in it, other than fsspec's."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.size = len(data)


class Storage(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """What fsspec opens at shop://bucket/prefix."""

    protocol = "shop"
    cachable = False
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    error: ClassVar[Exception | None] = None
    calls: ClassVar[Counter[str]] = Counter()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(path).removeprefix("shop://")
        return f"/{text.strip('/')}" if text.strip("/") else ""

    @classmethod
    def called(cls, name: str) -> None:
        """Count a request, or refuse it."""
        cls.calls[name] += 1
        if cls.error is not None:
            raise cls.error

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        """List."""
        self.called("list")
        return super().ls(path, detail=detail, **kwargs)

    def cat_file(self, path: str, start: Any = None, end: Any = None, **kwargs: Any) -> Any:
        """Read."""
        self.called("get")
        return super().cat_file(path, start, end, **kwargs)

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write."""
        self.called("put")
        super().pipe_file(path, value, mode=mode, **kwargs)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if mode != "rb":
            return super()._open(path, mode, **kwargs)
        self.called("open")
        return File(super().cat_file(path))

    def rm(self, path: Any, recursive: bool = False, maxdepth: Any = None) -> None:
        """Remove."""
        self.called("delete")
        super().rm(path, recursive, maxdepth)


def opened() -> type[Storage]:
    """An empty storage."""
    fsspec.register_implementation("shop", Storage, clobber=True)
    Storage.store.clear()
    Storage.pseudo_dirs[:] = [""]
    Storage.error = None
    Storage.calls.clear()
    return Storage
