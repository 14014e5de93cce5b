"""One upstream, kept open: what a part logs, in the order in which it came, without a loss or a double.

The stream alone cannot promise that: it breaks, it may say again what it has said, and nothing tells
when it has begun to listen. So the log itself is read too, from a little before the latest entry that
came: when a connection is made, when its first entry comes (which proves that it listens), and when it
has been quiet for a while (which shows whether it has gone deaf). An entry that is found there and has
not come is new.

Two equal entries are one that was delivered twice, unless a single stream or a single page of the log
holds both of them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from viam_mcp.app import (
    AppError,
    InvalidArgument,
    NotFound,
    Page,
    PermissionDenied,
    Unauthenticated,
    Unimplemented,
)
from viam_mcp.logs._cursor import Position, position_after, take
from viam_mcp.logs._entries import EVER, SECOND, added, identity, moment, nanoseconds
from viam_mcp.logs._ring import Gap, Ring
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from viam_mcp.app import AppClient, LogEntry
    from viam_mcp.logs._cursor import Query
    from viam_mcp.logs._options import Options

logger = logging.getLogger("viam_mcp.logs")

_PAGE = 1_000
# Machines' clocks may be ahead of ours; the log is read up to here, not up to now.
_AHEAD = timedelta(days=1)
# How far back to look for the first entry of a log that was empty when it was first read.
_EMPTY = 3_600 * SECOND
_FINAL = (NotFound, InvalidArgument, PermissionDenied, Unauthenticated, Unimplemented)


class State(StrEnum):
    """How an upstream is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class UpstreamStatus:
    """How an upstream is doing, since when, and why where that is not obvious."""

    state: State
    since: datetime
    reason: str = ""


class Tail:
    """Follows one query from the moment it is started until it is closed.

    Attributes:
        query: What it follows.
        epoch: Tells this life from others of the same query.
        ring: What came.
        upstream: How it is doing.
        failure: Why it gave up for good; None while it has not.
    """

    def __init__(self, app: AppClient, query: Query, options: Options) -> None:
        self.query = query
        self.epoch = secrets.randbits(31) + 1
        self.ring = Ring(options.ring_entries, options.ring_bytes)
        self.failure: AppError | None = None
        self._app = app
        self._options = options
        self._started = options.now()
        self._oldest: int | None = None  # what is not later than this was logged before the tail began
        self._begun = asyncio.Event()
        self._turn = asyncio.Lock()  # the stream and readings of the log add entries one after the other
        self._batches = 0
        self._sound = False  # whether the present stream has shown that it works
        self._repeatable: Counter[int] = Counter()  # what the stream may yet bring, although it has come
        self._repeated_until = 0
        self._listeners: set[asyncio.Event] = set()
        self._become(State.CONNECTING)
        self._task = asyncio.create_task(self._run(), name=f"tail of {query.part_id}")

    async def close(self) -> None:
        """End the upstream."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.failure is None:
            self._become(State.CLOSED)

    @property
    def begun(self) -> bool:
        """Whether it has read the end of the log, after which nothing is missed, or has failed."""
        return self._begun.is_set()

    async def begin(self) -> None:
        """Wait until it has begun."""
        await self._begun.wait()

    @contextmanager
    def listening(self, news: asyncio.Event) -> Iterator[None]:
        """Inside, `news` is set whenever something came or the upstream changed."""
        self._listeners.add(news)
        try:
            yield
        finally:
            self._listeners.discard(news)

    @property
    def lateness(self) -> int:
        """By how much an entry may be older than one that arrived before it, in nanoseconds."""
        return self._options.lateness_ns

    def start(self, backlog: int) -> Position:
        """Where a reader begins that has seen nothing, and wants so many of the entries from before."""
        if not self.begun:
            return Position(self.epoch, 0, self._started)
        return self.position(max(self.ring.last - backlog, self.ring.first - 1))

    def position(self, number: int) -> Position:
        """Where a reader stands who has seen the ring up to this number."""
        return position_after(
            self.ring.before(number),
            lowest=self._lowest(),
            lateness=self.lateness,
            epoch=self.epoch,
            number=number,
        )

    async def page(self, start: int, token: str, limit: int) -> Page[LogEntry]:
        """What the log holds from a time on, in nanoseconds, oldest first."""
        return await self._read(start=moment(start), order=wire.LOG_ORDER_ASCENDING, limit=limit, token=token)

    async def _run(self) -> None:
        failures = 0
        while True:
            self._sound = False
            try:
                await self._connection()
                reason = "the server ended the stream"
            except AppError as error:
                # A token can end in the middle of a stream. That none is taken any more, the next reading shows.
                expired = isinstance(error, Unauthenticated) and self.upstream.state is State.LIVE
                if isinstance(error, _FINAL) and not expired:
                    self._fail(error)
                    return
                reason = str(error.message)
            except Exception as error:
                # Also what a watcher of the client refuses, such as calls that went unanswered lately.
                logger.warning("the tail of part %s broke", self.query.part_id, exc_info=True)
                reason = f"this program failed ({type(error).__name__})"
            failures = 0 if self._sound else failures + 1
            logger.debug("the tail of part %s broke: %s", self.query.part_id, reason)
            self._become(State.RECONNECTING if self.begun else State.CONNECTING, reason)
            await self._options.pause(self._options.backoff(failures))

    async def _connection(self) -> None:
        """One stream, from its opening until it ends, breaks or goes deaf."""
        self._repeatable.clear()
        # The first to run is the first to get the turn: the log is read before the stream adds anything.
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._receive())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _receive(self) -> None:
        query, first = self.query, True
        batches = await self._app.tail_robot_part_logs(query.part_id, query.errors_only, query.filter or None)
        async with aclosing(batches):
            async for entries in batches:
                async with self._turn:
                    if first:
                        await self._reconcile()
                        self._repeatable.clear()
                        self._expect_repetitions(self.ring)
                        first = False
                    self._batches += 1
                    self._sound = True
                    self._add([e for e in entries if self._is_new(e)] if self._repeatable else entries)

    async def _watch(self) -> None:
        async with self._turn:
            if self.begun:
                await self._reconcile()
            else:
                await self._begin_with_the_latest()
            self._become(State.LIVE)
        while True:
            batches = self._batches
            await self._options.pause(self._options.quiet)
            if self._batches == batches:
                async with self._turn:
                    if await self._reconcile():
                        return
                self._sound = True

    async def _begin_with_the_latest(self) -> None:
        entries = await self._latest()
        self.ring.last = -len(entries)  # so that what comes from now on has the numbers from 1 on
        self._add(entries)
        self._begun.set()

    async def _latest(self) -> list[LogEntry]:
        """The newest entries of the log, oldest first; what is older is not fetched any more."""
        page = await self._read(limit=self._options.backlog)
        entries = page[::-1]
        if entries and page.next_page_token:
            self._oldest = nanoseconds(entries[0])
        return entries

    async def _reconcile(self) -> bool:
        """Add what the log holds and did not come; whether there was anything."""
        lowest = self._lowest()
        latest = min(max(map(nanoseconds, self.ring), default=lowest), self._options.now())
        start = max(lowest, latest - self.lateness)
        came = Counter(identity(entry) for entry in self.ring if nanoseconds(entry) >= start)
        token, tokens, found = "", {""}, 0
        while True:
            page = await self.page(start, token, _PAGE)
            new = added(came, [entry for entry in page if nanoseconds(entry) >= start])
            found += len(new)
            self._expect_repetitions(new)
            self._add(new)
            token = page.next_page_token
            if token in tokens:
                return found > 0
            if found >= self._options.most_filled:
                await self._leave_out()
                return True
            tokens.add(token)

    async def _leave_out(self) -> None:
        """Go on from the newest entries, and say that those before them are missing."""
        since = max(map(nanoseconds, self.ring), default=self._lowest())
        entries = [entry for entry in await self._latest() if nanoseconds(entry) > since]
        until = nanoseconds(entries[0]) if entries else self._options.now()
        self.ring.note(Gap("not_filled", moment(until), moment(since)))
        self._add(entries)

    def _lowest(self) -> int:
        """Up to where the log is not looked at: it was logged before the tail began, or came and was forgotten."""
        known = [time + 1 for time in (self._oldest, self.ring.evicted) if time is not None]
        return max(known, default=self._started - _EMPTY if self.ring.first > self.ring.last else EVER)

    def _add(self, entries: Sequence[LogEntry]) -> None:
        if entries:
            self.ring.extend(entries)
            self._tell()

    def _expect_repetitions(self, entries: Ring | list[LogEntry]) -> None:
        """The stream may bring these too: now, or, when the newest come late, within the lateness."""
        self._repeatable.update(map(identity, entries))
        newest = max(map(nanoseconds, entries), default=0)
        self._repeated_until = max(self._repeated_until, newest + self.lateness)

    def _is_new(self, entry: LogEntry) -> bool:
        if take(self._repeatable, identity(entry)):
            return False
        if nanoseconds(entry) > self._repeated_until:
            # So late that nothing is repeated any more: from here on there is nothing to compare.
            self._repeatable.clear()
        return True

    async def _read(
        self, *, limit: int, start: datetime | None = None, order: wire.LogOrder | None = None, token: str = ""
    ) -> Page[LogEntry]:
        return await self._app.robot_part_logs_page(
            self.query.part_id,
            filter=self.query.filter or None,
            log_levels=["error"] if self.query.errors_only else (),
            start=start,
            end=None if start is None else moment(self._options.now()) + _AHEAD,
            order=order,
            limit=limit,
            page_token=token,
        )

    def _become(self, state: State, reason: str = "") -> None:
        self.upstream = UpstreamStatus(state, moment(self._options.now()), reason)
        self._tell()

    def _fail(self, error: AppError) -> None:
        self.failure = error
        self._become(State.FAILED, str(error.message))
        self._begun.set()

    def _tell(self) -> None:
        for news in self._listeners:
            news.set()
