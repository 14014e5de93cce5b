"""The latest of what a part has logged, numbered in the order of arrival, within fixed memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.app import LogEntry
from viam_mcp.logs._entries import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Gap:
    """Entries that are missing.

    Attributes:
        reason: `fell_behind`: the reader was slower than the ring is long. `not_filled`: the connection was
            lost for so long that not everything was fetched.
        until: Nothing is missing from this time on.
        since: Nothing was missing up to this time, where that is known.
        count: How many are missing, where that is known.
    """

    reason: str
    until: datetime | None
    since: datetime | None = None
    count: int | None = None


class Ring:
    """A part's latest entries, and the gaps between them.

    Attributes:
        last: The number of the newest item; numbers increase by one.
        evicted: The latest time, in nanoseconds, of an entry that no longer fits; None while all of them do.
    """

    def __init__(self, most_entries: int, most_bytes: int, *, last: int = 0) -> None:
        """Hold at most so many items, and so many bytes as on the wire; the newest is held whatever its size.

        Args:
            most_entries: How many items.
            most_bytes: How many bytes.
            last: The number before the first item's.
        """
        self.last = last
        self.evicted: int | None = None
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._items: dict[int, LogEntry | Gap] = {}
        self._sizes: deque[int] = deque()
        self._bytes = 0

    @property
    def first(self) -> int:
        """The number of the oldest item that is held; one more than `last` when there is none."""
        return self.last - len(self._sizes) + 1

    @property
    def size(self) -> int:
        """How many bytes the entries take on the wire."""
        return self._bytes

    def __iter__(self) -> Iterator[LogEntry]:
        """The entries, oldest arrival first."""
        return (item for item in self._items.values() if isinstance(item, LogEntry))

    def extend(self, entries: Sequence[LogEntry]) -> None:
        """Add entries in the order of their arrival; the oldest go where there is no more room."""
        items, sizes, number, total = self._items, self._sizes, self.last, self._bytes
        for entry in entries:
            number += 1
            items[number] = entry
            size = entry.proto.ByteSize()
            sizes.append(size)
            total += size
        self.last, self._bytes = number, total
        self._shrink()

    def note(self, gap: Gap) -> None:
        """Remember that something is missing here."""
        self.last += 1
        self._items[self.last] = gap
        self._sizes.append(0)
        self._shrink()

    def after(self, number: int, limit: int) -> list[LogEntry | Gap]:
        """The items that follow the one of this number and are still held, at most `limit` of them."""
        start = max(number + 1, self.first)
        items = self._items
        return [items[at] for at in range(start, min(start + limit, self.last + 1))]

    def before(self, number: int) -> Iterator[LogEntry]:
        """The entries up to and with the one of this number, newest arrival first."""
        items = self._items
        for at in range(min(number, self.last), self.first - 1, -1):
            item = items[at]
            if isinstance(item, LogEntry):
                yield item

    def _shrink(self) -> None:
        sizes, first = self._sizes, self.first
        while len(sizes) > self._most_entries or (self._bytes > self._most_bytes and len(sizes) > 1):
            item = self._items.pop(first)
            self._bytes -= sizes.popleft()
            first += 1
            if isinstance(item, LogEntry):
                time = nanoseconds(item)
                if self.evicted is None or time > self.evicted:
                    self.evicted = time
