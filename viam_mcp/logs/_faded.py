"""Fingerprints of entries that are no longer held, so that what comes again is known.

They are kept by the machine's time and not by arrival: one entry from an hour ahead that is forgotten must not
make the hour before it unknown.
"""

from __future__ import annotations

from array import array
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from viam_mcp.logs._entries import EARLIEST, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FADED = 100_000
"""How many fingerprints are kept for one part; each takes 16 bytes."""


class Faded:
    """Entries by time and fingerprint, the latest of them.

    Attributes:
        since: Every entry that was added and is of this time or later is here.
    """

    def __init__(self, most: int = MOST_FADED) -> None:
        """Keep at most so many."""
        self.since = EARLIEST
        self._most = most
        self._number = 0
        self._seconds: dict[int, tuple[array[int], array[int]]] = {}
        self._order: list[int] = []

    def __len__(self) -> int:
        return self._number

    def add(self, time: int, key: int) -> None:
        """Keep one; the earliest go where there are too many."""
        if time < self.since:
            return
        second = time // SECOND
        kept = self._seconds.get(second)
        if kept is None:
            kept = self._seconds[second] = (array("q"), array("Q"))
            heappush(self._order, second)
        kept[0].append(time)
        kept[1].append(key)
        self._number += 1
        while self._number > self._most:
            self._forget_first()

    def lose(self, time: int) -> None:
        """Take note that an entry of this time was not kept."""
        self.since = max(self.since, time + 1)

    def after(self, start: int) -> Iterator[tuple[int, int]]:
        """Give time and fingerprint of those of this time or later."""
        first = start // SECOND
        for second, (times, keys) in self._seconds.items():
            if second > first:
                yield from zip(times, keys, strict=True)
            elif second == first:
                yield from ((time, key) for time, key in zip(times, keys, strict=True) if time >= start)

    def _forget_first(self) -> None:
        second = heappop(self._order)
        self._number -= len(self._seconds.pop(second)[0])
        self.lose((second + 1) * SECOND - 1)
