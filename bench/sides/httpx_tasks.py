"""The same calls with asyncio and httpx, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from bench import data
from bench.at_once import Tasks

PACKAGES = ("httpx",)


def operations() -> dict[str, Callable[[], Callable[[], Any]]]:
    return {f"at_once_{count}": partial(_at_once, count) for count in data.AT_ONCE}


def _at_once(count: int) -> Callable[[], Any]:
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    client = httpx.AsyncClient(limits=limits, trust_env=False)
    path = f"{data.url()}/v2/models/iris/infer"

    async def call() -> Any:
        row = {"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": data.ROW}
        response = await client.post(path, json={"inputs": [row]})
        return response.json()["outputs"][0]["data"][0]

    return Tasks(count, call, asyncio.new_event_loop())
