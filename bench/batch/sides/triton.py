"""Triton's client, some at a time.

`python -m bench.batch.sides.triton ADDRESS INPUT OUTPUT ROWS CHUNK_ROWS TRANSPORT POOL COUNT`.
TRANSPORT is json, binary (both HTTP) or grpc; POOL is threads or processes, COUNT of them, each with a client of
its own, since threads can't share one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tritonclient.grpc
import tritonclient.http

from bench.batch.sides.tables import Floats, chunks, score

POOLS: dict[str, Any] = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}
_own = threading.local()


class Client:
    """A client with its connection, kept by each thread or process."""

    def __init__(self, address: str, transport: str) -> None:
        self._is_binary = transport != "json"
        self._library = tritonclient.grpc if transport == "grpc" else tritonclient.http
        self._client = self._library.InferenceServerClient(address)
        # gRPC knows one way for its data only.
        self._form = {} if transport == "grpc" else {"binary_data": self._is_binary}
        self._outputs = [self._library.InferRequestedOutput("predict", **self._form)]

    def labels(self, chunk: Floats) -> list[Any]:
        """Ask for the classes of one chunk."""
        tensor = self._library.InferInput("input-0", list(chunk.shape), "FP64")
        tensor.set_data_from_numpy(chunk, **self._form)
        answer = self._client.infer("iris", [tensor], outputs=self._outputs)
        found: list[Any] = answer.as_numpy("predict").ravel().tolist()
        return found


def _open(address: str, transport: str) -> None:
    _own.client = Client(address, transport)


def _ask(chunk: Floats) -> list[Any]:
    found: list[Any] = _own.client.labels(chunk)
    return found


def _labels(pool: Executor, table: Floats, chunk_rows: int) -> Iterable[Any]:
    for labels in pool.map(_ask, chunks(table, chunk_rows)):
        yield from labels


def run(arguments: list[str]) -> None:
    """Score a table."""
    address, source, target, rows, chunk_rows, transport, kind, count = arguments
    make = POOLS[kind]
    with make(int(count), initializer=_open, initargs=(address, transport)) as pool:
        score(
            Path(source),
            Path(target),
            int(rows),
            lambda table: _labels(pool, table, int(chunk_rows)),
        )


if __name__ == "__main__":
    run(sys.argv[1:])
