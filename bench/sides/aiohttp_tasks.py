"""The same calls with asyncio and aiohttp, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp

from bench import data
from bench.at_once import Tasks

PACKAGES = ("aiohttp",)


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {f"at_once_{count}": partial(_at_once, count) for count in data.AT_ONCE}


def _at_once(count: int) -> Callable[[], Any]:
    loop, path = asyncio.new_event_loop(), f"{data.url()}/v2/models/iris/infer"
    session = loop.run_until_complete(_session())

    async def call() -> Any:
        row = {"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": data.ROW}
        async with session.post(path, json={"inputs": [row]}) as response:
            answer = await response.json()
        return answer["outputs"][0]["data"][0]

    return Tasks(count, call, loop)


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
