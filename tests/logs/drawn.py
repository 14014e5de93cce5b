"""An upstream that is drawn: how late its entries come, what its clocks say, how it breaks, what it says twice.

Time is virtual: a run of many minutes takes as long as its messages. Everything else is real: a gRPC server, its
connections, and as many workers as there are, each with a client and tails of its own. At the end there is an exact
account: what was sent, what its reader got, what was lost, doubled and told.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

from hypothesis import strategies as st

from tests.app.service import KEY, KEY_ID, serving
from tests.logs.server import SECOND, WRONGS, LogServer, end, entry, token_ends
from viam_mcp.app import connect
from viam_mcp.logs import Memory, Options, Tails

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.logs import Gap

BEGIN = 1_790_000_000 * SECOND
HOUR = 3_600
PATIENCE = 20.0
"""Seconds that an account may take to be whole, on a machine that may be busy."""


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.nanoseconds = BEGIN
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0

    def now(self) -> int:
        return self.nanoseconds

    async def pause(self, seconds: float) -> None:
        over = asyncio.get_running_loop().create_future()
        self._number += 1
        heappush(self._waiting, (self.nanoseconds + int(seconds * SECOND), self._number, over))
        self._wake()
        await over

    def advance(self, seconds: float) -> None:
        self.nanoseconds += int(seconds * SECOND)
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.nanoseconds:
            _, _, over = heappop(self._waiting)
            if not over.done():
                over.set_result(None)


@dataclass(frozen=True)
class World:
    """What an upstream is like.

    Attributes:
        seed: For everything that is drawn entry by entry.
        breaks: How often it breaks.
        rate: About how many entries it logs a second.
        late: By how many seconds an entry comes late, at most.
        often: Which share of the entries comes late.
        ahead: By how many seconds the machine's clock is ahead; negative where it is behind.
        outliers: Whether single entries are from an hour ahead.
        twins: Which share of the entries comes twice, in one message.
        large: Whether some entries are large.
        stored: How many entries there are before anybody reads.
        stored_ahead: How many entries from an hour ahead are among them.
        lives: Which share of the breaks ends the life of the tails too.
        ring: How many entries a ring holds.
        reads: How often its reader reads between two breaks.
    """

    seed: int = 0
    breaks: int = 8
    rate: int = 5
    late: float = 0.0
    often: float = 0.0
    ahead: float = 0.0
    outliers: bool = False
    twins: float = 0.0
    large: bool = False
    stored: int = 0
    stored_ahead: int = 0
    lives: float = 0.0
    ring: int = 10_000
    reads: int = 1


def worlds(breaks: int, **chosen: Any) -> st.SearchStrategy[World]:
    """Draw upstreams with so many breaks; what is chosen is not drawn."""
    drawn: dict[str, Any] = {
        "seed": st.integers(0, 2**32 - 1),
        "breaks": st.just(breaks),
        "rate": st.sampled_from([1, 5, 20]),
        "late": st.sampled_from([0.0, 0.5, 5.0, 30.0, 60.0]),
        "often": st.sampled_from([0.02, 0.3, 1.0]),
        "ahead": st.sampled_from([0.0, 0.0, 2.0 * HOUR, -2.0 * HOUR]),
        "outliers": st.booleans(),
        "twins": st.sampled_from([0.0, 0.1]),
        "large": st.booleans(),
        "stored": st.sampled_from([0, 30, 150]),
        "stored_ahead": st.sampled_from([0, 3, 150]),
        "lives": st.sampled_from([0.0, 0.3]),
        "reads": st.integers(0, 3),
    }
    strategies = {name: st.just(value) for name, value in chosen.items()}
    return st.builds(World, **{**drawn, **strategies})


@dataclass
class Account:
    """What was sent, and what became of it."""

    sent: dict[str, int] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    got: Counter[str] = field(default_factory=Counter)
    told: list[Gap] = field(default_factory=list)

    @property
    def lost(self) -> dict[str, int]:
        """Messages that did not come as often as they were sent."""
        got = self.got
        return {message: sent - got[message] for message, sent in self.sent.items() if got[message] < sent}

    @property
    def doubled(self) -> dict[str, int]:
        """Messages that came more often than they were sent."""
        return {message: number for message, number in self.got.items() if number > self.sent.get(message, 0)}

    @property
    def untold(self) -> list[str]:
        """What was lost, and lies in no gap."""
        return [message for message in self.lost if not any(_lies_in(self.times[message], gap) for gap in self.told)]

    def __str__(self) -> str:
        lost = {message: (self.times[message] - BEGIN) / SECOND for message in self.lost}
        gaps = [
            (gap.reason, *(at and at.timestamp() - BEGIN / SECOND for at in (gap.since, gap.until)), gap.count)
            for gap in self.told
        ]
        return (
            f"sent {sum(self.sent.values())}, got {self.got.total()}, lost {lost}, of which untold {self.untold}, "
            f"doubled {self.doubled}, told {gaps}"
        )


def _lies_in(time: int, gap: Gap) -> bool:
    since = gap.since is None or gap.since.timestamp() * SECOND <= time + 1_000
    until = gap.until is None or time <= gap.until.timestamp() * SECOND + 1_000
    return since and until


class Upstream:
    """A world that runs.

    Attributes:
        account: What was sent, and what became of it.
        clock: Its time.
        server: The service that it logs to.
    """

    def __init__(self, world: World, server: LogServer, clock: Clock) -> None:
        self.world = world
        self.server = server
        self.clock = clock
        self.account = Account()
        self.draw = random.Random(world.seed)
        self._number = 0
        self._due: list[tuple[int, int, Any, int]] = []

    def store(self) -> None:
        """Log what is there before anybody reads."""
        world, now = self.world, self.clock.now()
        for number in range(world.stored):
            at = now + int(world.ahead * SECOND) - (number + 1) * SECOND // 2
            self.server.log.append(entry(f"stored {number}", at))
        for number in range(world.stored_ahead):
            self.server.log.append(entry(f"ahead {number}", now + (HOUR + number) * SECOND))

    def run(self, seconds: float) -> None:
        """Let time pass, in steps of a quarter of a second, and log what falls into it."""
        for _ in range(max(int(seconds * 4), 1)):
            for _ in range(self.draw.choice([0, 1, 2]) * max(self.world.rate // 4, 1)):
                self._write()
            self.clock.advance(0.25)
            self.deliver()

    def deliver(self, *, all_of_it: bool = False) -> None:
        """Store what has come, in the order in which it comes."""
        entries = []
        while self._due and (all_of_it or self._due[0][0] <= self.clock.now()):
            _, _, made, times = heappop(self._due)
            entries += [made] * times
        if entries:
            self.server.emit(*entries)

    def _write(self) -> None:
        world, draw, now = self.world, self.draw, self.clock.now()
        message = str(self._number)
        self._number += 1
        times = 2 if draw.random() < world.twins else 1
        delay = draw.uniform(0, world.late) if draw.random() < world.often else 0.0
        # Clocks of machines count milliseconds, so that some entries share their time.
        at = now + int(world.ahead * SECOND) - draw.randrange(250) * 1_000_000
        if world.outliers and draw.random() < 0.02:
            at += HOUR * SECOND
        text = message + " " * (300_000 if world.large and draw.random() < 0.01 else 0)
        self.account.sent[text] = times
        self.account.times[text] = at
        heappush(self._due, (now + int(delay * SECOND), self._number, entry(text, at), times))


class Worker:
    """What stands for a process: tails of its own, over a connection of its own."""

    def __init__(self, app: AppClient, options: Options) -> None:
        self.app = app
        self.options = options
        self.tails = Tails(app, options)

    async def restart(self) -> None:
        """Forget everything, as a process that begins again."""
        await self.tails.close()
        self.tails = Tails(self.app, self.options)


@asynccontextmanager
async def running(world: World, workers: int, **options: Any) -> AsyncIterator[tuple[Upstream, list[Worker]]]:
    """Run an upstream with so many workers."""
    clock = Clock()
    async with serving(LogServer()) as server, AsyncExitStack() as stack:
        assert isinstance(server, LogServer)
        upstream = Upstream(world, server, clock)
        upstream.store()
        tail_options = Options(
            **{
                "ring_entries": world.ring,
                "pause": clock.pause,
                "now": clock.now,
                "backoff": lambda failures: 0.5,
                "memory": Memory(2**30),
                "linger": 1e9 if not world.lives else 120.0,
                "opening": PATIENCE,
                **options,
            }
        )
        made = []
        for _ in range(workers):
            app = await stack.enter_async_context(connect(server.url, api_key_id=KEY_ID, api_key=KEY))
            made.append(Worker(app, tail_options))
        try:
            yield upstream, made
        finally:
            for worker in made:
                await worker.tails.close()
            server.drop()


class Reader(Protocol):
    """Reads a log, and writes down what it got."""

    async def read(self) -> bool:
        """Read once; return whether there was anything."""

    async def restart(self, worker: Worker) -> None:
        """End the life of a worker, and begin another."""


async def play(upstream: Upstream, workers: Sequence[Worker], reader: Reader) -> None:
    """Let the world run, with a reader, until the account is whole or the patience is over."""
    world, server, draw, account = upstream.world, upstream.server, upstream.draw, upstream.account
    await reader.read()
    for _ in range(world.breaks):
        server.repeat = draw.choice([0, 0, 7])
        server.headers_first = draw.random() < 0.5
        server.batch = draw.choice([1, 4, 100])
        upstream.run(draw.uniform(0.25, 20))
        await _settled(upstream)
        for _ in range(draw.randint(0, world.reads)):
            await reader.read()
        upstream.run(draw.uniform(0, 2))
        wrong = draw.choice(WRONGS)
        if wrong is token_ends and not server.streams:
            # A key whose new token is refused as well counts as refused for good.
            wrong = end
        server.break_streams(wrong)
        upstream.run(draw.choice([0.25, 1, 5, 20]))
        if draw.random() < world.lives:
            await reader.restart(draw.choice(list(workers)))
    upstream.run(world.late + 1)
    upstream.deliver(all_of_it=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while account.untold:
                if not await reader.read():
                    upstream.clock.advance(20)
    # What might be doubled has come by then.
    for _ in range(3):
        upstream.clock.advance(45)
        await reader.read()


async def _settled(upstream: Upstream) -> None:
    """Wait until a stream is open again, as it mostly is when time passes; a deaf one is noticed later."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await upstream.server.until(lambda: upstream.server.streams > 0)
