"""What online machines log while the sandbox runs.

A part repeats entries that it has logged before, with the present time, so that they fit the part in any
fleet. When it checks in and was asked to restart, it logs that it restarts, and that it has started.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.rows.store import now as present
from viam_mcp.sandbox.rpc import CHECK_IN, set_time

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = ["LIVE_INTERVAL", "generate_logs", "repeated", "restarted"]

LIVE_INTERVAL = 2.0
"""Seconds between two entries of an online part, on average, in a fleet that people look at."""

# Only a part's oldest entries are repeated, so that repetitions are not repeated themselves.
_REPERTOIRE = 1_000
_START = 1_000_000  # nanoseconds from the end of viam-server to its start


async def generate_logs(
    store: FleetStore, emit: Callable[[str, LogEntry], None], rng: random.Random, interval: float
) -> None:
    """Let every online part log something now and then, for ever.

    Args:
        store: The fleet.
        emit: Stores an entry of a part and shows it to those who tail the part.
        rng: Decides who says what, and when.
        interval: Seconds between two entries of one part, on average.
    """
    while True:
        online = [row["id"] for row in store.all("SELECT id FROM parts WHERE online ORDER BY id")]
        await asyncio.sleep(rng.expovariate(max(len(online), 1) / interval))
        time = present()
        for part_id in restarted(store, time):
            emit(part_id, _entry("viam-server is restarting: it was asked to", time))
            emit(part_id, _entry("viam-server started", time + _START))
        if online and (entry := repeated(store, rng.choice(online), rng, time)):
            emit(*entry)


def repeated(store: FleetStore, part_id: str, rng: random.Random, time: int) -> tuple[str, LogEntry] | None:
    """Return an entry that the part has logged before, with the time `time`; None if it has logged nothing."""
    seqs = store.all("SELECT seq FROM logs WHERE part_id = ? ORDER BY time, seq LIMIT ?", part_id, _REPERTOIRE)
    if not seqs:
        return None
    entry = LogEntry.FromString(store.value("SELECT entry FROM logs WHERE seq = ?", rng.choice(seqs)["seq"]))
    set_time(entry.time, time)
    return part_id, entry


def restarted(store: FleetStore, time: int) -> list[str]:
    """Return the parts that have learnt by `time` that they have to restart, and clear their restart flags."""
    due = "online AND restart_requested <= ?"
    parts = [row["id"] for row in store.all(f"SELECT id FROM parts WHERE {due} ORDER BY id", time - CHECK_IN)]  # noqa: S608
    store.run(f"UPDATE parts SET restart_requested = NULL WHERE {due}", time - CHECK_IN)  # noqa: S608
    return parts


def _entry(message: str, time: int) -> LogEntry:
    entry = LogEntry(level="info", logger_name="rdk", message=message)
    set_time(entry.time, time)
    return entry
