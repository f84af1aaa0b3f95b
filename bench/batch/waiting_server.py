"""A server that takes as long for each request, however many come at once.

`python -m bench.batch.waiting_server WAIT_S`. It answers with class 0 for each row, and
takes next to no time of the processor.
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
from functools import partial

from bench.batch.messages import answer, is_infer, message, serve

_ROWS = re.compile(rb'"shape": *\[ *(\d+)')
_ID = re.compile(rb'"id": *"([^"]*)"')
_METADATA = answer(
    "200 OK",
    b'{"name":"iris","versions":[],"platform":"","inputs":[],"outputs":[],"ready":true,"live":true}',
)


async def _connection(
    wait_s: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        head, body = await message(reader)
        if is_infer(head):
            await asyncio.sleep(wait_s)
        writer.write(answered(body) if is_infer(head) else _METADATA)


def answered(body: bytes) -> bytes:
    """The answer to the body of a request: as many classes as rows, under the id of the request."""
    rows, given = _ROWS.search(body), _ID.search(body)
    named = b'"id":"' + given[1] + b'",' if given else b""
    start = b'{"model_name":"iris","model_version":"v1",' + named
    return answer("200 OK", start + _outputs(int(rows[1]) if rows else 0))


@functools.cache
def _outputs(rows: int) -> bytes:
    zeros = ",".join(["0"] * rows)
    shown = (
        f'"outputs":[{{"name":"predict","shape":[{rows},1],"datatype":"INT64","data":[{zeros}]}}]}}'
    )
    return shown.encode()


if __name__ == "__main__":
    asyncio.run(serve(partial(_connection, float(sys.argv[1]))))
