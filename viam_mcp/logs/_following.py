"""One reading of some parts: waits until one of them has something new."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from viam_mcp.app import AppError
from viam_mcp.logs._cursor import LONGEST_CURSOR, Position, bad_cursor, decode
from viam_mcp.logs._digest import MOST_GROUPS
from viam_mcp.logs._reading import read_on, start_of, unchanged
from viam_mcp.logs._resuming import has_more, resume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from viam_mcp.app import LogEntry
    from viam_mcp.logs._digest import Digest
    from viam_mcp.logs._options import Options
    from viam_mcp.logs._query import Query
    from viam_mcp.logs._reading import Reading
    from viam_mcp.logs._tail import Tail

logger = logging.getLogger("viam_mcp.logs")

_SEPARATOR = "."
_FEWEST_GROUPS = 8


class Source(Protocol):
    """Where tails come from."""

    options: Options

    @property
    def stopping(self) -> bool:
        """Whether no reader waits any more."""

    def watch(self, query: Query, is_unread: Callable[[Tail], bool]) -> AbstractContextManager[Tail]:
        """Give the tail of a query, which stays open inside the block."""

    def waking(self, news: asyncio.Event) -> AbstractContextManager[None]:
        """Inside, `news` is set when readers are to return what they have."""


@dataclass(frozen=True)
class News:
    """What is new in some parts.

    Attributes:
        readings: One for each part, in their order.
    """

    readings: Sequence[Reading]

    @property
    def entries(self) -> list[tuple[int, LogEntry]]:
        """The entries of all parts by time, each with the number of its reading; those of one part stay in order."""
        sources = [[(number, entry) for entry in reading.entries] for number, reading in enumerate(self.readings)]
        return list(merge(*sources, key=lambda item: (item[1].proto.time.seconds, item[1].proto.time.nanos)))

    def cut(self, number: int) -> News:
        """Return the first entries, by time, of all parts together."""
        if sum(len(reading.entries) for reading in self.readings) <= number:
            return self
        counts = [0] * len(self.readings)
        for at, _ in islice(self.entries, number):
            counts[at] += 1
        return News([reading.cut(count) for reading, count in zip(self.readings, counts, strict=True)])

    def cursor(self) -> str:
        """Return what to bring back after taking the entries."""
        groups = max(MOST_GROUPS // max(len(self.readings), 1), _FEWEST_GROUPS)
        return _SEPARATOR.join(reading.cursor(most_groups=groups) for reading in self.readings)


class Following:
    """Where a reader stands in some parts while it waits.

    Args:
        queries: What it follows.
        cursor: Where to go on; None to begin.
        backlog: Where it begins, how many entries from before it wants.

    Raises:
        InvalidArgument: The cursor is none, or of other parts or conditions.
    """

    def __init__(self, queries: Sequence[Query], cursor: str | None, backlog: int) -> None:
        self._queries = queries
        self._backlog = backlog
        self._places = {} if cursor is None else _places(queries, cursor)

    async def read(self, tails: Source, limit: int, wait: float) -> News:
        """Return what is new as soon as there is something, or when the time is over.

        Raises:
            ResourceExhausted: Too many tails are open.
            AppError: None of the parts can be followed.
        """
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        deadline = loop.time() + wait
        opening = loop.time() + max(wait, tails.options.opening)
        with ExitStack() as stack:
            stack.enter_context(tails.waking(news))
            watched = [stack.enter_context(tails.watch(query, self._is_unread)) for query in self._queries]
            for tail in watched:
                stack.enter_context(tail.listening(news))
                if tail.begun:
                    self._places.setdefault(tail.query, (start_of(tail, tail.ring.last - self._backlog), None))
            with suppress(TimeoutError):
                async with asyncio.timeout_at(opening):
                    await asyncio.gather(*(tail.begin() for tail in watched))
            while True:
                news.clear()
                readings = await self._readings(watched, limit, opening)
                if tails.stopping or any(reading.entries or reading.gaps for reading in readings):
                    return News(readings).cut(limit)
                failures = [tail.failure for tail in watched if tail.failure is not None]
                if len(failures) == len(watched):
                    raise failures[0].with_traceback(None)
                try:
                    async with asyncio.timeout_at(deadline):
                        await news.wait()
                except TimeoutError:
                    return News(readings)

    def _is_unread(self, tail: Tail) -> bool:
        """Whether a tail that has failed holds something that this reader has not seen."""
        place = self._places.get(tail.query)
        return place is not None and has_more(tail, *place)

    async def _readings(self, tails: Sequence[Tail], limit: int, until: float) -> list[Reading]:
        return await asyncio.gather(*(self._reading(tail, limit, until) for tail in tails))

    async def _reading(self, tail: Tail, limit: int, until: float) -> Reading:
        if tail.begun:
            # What came since it was opened for this reader is new, wherever that is now.
            self._places.setdefault(tail.query, (start_of(tail, -self._backlog), None))
        position, digest = self._places.get(tail.query, (Position(tail.epoch), None))
        if digest is None or position.epoch == tail.epoch:
            reading = read_on(tail, position, limit) if tail.begun else unchanged(tail, position, None)
        elif tail.live or tail.failure is not None:
            reading = await _resumed(tail, position, digest, limit, until)
        else:
            reading = unchanged(tail, position, digest)
        if reading.reached is not None and not reading.entries and not reading.gaps:
            self._places[tail.query] = (reading.reached, None)
        return reading


async def _resumed(tail: Tail, position: Position, digest: Digest, limit: int, until: float) -> Reading:
    try:
        async with asyncio.timeout_at(until):
            return await resume(tail, position, digest, limit)
    except (TimeoutError, AppError) as error:
        # The reader keeps its place. If the log can never be read again, the tail finds out and fails.
        logger.debug("the log of part %s cannot be gone on with: %s", tail.query.part_id, error)
        return unchanged(tail, position, digest)


def _places(queries: Sequence[Query], cursor: str) -> dict[Query, tuple[Position, Digest | None]]:
    digests = {query.digest: query for query in queries}
    if len(cursor) > (LONGEST_CURSOR + 1) * len(queries):
        raise bad_cursor("this is not one")
    found: dict[Query, tuple[Position, Digest | None]] = {}
    for one in cursor.split(_SEPARATOR):
        query, position, digest = decode(one)
        if query in digests:
            found[digests[query]] = (position, digest)
    if not found:
        raise bad_cursor("it belongs to another part, or to other conditions")
    return found
