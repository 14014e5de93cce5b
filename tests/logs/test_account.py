"""Nothing is lost that is not told, and nothing is doubled: an exact account, over upstreams that are drawn.

By cursor, by subscriptions of the 2025 era, and by listening as clients of 2026-07-28 do; with one worker, and with
three among which the reader goes to and fro.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.logs.drawn import Account, Upstream, Worker, World, play, running, worlds
from tests.logs.server import PART

if TYPE_CHECKING:
    from collections.abc import Sequence


class ByCursor:
    """Reads with the cursor of the reading before, from any worker."""

    def __init__(self, upstream: Upstream, workers: Sequence[Worker]) -> None:
        self.upstream = upstream
        self.workers = workers
        self.cursor: str | None = None

    async def read(self) -> bool:
        draw, account = self.upstream.draw, self.upstream.account
        worker = draw.choice(list(self.workers))
        limit = draw.choice([2, 20, 1_000])
        news = await worker.tails.read([PART], cursor=self.cursor, wait=0.05, limit=limit)
        (reading,) = news.readings
        self.cursor = news.cursor()
        account.got.update(entry.message for entry in reading.entries)
        if reading.gap:
            account.told.append(reading.gap)
        return bool(reading.entries or reading.gap)

    async def restart(self, worker: Worker) -> None:
        await worker.restart()


def played(world: World, workers: int, **options: object) -> Account:
    """The account of a world after it was played."""

    async def run() -> Account:
        async with running(world, workers, **options) as (upstream, made):
            await play(upstream, made, ByCursor(upstream, made))
            return upstream.account

    return asyncio.run(run())


def check(account: Account) -> None:
    assert not account.untold, account
    assert not account.doubled, account


EXAMPLES = settings(
    max_examples=8, phases=[Phase.explicit, Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("workers", [1, 3])
@given(world=worlds(breaks=10))
@EXAMPLES
def test_by_cursor_nothing_is_lost_untold_and_nothing_is_doubled(workers: int, world: World) -> None:
    check(played(world, workers))
