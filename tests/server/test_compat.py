"""The private parts of the MCP SDK that the server needs: each is still there and does what it is needed for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

import viam_mcp
from tests.http.site import serving
from viam_mcp.http import build_app, transport_security
from viam_mcp.server import compat

if TYPE_CHECKING:
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.connection import Connection


COMPAT = Path(compat.__file__)


def server_that_notes(connections: list[Connection]) -> Server[Any]:
    """A server whose list of tools is empty, and which notes the connection of each request for it."""

    async def list_tools(ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        connections.append(compat.connection_of(ctx))
        return types.ListToolsResult(tools=[])

    return Server("noting", on_list_tools=list_tools)


async def test_a_session_of_the_2025_era_has_one_connection_whose_exit_stack_runs_at_its_end() -> None:
    connections: list[Connection] = []
    ended: list[str] = []
    async with Client(server_that_notes(connections), mode="legacy") as client:
        await client.list_tools()
        await client.list_tools()
        connections[0].exit_stack.callback(ended.append, "ended")
        assert ended == []
    assert connections[0] is connections[1]
    assert ended == ["ended"]


async def test_a_request_of_2026_07_28_has_a_connection_that_ends_with_it() -> None:
    connections: list[Connection] = []
    ended: list[str] = []
    server = server_that_notes(connections)

    async def note_end(ctx: Any, call_next: Any) -> Any:
        compat.connection_of(ctx).exit_stack.callback(ended.append, ctx.method)
        return await call_next(ctx)

    server.middleware.append(note_end)
    async with Client(server, mode="auto") as client:
        await client.list_tools()
        assert "tools/list" in ended


def test_the_sdk_s_own_spans_can_be_left_out() -> None:
    server: Server[Any] = Server("spans")
    (spans,) = server.middleware
    compat.without_spans(server)
    assert type(spans).__name__ == "OpenTelemetryMiddleware"
    assert server.middleware == []


async def test_open_sessions_are_known_and_a_session_can_be_refused() -> None:
    asked: list[AuthorizationContext | None] = []
    admits = True
    server = server_that_notes([])

    def wrap(admit: compat.Admit) -> compat.Admit:
        def decide(requestor: AuthorizationContext | None) -> Any:
            asked.append(requestor)
            return admit(requestor) if admits else None

        return decide

    app = build_app(server, transport_security("127.0.0.1", authenticated=False))
    compat.admit_by(server.session_manager, wrap)
    async with serving(app) as site, httpx2.AsyncClient() as http:
        async with Client(streamable_http_client(site.url, http_client=http), mode="legacy") as client:
            await client.list_tools()
            assert len(compat.open_sessions(server.session_manager)) == 1
            admits = False
            with pytest.raises((MCPError, ExceptionGroup)):
                async with Client(streamable_http_client(site.url, http_client=http), mode="legacy"):
                    pass
        assert not compat.open_sessions(server.session_manager)
    assert asked == [None, None]


def test_no_other_module_imports_a_private_part_of_the_sdk() -> None:
    # That none is reached as an attribute either is ruff's SLF001.
    found = [
        f"{path.name}: {name}"
        for path in Path(viam_mcp.__file__).parent.rglob("*.py")
        if path != COMPAT
        for node in ast.walk(ast.parse(path.read_bytes()))
        for name in imported(node)
        if name.partition(".")[0] in ("mcp", "mcp_types") and "._" in name
    ]
    assert found == []


def imported(node: ast.AST) -> list[str]:
    """The modules and members that a statement imports, by their full names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []
