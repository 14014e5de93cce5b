"""Progress of calls: a client that asked for it hears of every call that takes long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.pace import PATIENCE
from viam_mcp.sandbox import Fault

if TYPE_CHECKING:
    from mcp import Client

    from viam_mcp.sandbox import Sandbox


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viam_mcp.server._progress.INTERVAL", 0.01)


async def test_a_call_that_takes_long_reports_again_and_again_that_it_runs(client: Client, sandbox: Sandbox) -> None:
    fault = sandbox.faults.add("ListOrganizations", Fault(times=None, hang=True))
    heard: list[float] = []
    enough = asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        assert (total, message) == (None, "still running")
        heard.append(progress)
        if len(heard) == 5:
            enough.set()

    call = asyncio.create_task(client.call_tool("list_organizations", {}, progress_callback=report))
    async with asyncio.timeout(PATIENCE):
        await enough.wait()
        await fault.struck.wait()
    # The protocol has each value be larger than the one before.
    assert heard == sorted(set(heard))
    call.cancel()
    await asyncio.wait({call})


async def test_a_tail_reports_while_it_waits(client: Client, sandbox: Sandbox) -> None:
    part = sandbox.store.value("SELECT id FROM parts LIMIT 1")
    enough = asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        enough.set()

    arguments = {"robot_part_id": part, "wait_seconds": 50, "filter": "nothing says this"}
    call = asyncio.create_task(client.call_tool("tail_robot_part_logs", arguments, progress_callback=report))
    async with asyncio.timeout(PATIENCE):
        await enough.wait()
    call.cancel()
    await asyncio.wait({call})


async def test_nothing_is_reported_after_the_answer(client: Client) -> None:
    heard: list[float] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    assert not (await client.call_tool("list_organizations", {}, progress_callback=report)).is_error
    before = len(heard)
    for _ in range(5):
        await client.call_tool("list_organizations", {})
    assert len(heard) == before
