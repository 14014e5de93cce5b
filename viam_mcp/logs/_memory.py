"""A bound on what all rings of a process hold together."""

from __future__ import annotations

from typing import Protocol

_SHARE = 16  # the part of the largest ring that goes at once


class Holder(Protocol):
    """Something that holds entries, such as a ring."""

    @property
    def footprint(self) -> int:
        """About how many bytes they take."""

    def __len__(self) -> int: ...

    def shrink(self, number: int) -> int:
        """Let go of so many of the oldest; return how many bytes that freed."""


class Memory:
    """Takes from the largest ring when all of them together hold too much.

    Attributes:
        used: About how many bytes they take.
    """

    def __init__(self, most: int) -> None:
        """Let them take about so many bytes."""
        self.used = 0
        self._most = most
        self._rings: dict[Holder, int] = {}

    def changed(self, ring: Holder) -> None:
        """Take note of a ring that has grown, and make room where that is needed."""
        self._count(ring)
        while self.used > self._most:
            largest = max(self._rings, key=self._rings.__getitem__)
            if not largest.shrink(max(len(largest) // _SHARE, 1)):
                return
            self._count(largest)

    def left(self, ring: Holder) -> None:
        """Take note of a ring that is gone."""
        self.used -= self._rings.pop(ring, 0)

    def _count(self, ring: Holder) -> None:
        footprint = ring.footprint
        self.used += footprint - self._rings.get(ring, 0)
        self._rings[ring] = footprint
