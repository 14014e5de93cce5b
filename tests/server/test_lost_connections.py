"""Calls whose client goes away or cannot be sent a question, over real connections."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.http.site import serving
from tests.pace import PATIENCE
from tests.stores import outcomes, store_in
from viam_mcp.calls import Pipeline, choose
from viam_mcp.policy import Gate, parse
from viam_mcp.sandbox import Fault
from viam_mcp.server import build_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types

    from tests.conftest import Mode
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

ALLOW = '[[rules]]\naction = "allow"\ntools = ["delete_robot"]\n'
Serve = "Callable[..., AbstractAsyncContextManager[Client]]"


@pytest.fixture
def serve(app: AppClient, tmp_path: Path) -> Iterator[Callable[..., AbstractAsyncContextManager[Client]]]:
    """`async with serve("auto", policy="...", ended=callback, json_response=True) as client`, over HTTP."""
    stack = ExitStack()

    @asynccontextmanager
    async def open_client(
        mode: Mode, policy: str = "", ended: Any = None, person: Any = None, **transport: Any
    ) -> AsyncIterator[Client]:
        store = stack.enter_context(store_in(tmp_path))
        gate = Gate(parse(policy, "policy.toml"), app, store)
        server = build_server(Pipeline(choose(), app, gate, watch=ended)).mcp
        async with (
            serving(server.streamable_http_app(**transport)) as site,
            httpx2.AsyncClient(timeout=PATIENCE) as http,
            Client(streamable_http_client(site.url, http_client=http), mode=mode, elicitation_callback=person) as one,
        ):
            yield one

    with stack:
        yield open_client


@pytest.fixture
def robot_id(sandbox: Sandbox) -> str:
    return str(sandbox.store.value("SELECT id FROM robots WHERE name = 'picker-01'"))


async def test_the_end_of_a_call_that_its_client_cancels_is_in_the_audit(
    serve: Any, sandbox: Sandbox, robot_id: str, mode: Mode, tmp_path: Path
) -> None:
    fault = sandbox.faults.add("DeleteRobot", Fault(latency=PATIENCE))
    calls: asyncio.Queue[str] = asyncio.Queue()
    async with serve(mode, ALLOW, lambda tool, outcome, seconds: calls.put_nowait(outcome)) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "delete_robot", {"robot_id": robot_id})
            await asyncio.wait_for(fault.struck.wait(), PATIENCE)
            tasks.cancel_scope.cancel()
        assert await asyncio.wait_for(calls.get(), PATIENCE) == "cancelled"
        # Read while the server runs: its own end would cancel the call as well.
        assert outcomes(tmp_path) == ["started", "unknown"]


async def test_a_client_that_cannot_be_sent_a_question_gets_a_token(
    serve: Any, sandbox: Sandbox, robot_id: str
) -> None:
    async def person(context: Any, params: Any) -> types.ElicitResult:
        pytest.fail("the question reached the client")

    # Where answers are JSON and not streams, no request of the server reaches a client of the 2025 era.
    async with serve("legacy", person=person, json_response=True) as client:
        assert "confirm_operation" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
        text = result.content[0].text
        assert result.is_error
        assert "This client cannot ask its user" in text
        assert not (await client.call_tool("confirm_operation", {"operation_id": text.splitlines()[-1]})).is_error
    assert not sandbox.store.value("SELECT count(*) FROM robots WHERE id = ?", robot_id)
