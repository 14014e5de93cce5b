"""A bare server on the SDK's low-level class and its own stdio: without tools, or with one that does nothing."""

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


async def _main() -> None:
    handlers = {"on_call_tool": _call, "on_list_tools": _list} if "--tool" in sys.argv else {}
    server: Server[Any] = Server("bare", **handlers)  # type: ignore[arg-type]
    async with stdio_server() as (source, sink):
        await server.run(source, sink, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_main)
