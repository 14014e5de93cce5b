"""Pass live log entries from the parts that log them to the calls that tail them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.sandbox.rpc import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from viam_mcp.proto.common import LogEntry

__all__ = ["BACKLOG", "BATCH", "OpenTail", "TailHub"]

BATCH = 100
BACKLOG = 1_000  # entries; a reader that is further behind is ended


class OpenTail:
    """The entries of one part that one call still has to send.

    Args:
        wanted: Which entries the call asked for.
        check: Raises Refusal once the call may not go on: the part is gone, the key was deleted.
    """

    def __init__(self, wanted: Callable[[LogEntry], bool], check: Callable[[], object]) -> None:
        self.check = check
        self._wanted = wanted
        self._entries: list[LogEntry] = []
        self._end: Refusal | None = None
        self._news = asyncio.Event()

    def offer(self, entries: Sequence[LogEntry]) -> None:
        """Add the entries that the call asked for. End a call that is too far behind, or a gap would go unnoticed."""
        self._entries.extend(entry for entry in entries if self._wanted(entry))
        if len(self._entries) > BACKLOG:
            self._entries.clear()
            message = (
                f"the reader is more than {BACKLOG} log entries behind: get them with GetRobotPartLogs and tail again"
            )
            self.end(Refusal(Status.RESOURCE_EXHAUSTED, message))
        elif self._entries:
            self._news.set()

    def end(self, refusal: Refusal) -> None:
        """End the call with a status, after what it still has to send."""
        self._end = self._end or refusal
        self._news.set()

    async def batches(self) -> AsyncIterator[list[LogEntry]]:
        """Yield new entries as they arrive, up to 100 at once, for ever.

        Raises:
            Refusal: The tail was ended.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            entries, self._entries = iter(self._entries), []
            while batch := list(islice(entries, BATCH)):
                yield batch
            if self._end is not None and not self._entries:
                raise self._end


class TailHub:
    """The open tails, by part."""

    def __init__(self) -> None:
        self._tails: dict[OpenTail, str] = {}
        self._changed = asyncio.Event()

    @property
    def tails(self) -> int:
        """The number of open tails."""
        return len(self._tails)

    @contextmanager
    def open(self, part_id: str, tail: OpenTail) -> Iterator[None]:
        """Return a context inside which the tail gets the part's new entries."""
        self._tails[tail] = part_id
        self._notify()
        try:
            yield
        finally:
            del self._tails[tail]
            self._notify()

    def publish(self, part_id: str, entries: Sequence[LogEntry]) -> None:
        """Give new entries of a part to the tails of that part."""
        for tail in [tail for tail, tailed in self._tails.items() if tailed == part_id]:
            tail.offer(entries)

    def recheck(self) -> None:
        """End the tails that may not go on."""
        for tail in list(self._tails):
            try:
                tail.check()
            except Refusal as refusal:
                tail.end(refusal)

    def close(self) -> None:
        """End every tail. The server is stopping."""
        for tail in list(self._tails):
            tail.end(Refusal(Status.UNAVAILABLE, "the server is stopping; tail again when it is back"))

    async def until(self, tails: int) -> None:
        """Wait until exactly so many tails are open."""
        while self.tails != tails:
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
