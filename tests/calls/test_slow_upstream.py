"""A fleet that is slow, hangs or is gone, behind a real MCP server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from mcp import Client

from tests.stores import store_in
from viam_mcp.app import connect
from viam_mcp.calls import Kind, Limits, Pipeline, call_limiter
from viam_mcp.calls._breaker import FAILURES, Breaker
from viam_mcp.calls._upstream import UpstreamMonitor
from viam_mcp.policy import Gate, Policy
from viam_mcp.sandbox import Fault
from viam_mcp.server import build_server
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from viam_mcp.sandbox import Sandbox

ROBOT = {"robot_id": "00000000-0000-4000-8000-000000000000"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timeout() -> float:
    return 5.0


@pytest.fixture
async def calls(sandbox: Sandbox, tmp_path: Path, clock: Clock, timeout: float) -> AsyncIterator[Pipeline]:
    async with connect(
        sandbox.url,
        api_key_id=sandbox.api_key_id,
        api_key=sandbox.api_key,
        timeout=timeout,
        observer=UpstreamMonitor(Breaker(clock)),
    ) as app:
        limits = (
            Limits()
            .with_limit(Kind.CALLS, each=4, in_all=4)
            .with_limit(Kind.TOOL_CALLS, each=2)
            .with_limit(Kind.WAITING_CALLS, in_all=1)
        )
        with store_in(tmp_path) as store:
            yield Pipeline(TOOLS, app, Gate(Policy(), app, store), limiter=call_limiter(limits))


@pytest.fixture
async def client(calls: Pipeline) -> AsyncIterator[Client]:
    async with Client(build_server(calls).mcp) as connected:
        yield connected


async def text(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    (content,) = (await client.call_tool(tool, arguments)).content
    assert content.type == "text"
    return content.text


@pytest.mark.parametrize("timeout", [0.2])
async def test_an_rpc_that_hangs_fails_fast_after_a_while_and_others_go_on(
    client: Client, clock: Clock, sandbox: Sandbox
) -> None:
    fault = sandbox.faults.add("GetRobot", Fault(times=None, hang=True))
    for _ in range(FAILURES):
        assert "DEADLINE_EXCEEDED" in await text(client, "get_robot", ROBOT)
    said = await text(client, "get_robot", ROBOT)
    assert fault.struck.is_set()
    assert "did not answer the last 5 calls of GetRobot" in said
    assert "Nothing was done; retry after 1 s." in said
    assert "organizations" in await text(client, "list_organizations", {})
    sandbox.faults.clear()
    clock.now += 1.0
    # An answer that says no is an answer.
    assert "NOT_FOUND" in await text(client, "get_robot", ROBOT)
    assert "NOT_FOUND" in await text(client, "get_robot", ROBOT)


async def test_what_waits_for_a_tool_that_hangs_is_bounded_and_others_pass_it(
    client: Client, calls: Pipeline, sandbox: Sandbox
) -> None:
    fault = sandbox.faults.add("GetRobot", Fault(times=None, hang=True))
    slow = [asyncio.create_task(text(client, "get_robot", ROBOT)) for _ in range(3)]
    await fault.struck.wait()
    while calls.active < 3:  # noqa: ASYNC110 - the server is in this process, and has nobody to tell
        await asyncio.sleep(0)
    assert "This server is busy: 1 calls are waiting." in await text(client, "get_robot", ROBOT)
    assert "organizations" in await text(client, "list_organizations", {})
    sandbox.faults.clear()
    assert all("NOT_FOUND" in said for said in await asyncio.gather(*slow))
    assert calls.active == 0


async def test_what_a_call_came_to_is_told_in_a_word(client: Client, calls: Pipeline, sandbox: Sandbox) -> None:
    seen: list[tuple[str, str]] = []
    calls._watch = lambda tool, outcome, seconds: seen.append((tool, outcome))
    sandbox.faults.add("ListOrganizations", Fault(status=Status.PERMISSION_DENIED))
    for tool, arguments in (
        ("list_organizations", {}),
        ("list_organizations", {}),
        ("get_robot", ROBOT),
        ("get_robot", {}),
        ("delete_robot", ROBOT),
        ("no_such_tool", {}),
    ):
        await client.call_tool(tool, arguments)
    assert seen[:4] == [
        ("list_organizations", "PERMISSION_DENIED"),
        ("list_organizations", "ok"),
        ("get_robot", "NOT_FOUND"),
        ("get_robot", "invalid"),
    ]
    assert seen[4][1] in ("asked", "NOT_FOUND")
    assert seen[5] == ("unknown", "invalid")
