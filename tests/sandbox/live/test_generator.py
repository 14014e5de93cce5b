from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from tests.pace import PATIENCE
from tests.sandbox.client import connected, named
from viam_mcp.sandbox import Sandbox
from viam_mcp.sandbox.live import generator
from viam_mcp.sandbox.rows.store import now
from viam_mcp.sandbox.rpc import CHECK_IN

if TYPE_CHECKING:
    from tests.sandbox.client import Client
    from viam_mcp.proto.common import LogEntry
    from viam_mcp.sandbox.rows.store import FleetStore


def test_a_part_says_again_what_it_has_said_before(demo_fleet: FleetStore) -> None:
    part = demo_fleet.value("SELECT id FROM parts WHERE name = 'picker-01-arm'")
    said = {row["message"] for row in demo_fleet.all("SELECT message FROM logs WHERE part_id = ?", part)}

    again = [generator.repeated(demo_fleet, part, random.Random(7), 5_000_000_007) for _ in range(2)]

    assert again[0] == again[1]
    assert again[0] is not None
    part_id, entry = again[0]
    assert part_id == part
    assert entry.message in said
    assert (entry.time.seconds, entry.time.nanos) == (5, 7)


def test_a_part_that_never_said_anything_stays_silent(demo_fleet: FleetStore) -> None:
    part = demo_fleet.value("SELECT id FROM parts WHERE name = 'dock-counter-02-main'")
    assert generator.repeated(demo_fleet, part, random.Random(0), now()) is None


async def test_online_parts_log_and_offline_ones_do_not(sandbox: Sandbox) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    speaking = asyncio.create_task(
        generator.generate_logs(sandbox.store, lambda part, _: said.put_nowait(part), random.Random(1), interval=0.001)
    )
    async with asyncio.timeout(PATIENCE):
        parts = {await said.get() for _ in range(200)}
    speaking.cancel()

    online = {row["id"] for row in sandbox.store.all("SELECT id FROM parts WHERE online")}
    assert parts == online


async def test_a_part_restarts_when_it_checks_in(sandbox: Sandbox, client: Client) -> None:
    part = named(sandbox, "parts", "picker-01-main")
    await client("MarkPartForRestart", part_id=part)

    assert generator.restarted(sandbox.store, now()) == []
    assert generator.restarted(sandbox.store, now() + CHECK_IN) == [part]
    assert generator.restarted(sandbox.store, now() + 2 * CHECK_IN) == []


async def test_a_live_sandbox_shows_new_entries_to_a_tail(demo_fleet: FleetStore) -> None:
    store = demo_fleet.copy()
    part = store.value("SELECT id FROM parts WHERE name = 'picker-01-main'")
    store.run("UPDATE parts SET online = 0 WHERE id <> ?", part)
    async with Sandbox.start(store, live=0.01) as sandbox, connected(sandbox) as client:
        async with asyncio.timeout(PATIENCE), client.tail(part) as entries:
            store.run("UPDATE parts SET restart_requested = 1 WHERE id = ?", part)
            seen: list[LogEntry] = []
            while len(seen) < 3 or "viam-server started" not in {entry.message for entry in seen}:
                seen.append(await anext(entries))
        kept = await client("GetRobotPartLogs", id=part, limit=100)
    assert all(entry in kept.logs for entry in seen)
    times = {entry.message: entry.time.ToNanoseconds() for entry in seen}
    assert times["viam-server is restarting: it was asked to"] < times["viam-server started"]
