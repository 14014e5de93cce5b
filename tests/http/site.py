"""An MCP server over HTTP on a port of its own, and ways to talk to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.pace import PATIENCE
from viam_mcp.http import HttpServer, listen

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from tests.conftest import Mode

JSON_HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Site:
    """A running server.

    Attributes:
        base: Its URL without a path.
        server: The server itself.
        running: Ends when the server has ended.
    """

    base: str
    server: HttpServer
    running: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"{self.base}/mcp"

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    @asynccontextmanager
    async def client(
        self, mode: Mode, token: str | None = None, verify: ssl.SSLContext | bool = True, **options: Any
    ) -> AsyncIterator[Client]:
        """The official client, with a bearer token if one is given."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, verify=verify, timeout=PATIENCE) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode, **options) as client,
        ):
            yield client

    async def post(
        self, token: str | None = None, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """A raw POST to `/mcp`; by default the opening request of a client of the 2025 era."""
        bearer = {} if token is None else {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            return await http.post(
                self.url, json=opening() if body is None else body, headers=JSON_HEADERS | bearer | (headers or {})
            )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def serving(app: ASGIApp, **options: Any) -> AsyncIterator[Site]:
    """An app on a free port of this computer, until the block is left."""
    listener = listen("127.0.0.1", 0)
    scheme = "https" if options.get("tls") else "http"
    # A client that connects before it accepts waits in the socket's queue, so nothing has to be awaited here.
    server = HttpServer(app, [listener], **options)
    running = asyncio.create_task(server.run_until_stopped())
    try:
        yield Site(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", server, running)
    finally:
        server.stop()
        async with asyncio.timeout(PATIENCE):
            await running


async def said(client: Client, tool: str, **arguments: Any) -> str:
    """What a call that is not done says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (content,) = result.content
    assert content.type == "text"
    return content.text


def edited(path: Path, change: Callable[[str], str]) -> None:
    """Change a file as an editor does: another one takes its place."""
    draft = path.with_suffix(".draft")
    draft.write_text(change(path.read_text()))
    draft.chmod(0o600)
    draft.rename(path)


def opening(version: str = "2025-11-25") -> dict[str, Any]:
    """What a client of the 2025 era begins with."""
    return request("initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "raw", "version": "0"})


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def result_in(response: httpx2.Response) -> Any:
    """The JSON-RPC message of an answer, whether it came as JSON or as a stream."""
    if response.headers["content-type"].startswith("application/json"):
        return response.json()
    (data,) = [line for line in response.text.splitlines() if line.startswith("data: ")]
    return json.loads(data.removeprefix("data: "))
