"""A bare server on the SDK's low-level class, over stdio or HTTP: without tools, or with one that does nothing."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server


async def _call(_ctx: Any, _params: types.CallToolRequestParams) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text="")])


async def _list(_ctx: Any, _params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name="nothing", input_schema={"type": "object"})])


def serve_app(app: Any) -> None:
    """Serve a web app on a free port of this computer, and print where."""
    # Over stdio, where the start is measured, nobody needs these.
    import socket

    import uvicorn

    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        # As asyncio does for sockets that it makes itself.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run([listener])


def _server() -> Server[Any]:
    if "--tool" not in sys.argv:
        return Server("bare")
    schemas = {"nothing": {"type": "object"}}
    return Server("bare", on_call_tool=_call, on_list_tools=_list, get_tool_input_schema=schemas.get)


async def _main() -> None:
    server = _server()
    async with stdio_server() as (source, sink):
        await server.run(source, sink, server.create_initialization_options())


if __name__ == "__main__":
    if "--http" in sys.argv:
        serve_app(_server().streamable_http_app(host="127.0.0.1"))
    else:
        anyio.run(_main)
