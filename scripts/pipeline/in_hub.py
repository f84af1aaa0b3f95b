"""Runs a notebook in the server of a JupyterHub's user: `python -m scripts.pipeline.in_hub URL NOTEBOOK EXECUTED`.

Runs in the environment of jupyterhub.txt. Asks as the browser does, through the hub's proxy: the hub for
a server, the server for a kernel, the kernel over its websocket for each cell. JUPYTERHUB_TOKEN holds
a token that may do that.
"""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Container
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

USER = "ada"
KERNEL = "road"
SERVER_S = 120.0
CELL_S = 300.0
POLL_S = 0.2
# What Traefik and the hub answer where the server of a user should: gateway errors, "not running".
NOT_ROUTED = range(404, 600)


class HubError(Exception):
    """Something that the hub, a server or a cell refused."""


class Hub:
    """The hub and the server of one user, by their REST calls."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"token {token}"}

    async def ask(
        self, method: str, path: str, given: Any = None, *, but: Container[int] = ()
    ) -> Any:
        """Make a call; return its answer, None for an empty one or a status of `but`."""
        body = json.dumps({} if given is None else given) if method in ("POST", "PUT") else None
        request = HTTPRequest(
            f"{self.url}/{path}", method, self.headers, body, request_timeout=SERVER_S
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
        except HTTPClientError as error:
            if error.code in but:
                return None
            said = error.response.body.decode()[:200] if error.response else error.message
            raise HubError(f"{method} {path}: {error.code} {said}") from error
        return json.loads(answer.body) if answer.body else None

    async def start_server(self) -> None:
        """Make the user unless there is one, and wait until their server answers."""
        await self.ask("POST", f"hub/api/users/{USER}", but=(409,))
        await self.ask("POST", f"hub/api/users/{USER}/server")
        await self._wait_for(self._is_ready)
        # Ready by the hub's word: a Traefik that still holds the route of the user's last server, on
        # another port, counts as routed (jupyterhub-traefik-proxy 2.1 looks for the name alone).
        await self._wait_for(self._is_routed)

    async def stop_server(self) -> None:
        """Stop the server and its kernels, and wait until it is gone: a start before is refused."""
        await self.ask("DELETE", f"hub/api/users/{USER}/server", but=(404,))
        await self._wait_for(self._is_gone)

    async def _wait_for(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(SERVER_S):
            while not await is_so():  # noqa: ASYNC110 - it tells only who asks
                await asyncio.sleep(POLL_S)

    async def _server(self) -> dict[str, Any] | None:
        user = await self.ask("GET", f"hub/api/users/{USER}")
        found: dict[str, Any] | None = user["servers"].get("")
        return found

    async def _is_ready(self) -> bool:
        server = await self._server()
        if server is None:
            raise HubError(f"the server of {USER} did not start")
        return bool(server["ready"])

    async def _is_gone(self) -> bool:
        return await self._server() is None

    async def _is_routed(self) -> bool:
        """Whether the server itself answers, not the hub or a proxy that finds nobody."""
        return await self.ask("GET", f"user/{USER}/api/status", but=NOT_ROUTED) is not None

    async def channels(self, kernel: str) -> WebSocketClientConnection:
        """Open the websocket of a kernel."""
        address = self.url.replace("http", "ws", 1)
        path = f"{address}/user/{USER}/api/kernels/{kernel}/channels"
        try:
            return await websocket_connect(HTTPRequest(path, headers=self.headers))
        except HTTPClientError as error:
            raise HubError(f"the kernel's websocket: {error}") from error


async def execute(socket: WebSocketClientConnection, cell: dict[str, Any]) -> None:
    """Run one cell and put its outputs into it. Raises HubError when it fails."""
    name = uuid.uuid4().hex
    header = {"msg_id": name, "msg_type": "execute_request", "username": USER, "session": name}
    content = {"code": "".join(cell["source"]), "silent": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    await socket.write_message(json.dumps({**message, "channel": "shell"}))
    cell["outputs"] = []
    while True:
        raw = await asyncio.wait_for(socket.read_message(), CELL_S)
        if raw is None:
            raise HubError("the kernel went away")
        said = json.loads(raw)
        if said["parent_header"].get("msg_id") == name and _is_last(said, cell):
            return


def _is_last(said: dict[str, Any], cell: dict[str, Any]) -> bool:
    """Take in one message; return whether the kernel is done with the cell."""
    kind, content = said["msg_type"], said["content"]
    if kind == "execute_input":
        cell["execution_count"] = content["execution_count"]
    elif kind in ("stream", "display_data", "execute_result"):
        kept = {name: value for name, value in content.items() if name != "transient"}
        cell["outputs"].append({"output_type": kind, **kept})
    elif kind == "error":
        words = " ".join(content["evalue"].split())
        raise HubError(f"a cell failed with {content['ename']}: {words}")
    return bool(kind == "status" and content["execution_state"] == "idle")


async def go(hub: Hub, name: str, content: dict[str, Any]) -> None:
    """Upload a notebook, run its cells, and save what came of it; `content` has the outputs then."""
    server = f"user/{USER}/api"
    saved = {"type": "notebook", "format": "json", "content": content}
    try:
        await hub.start_server()
        await hub.ask("PUT", f"{server}/contents/{name}", saved)
        kernel = await hub.ask("POST", f"{server}/kernels", {"name": KERNEL})
        socket = await hub.channels(kernel["id"])
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                await execute(socket, cell)
        await hub.ask("PUT", f"{server}/contents/{name}", saved)
    finally:
        await hub.stop_server()


def run(url: str, notebook: Path, executed: Path) -> int:
    """Go; what is wrong goes to standard error in one line."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    try:
        asyncio.run(go(Hub(url, os.environ["JUPYTERHUB_TOKEN"]), notebook.name, content))
    except (HubError, TimeoutError, OSError) as error:
        print(str(error) or "the server was not ready in time", file=sys.stderr)
        return 1
    finally:
        executed.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], *map(Path, sys.argv[2:])))
