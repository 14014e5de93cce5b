"""Subscriptions to logs over HTTP: callers share an upstream, and a client that disconnects releases it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import mcp_types as types
import pytest

from tests.pace import PATIENCE
from tests.sandbox.client import named
from viam_mcp.proto.common import LogEntry

if TYPE_CHECKING:
    from typing import Any

    from tests.conftest import Mode
    from tests.http.conftest import Served
    from viam_mcp.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")


async def test_a_client_is_told_over_http_and_leaving_releases_the_log(
    served: Served, sandbox: Sandbox, mode: Mode
) -> None:
    part = named(sandbox, "parts", "picker-01-main")
    uri = f"viam://parts/{part}/logs"
    told = asyncio.Event()

    async def heard(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            told.set()

    async with served(log_linger=0.0) as site, asyncio.timeout(PATIENCE):
        async with site.client(mode, message_handler=heard) as client, AsyncExitStack() as stack:
            if mode == "legacy":
                await client.subscribe_resource(uri)
            else:
                await stack.enter_async_context(client.listen(resource_subscriptions=[uri]))
            await sandbox.hub.until(1)
            sandbox.emit(part, LogEntry(level="error", message="here"))
            await told.wait()
        await sandbox.hub.until(0)


async def test_callers_with_one_key_share_an_upstream(
    served: Served, sandbox: Sandbox, by_tokens: Any, new_token: Any
) -> None:
    part = named(sandbox, "parts", "picker-01-main")
    tokens = [new_token(name) for name in ("alice", "bob")]
    async with served(by_tokens) as site, asyncio.timeout(PATIENCE):
        for token in tokens:
            async with site.client("auto", token) as client:
                result = await client.call_tool("tail_robot_part_logs", {"robot_part_id": part, "wait_seconds": 0})
                assert not result.is_error
    assert sandbox.calls["TailRobotPartLogs"] == 1
