"""Every tail of a program: one for each query, however many watch it, and none that nobody watches."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from grpclib.const import Status

from viam_mcp.app import InvalidArgument, ResourceExhausted
from viam_mcp.logs._cursor import Position, Query, bad_cursor, decode, encode, position_after
from viam_mcp.logs._entries import EVER, nanoseconds
from viam_mcp.logs._options import Options
from viam_mcp.logs._reading import read
from viam_mcp.logs._tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from viam_mcp.app import AppClient, LogEntry
    from viam_mcp.logs._reading import Reading

    Share = Callable[[Query], AbstractContextManager[object]]

MOST_PARTS = 16
"""How many parts are read at once."""
LONGEST_FILTER = 10_000
_LONGEST_WAIT = 600.0
# Reading the end of a log when a tail is opened is one call, which a reader in a hurry waits for, too.
_OPENING = 10.0
_RPC = "TailRobotPartLogs"
_SEPARATOR = "."


_SHARED: WeakValueDictionary[int, Tails] = WeakValueDictionary()


@dataclass(frozen=True)
class News:
    """What is new in some parts; one reading for each, in their order."""

    readings: Sequence[Reading]

    def cursor(self, taken: Sequence[int]) -> str:
        """What to bring back after taking so many entries of each part."""
        return _SEPARATOR.join(reading.cursor(number) for reading, number in zip(self.readings, taken, strict=True))


@dataclass
class _Watched:
    tail: Tail
    watchers: int = 0
    lingering: asyncio.Task[None] | None = None

    def stay(self) -> None:
        """Do not close when the time is over."""
        if self.lingering is not None:
            self.lingering.cancel()
            self.lingering = None


class Tails:
    """Opens tails for those who watch, and closes them some time after the last one has left.

    async with Tails(app) as tails:
        news = await tails.read([part_id], wait=10)
    """

    def __init__(self, app: AppClient, options: Options | None = None) -> None:
        """Follow the parts of one fleet.

        Args:
            app: The fleet.
            options: How tails behave.
        """
        self._app = app
        self._options = options or Options()
        self._share: Share = nullcontext
        self._open: dict[Query, _Watched] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._readers: set[asyncio.Event] = set()
        self._stopping = asyncio.Event()

    @classmethod
    def shared(cls, app: AppClient, options: Options | None = None) -> Tails:
        """Those of this client that others use already, or new ones with these options."""
        tails = _SHARED.get(id(app))
        if tails is None:
            # What is in the dictionary keeps its client, so that no other can have the same id.
            tails = _SHARED[id(app)] = cls(app, options)
        return tails

    def of(self, share: Share) -> Self:
        """Return the same tails for one of several callers.

        Args:
            share: Takes the tail of a query out of the caller's share until the block ends; raises if it is used up.
        """
        mine = copy(self)
        mine._share = share  # noqa: SLF001 - it is one of these
        return mine

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every tail at once."""
        watched = list(self._open.values())
        self._open.clear()
        for one in watched:
            one.stay()
        await asyncio.gather(*(one.tail.close() for one in watched), *self._closing, return_exceptions=True)

    def stop_waiting(self) -> None:
        """Have all readers return what they have, from now on: the program is about to end."""
        self._stopping.set()
        for news in self._readers:
            news.set()

    @property
    def open(self) -> int:
        """How many tails are open."""
        return len(self._open)

    async def pause(self, seconds: float) -> None:
        """Wait, by the clock that the tails go by."""
        await self._options.pause(seconds)

    @contextmanager
    def watch(self, query: Query) -> Iterator[Tail]:
        """The tail of a query, which stays open inside the block.

        Raises:
            InvalidArgument: The filter is too long.
            ResourceExhausted: There are as many tails as there may be, all of them watched.
        """
        with self._share(query):
            watched = self._watched(query)
            watched.watchers += 1
            watched.stay()
            try:
                yield watched.tail
            finally:
                watched.watchers -= 1
                if not watched.watchers and self._open.get(query) is watched:
                    watched.lingering = self._later(self._linger(query, watched))

    async def read(
        self,
        part_ids: Sequence[str],
        *,
        errors_only: bool = True,
        filter: str = "",
        cursor: str | None = None,
        limit: int = 100,
        wait: float = 0.0,
        backlog: int = 0,
    ) -> News:
        """What some parts have logged since the cursor; waits until there is something.

        Args:
            part_ids: The parts, at most 16.
            errors_only: Only entries of level error.
            filter: Only entries whose message contains this.
            cursor: Where to go on: of an earlier reading of the same parts with the same conditions. A part
                that it says nothing about is followed from now on. None: all are.
            limit: At most so many entries of each part.
            wait: Seconds to wait for something new, at most.
            backlog: Without a cursor, begin with this many entries from before, as far as the tail has them.

        Raises:
            InvalidArgument: An argument cannot be right, or the cursor is not one of these parts.
            ResourceExhausted: Too many tails are open.
            AppError: None of the parts can be followed.
        """
        _check(part_ids, limit, wait, backlog)
        queries = [Query(part_id, errors_only, filter) for part_id in dict.fromkeys(part_ids)]
        positions = _positions(queries, cursor)
        news = asyncio.Event()
        deadline = asyncio.get_running_loop().time() + wait
        with ExitStack() as stack:
            self._readers.add(news)
            stack.callback(self._readers.discard, news)
            tails = [stack.enter_context(self.watch(query)) for query in queries]
            for tail in tails:
                stack.enter_context(tail.listening(news))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(wait, _OPENING)):
                    await asyncio.gather(*(tail.begin() for tail in tails))
            while True:
                news.clear()
                readings = await asyncio.gather(
                    *(read(tail, positions.setdefault(tail.query, tail.start(backlog)), limit) for tail in tails)
                )
                if self._stopping.is_set() or any(reading.entries or reading.gap for reading in readings):
                    return News(readings)
                failures = [tail.failure for tail in tails if tail.failure is not None]
                if len(failures) == len(tails):
                    raise failures[0].with_traceback(None)
                positions = {reading.query: reading.position_at(0) for reading in readings}
                try:
                    async with asyncio.timeout_at(deadline):
                        await news.wait()
                except TimeoutError:
                    return News(readings)

    def cursor(
        self, part_id: str, entries: Sequence[LogEntry], *, whole: bool, errors_only: bool, filter: str = ""
    ) -> str:
        """Where a tail goes on for someone who has read the end of a part's log by other means.

        Args:
            part_id: The part.
            entries: What was read: the newest of the log, the latest first.
            whole: Whether there was nothing before them.
            errors_only: Whether only entries of level error were read.
            filter: What the messages of all that was read contain.
        """
        lateness = self._options.lateness_ns
        before = self._options.now() - lateness if not entries else nanoseconds(entries[-1]) + 1
        lowest = EVER if whole and entries else before
        position = position_after(entries, lowest=lowest, lateness=lateness)
        return encode(Query(part_id, errors_only, filter), position)

    def _watched(self, query: Query) -> _Watched:
        watched = self._open.get(query)
        if watched is not None and watched.tail.failure is None:
            return watched
        if len(query.filter) > LONGEST_FILTER:
            raise _invalid(
                f"filter has {len(query.filter):,} characters, and at most {LONGEST_FILTER:,} are taken",
                "Give a part of the message that is shorter.",
            )
        if watched is not None:
            self._drop(query)
        elif len(self._open) >= self._options.most_tails:
            idle = next((query for query, one in self._open.items() if not one.watchers), None)
            if idle is None:
                raise ResourceExhausted(
                    Status.RESOURCE_EXHAUSTED,
                    f"{len(self._open)} live logs are open already, which is the limit of this server",
                    rpc=_RPC,
                    hint="Stop watching others first, or use get_robot_part_logs.",
                )
            self._drop(idle)
        watched = self._open[query] = _Watched(Tail(self._app, query, self._options))
        return watched

    async def _linger(self, query: Query, watched: _Watched) -> None:
        await self._options.pause(self._options.linger)
        watched.lingering = None
        self._drop(query)

    def _drop(self, query: Query) -> None:
        watched = self._open.pop(query)
        watched.stay()
        self._later(watched.tail.close())

    def _later(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


def _positions(queries: Sequence[Query], cursor: str | None) -> dict[Query, Position]:
    if cursor is None:
        return {}
    digests = {query.digest: query for query in queries}
    if len(cursor) > 1_000 * MOST_PARTS:
        raise bad_cursor("this is not one")
    found = {}
    for one in cursor.split(_SEPARATOR):
        digest, position = decode(one)
        if digest in digests:
            found[digests[digest]] = position
    if not found:
        raise bad_cursor("it belongs to another part, or to other conditions")
    return found


def _check(part_ids: Sequence[str], limit: int, wait: float, backlog: int) -> None:
    if not 0 < len(part_ids) <= MOST_PARTS:
        raise _invalid(f"{len(part_ids)} parts were named", f"Name 1 to {MOST_PARTS} parts.")
    if limit < 1:
        raise _invalid(f"limit is {limit}", "Give 1 or more.")
    if not 0 <= wait <= _LONGEST_WAIT:
        raise _invalid(f"the time to wait is {wait:g} s", f"Give 0 to {_LONGEST_WAIT:g} seconds.")
    if backlog < 0:
        raise _invalid(f"backlog is {backlog}", "Give 0 or more.")


def _invalid(wrong: str, hint: str) -> InvalidArgument:
    return InvalidArgument(Status.INVALID_ARGUMENT, wrong, rpc=_RPC, hint=hint)
