from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError

from tests.pace import PATIENCE
from tests.sandbox.client import connected, named, refused
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox import Sandbox
from viam_mcp.sandbox.live.hub import BACKLOG

if TYPE_CHECKING:
    from tests.sandbox.client import Calls, Client
    from viam_mcp.sandbox.rows.store import FleetStore


@pytest.fixture
def part(sandbox: Sandbox) -> str:
    return named(sandbox, "parts", "picker-01-main")


def entry(message: str, level: str = "info") -> LogEntry:
    return LogEntry(level=level, message=message)


async def test_a_tail_sees_what_its_part_logs_from_now_on(sandbox: Sandbox, client: Client, part: str) -> None:
    async with asyncio.timeout(PATIENCE), client.tail(part) as entries:
        sandbox.emit(named(sandbox, "parts", "picker-01-arm"), entry("elsewhere"))
        sandbox.emit(part, entry("one"), entry("two"))
        sandbox.emit(part, entry("three"))

        assert [(await anext(entries)).message for _ in range(3)] == ["one", "two", "three"]

    logged = await client("GetRobotPartLogs", id=part, limit=3)
    assert {found.message for found in logged.logs} == {"one", "two", "three"}


async def test_a_tail_filters_by_level_and_text(sandbox: Sandbox, client: Client, part: str) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        client.tail(part, errors_only=True) as errors,
        client.tail(part, filter="b") as matching,
    ):
        sandbox.emit(part, entry("a"), entry("a", "error"), entry("b"), entry("ab", "error"))

        assert [(await anext(errors)).message for _ in range(2)] == ["a", "ab"]
        assert [(await anext(matching)).message for _ in range(2)] == ["b", "ab"]


async def test_a_closed_tail_is_forgotten(sandbox: Sandbox, client: Client, part: str) -> None:
    async with asyncio.timeout(PATIENCE):
        async with client.tail(part):
            assert sandbox.hub.tails == 1
        await sandbox.hub.until(0)
        sandbox.emit(part, entry("to nobody"))


async def test_a_closed_connection_ends_its_tails(sandbox: Sandbox, part: str) -> None:
    async with asyncio.timeout(PATIENCE):
        async with connected(sandbox) as other:
            context = other.tail(part)
            await context.__aenter__()
            await sandbox.hub.until(1)
        await sandbox.hub.until(0)
        with pytest.raises(StreamTerminatedError):
            await context.__aexit__(None, None, None)


async def test_a_tail_ends_when_its_part_is_deleted(sandbox: Sandbox, call: Calls, client: Client, part: str) -> None:
    async with asyncio.timeout(PATIENCE):
        with refused(Status.NOT_FOUND, part):
            async with client.tail(part) as entries:
                sandbox.emit(part, entry("last words"))
                await call("DeleteRobot", id=named(sandbox, "robots", "picker-01"))
                assert (await anext(entries)).message == "last words"
                await anext(entries)


async def test_a_tail_ends_when_its_key_is_rotated(sandbox: Sandbox, call: Calls, part: str) -> None:
    machine = sandbox.store.one("SELECT id, key FROM api_keys WHERE name = 'picker-01-machine'")
    assert machine
    async with asyncio.timeout(PATIENCE), connected(sandbox, machine["id"], machine["key"]) as own:
        with refused(Status.UNAUTHENTICATED, "rotated"):
            async with own.tail(part) as entries:
                await call("RotateKey", id=machine["id"])
                await anext(entries)


async def test_a_tail_survives_changes_that_do_not_concern_it(
    sandbox: Sandbox, call: Calls, client: Client, part: str
) -> None:
    async with asyncio.timeout(PATIENCE), client.tail(part) as entries:
        await call("DeleteRobot", id=named(sandbox, "robots", "hauler-01"))
        sandbox.emit(part, entry("still here"))
        assert (await anext(entries)).message == "still here"


async def test_tailing_needs_the_part_to_exist(client: Client) -> None:
    async with asyncio.timeout(PATIENCE):
        with refused(Status.NOT_FOUND):
            async with client.tail("00000000-0000-4000-8000-000000000000") as entries:
                await anext(entries)


async def test_a_reader_too_far_behind_is_told_so(sandbox: Sandbox, client: Client, part: str) -> None:
    async with asyncio.timeout(PATIENCE):
        with refused(Status.RESOURCE_EXHAUSTED, "behind"):
            async with client.tail(part) as entries:
                sandbox.emit(part, *(entry("flood") for _ in range(BACKLOG + 1)))
                async for _ in entries:
                    pass


async def test_many_entries_come_in_order(sandbox: Sandbox, client: Client, part: str) -> None:
    async with asyncio.timeout(PATIENCE), client.tail(part) as entries:
        sandbox.emit(part, *(entry(str(n)) for n in range(BACKLOG)))
        assert [(await anext(entries)).message for _ in range(BACKLOG)] == [str(n) for n in range(BACKLOG)]


async def test_a_sandbox_that_stops_takes_leave_of_its_tails(demo_fleet: FleetStore) -> None:
    async with asyncio.timeout(PATIENCE):
        starting = Sandbox.start(demo_fleet.copy())
        sandbox = await starting.__aenter__()
        async with connected(sandbox) as client:
            with refused(Status.UNAVAILABLE, "stopping"):
                async with client.tail(named(sandbox, "parts", "picker-01-main")) as entries:
                    sandbox.emit(named(sandbox, "parts", "picker-01-main"), entry("goodbye"))
                    await starting.__aexit__(None, None, None)
                    assert (await anext(entries)).message == "goodbye"
                    await anext(entries)
