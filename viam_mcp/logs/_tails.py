"""Every tail of a program: one for each query, however many watch it, and none that nobody watches."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from grpclib.const import Status

from viam_mcp.app import InvalidArgument, ResourceExhausted
from viam_mcp.logs._cursor import Position, encode
from viam_mcp.logs._digest import MASK, Digest, Mark
from viam_mcp.logs._entries import fingerprint, nanoseconds
from viam_mcp.logs._following import Following
from viam_mcp.logs._names import Names
from viam_mcp.logs._options import Options
from viam_mcp.logs._query import Query
from viam_mcp.logs._reading import LATEST_MARKS, digest_from
from viam_mcp.logs._tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from typing import Any, Self

    from viam_mcp.app import AppClient, LogEntry
    from viam_mcp.logs._following import News

    Share = Callable[[Query], AbstractContextManager[object]]

MOST_PARTS = 16
"""How many parts are read at once."""
LONGEST_FILTER = 10_000
_LONGEST_WAIT = 600.0
_RPC = "TailRobotPartLogs"

_SHARED: WeakValueDictionary[int, Tails] = WeakValueDictionary()


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

    Attributes:
        options: How tails behave.
        names: What the parts are called.
    """

    def __init__(self, app: AppClient, options: Options | None = None) -> None:
        """Follow the parts of one fleet.

        Args:
            app: The fleet.
            options: How tails behave.
        """
        self.options = options or Options()
        self.names = Names(app, self.options.now)
        self._app = app
        self._share: Share = nullcontext
        self._open: dict[Query, _Watched] = {}
        # Tails that have failed and were replaced: what they got last may not have been read by everybody.
        self._failed: dict[Query, Tail] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._readers: set[asyncio.Event] = set()
        self._stopping = asyncio.Event()

    @classmethod
    def shared(cls, app: AppClient, options: Options | None = None) -> Tails:
        """Return those of this client that others use already, or new ones with these options."""
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

    def stop_waiting(self) -> None:
        """Have all readers return what they have, from now on: the program is about to end."""
        self._stopping.set()
        for news in self._readers:
            news.set()

    @property
    def stopping(self) -> bool:
        """Whether no reader waits any more."""
        return self._stopping.is_set()

    @contextmanager
    def waking(self, news: asyncio.Event) -> Iterator[None]:
        """Inside, `news` is set when readers are to return what they have."""
        self._readers.add(news)
        try:
            yield
        finally:
            self._readers.discard(news)

    async def close(self) -> None:
        """Close every tail at once."""
        watched, failed = list(self._open.values()), list(self._failed.values())
        self._open.clear()
        self._failed.clear()
        for one in watched:
            one.stay()
        for task in self._closing:
            task.cancel()
        tails = [*(one.tail for one in watched), *failed]
        await asyncio.gather(*(tail.close() for tail in tails), *self._closing, return_exceptions=True)

    @property
    def open(self) -> int:
        """How many tails are open."""
        return len(self._open)

    async def pause(self, seconds: float) -> None:
        """Wait, by the clock that the tails go by."""
        await self.options.pause(seconds)

    @contextmanager
    def watch(self, query: Query, is_unread: Callable[[Tail], bool] = lambda tail: False) -> Iterator[Tail]:
        """Give the tail of a query, which stays open inside the block.

        Args:
            query: What to follow.
            is_unread: Whether the caller wants what a tail holds that has failed, rather than a new one.

        Raises:
            InvalidArgument: The filter is too long.
            ResourceExhausted: There are as many tails as there may be, all of them watched.
        """
        with self._share(query):
            failed = self._failed.get(query)
            if failed is not None and is_unread(failed):
                yield failed
                return
            watched = self._watched(query, is_unread)
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
        """Return what some parts have logged since the cursor; wait until there is something.

        Args:
            part_ids: The parts, at most 16.
            errors_only: Only entries of level error.
            filter: Only entries whose message contains this.
            cursor: Where to go on: of an earlier reading of the same parts with the same conditions. A part
                that it says nothing about is followed from now on. None: all are.
            limit: At most so many entries of all parts together.
            wait: Seconds to wait for something new, at most.
            backlog: Without a cursor, begin with this many entries from before, as far as the tail has them.

        Raises:
            InvalidArgument: An argument cannot be right, or the cursor is not one of these parts.
            ResourceExhausted: Too many tails are open.
            AppError: None of the parts can be followed.
        """
        _check(part_ids, limit, wait, backlog)
        queries = [Query(part_id, errors_only, filter) for part_id in dict.fromkeys(part_ids)]
        return await Following(queries, cursor, backlog).read(self, limit, wait)

    def cursor(
        self, part_id: str, entries: Sequence[LogEntry], *, whole: bool, errors_only: bool, filter: str = ""
    ) -> str:
        """Return where a tail goes on for someone who has read the end of a part's log by other means.

        Args:
            part_id: The part.
            entries: What was read: the newest of the log, the latest first.
            whole: Whether there was nothing before them.
            errors_only: Whether only entries of level error were read.
            filter: What the messages of all that was read contain.
        """
        messages = [entry.proto for entry in entries]
        seen = list(zip(nanoseconds(messages), map(fingerprint, messages), strict=True))
        if not seen:
            floor = self.options.now() - (self.options.lookback_ns if whole else self.options.lateness_ns)
        else:
            # Of the earliest time that was read, others may stand before it.
            floor = seen[-1][0] - self.options.lookback_ns if whole else seen[-1][0] + 1
        latest = [Mark(time, key & MASK) for time, key in seen[:LATEST_MARKS]]
        digest = digest_from(sorted(seen), (), Digest(floor, floor, latest=tuple(latest)))
        return encode(Query(part_id, errors_only, filter).digest, Position(), digest)

    def _watched(self, query: Query, is_unread: Callable[[Tail], bool]) -> _Watched:
        watched = self._open.get(query)
        if watched is not None and (watched.tail.failure is None or is_unread(watched.tail)):
            return watched
        if len(query.filter) > LONGEST_FILTER:
            raise _invalid(
                f"filter has {len(query.filter):,} characters, and at most {LONGEST_FILTER:,} are taken",
                "Give a part of the message that is shorter.",
            )
        if watched is not None:
            watched.stay()
            del self._open[query]
            self._failed[query] = watched.tail
            self._later(self._forget(query, watched.tail))
        elif len(self._open) >= self.options.most_tails:
            idle = next((query for query, one in self._open.items() if not one.watchers), None)
            if idle is None:
                raise ResourceExhausted(
                    Status.RESOURCE_EXHAUSTED,
                    f"{len(self._open)} live logs are open already, which is the limit of this server",
                    rpc=_RPC,
                    hint="Stop watching others first, or use get_robot_part_logs.",
                )
            self._drop(idle)
        watched = self._open[query] = _Watched(Tail(self._app, query, self.options))
        return watched

    async def _linger(self, query: Query, watched: _Watched) -> None:
        await self.options.pause(self.options.linger)
        watched.lingering = None
        self._drop(query)

    async def _forget(self, query: Query, failed: Tail) -> None:
        await self.options.pause(self.options.linger)
        if self._failed.get(query) is failed:
            del self._failed[query]
        await failed.close()

    def _drop(self, query: Query) -> None:
        watched = self._open.pop(query)
        watched.stay()
        self._later(watched.tail.close())

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


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
