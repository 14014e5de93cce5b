"""The latest of what a part has logged, numbered in the order of arrival, within fixed memory."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from viam_mcp.logs._entries import EARLIEST, fingerprint, nanoseconds
from viam_mcp.logs._faded import Faded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from viam_mcp.logs._memory import Memory
    from viam_mcp.proto.common import LogEntry

OVERHEAD = 1_024
"""About how many bytes an entry takes besides those that it has on the wire."""

_ALWAYS_KNOWN = 1_000  # of the latest arrivals, which a stream may say again, the fingerprints are always kept
_ROUGHLY = 65_536  # the sizes of entries whose message is smaller than this are taken for equal
_SLACK = 512  # how many places of evicted entries are reclaimed at once
_CHUNK = 256
_MOST_CHUNKS = 64


class Ring:
    """A part's latest entries, by number.

    Attributes:
        last: The number of the newest entry; numbers increase by one.
        size: How many bytes the entries take on the wire.
        faded: What is known of entries that are no longer held.
        keep_all: Whether the fingerprint of every entry that goes is kept, whatever that costs. Else that of the
            latest arrivals is, and of those that are later than the front.
        front: Up to which time the log has come.
    """

    def __init__(
        self, most_entries: int, most_bytes: int, *, memory: Memory | None = None, faded: Faded | None = None
    ) -> None:
        """Hold at most so many entries, and so many bytes as on the wire; the newest is held whatever its size.

        Args:
            most_entries: How many entries.
            most_bytes: How many bytes.
            memory: What all rings share.
            faded: Where fingerprints go.
        """
        self.last = 0
        self.size = 0
        self.faded = faded or Faded()
        self.keep_all = True
        self.front = EARLIEST
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._memory = memory
        # Parallel lists; what stands before `_head` is gone.
        self._entries: list[LogEntry | None] = []
        self._times: list[int] = []
        self._sizes: list[int] = []
        self._head = 0
        self._keys: dict[int, int] = {}
        # Of what is gone: the last number, the earliest and the latest time of some in a row.
        self._gone: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._times) - self._head

    def __iter__(self) -> Iterator[LogEntry]:
        """The entries, oldest arrival first."""
        return iter(self._entries[self._head :])  # type: ignore[arg-type]  # none of these is gone

    @property
    def first(self) -> int:
        """The number of the oldest entry that is held; one more than `last` when there is none."""
        return self.last - len(self) + 1

    @property
    def footprint(self) -> int:
        """About how many bytes of memory the entries take."""
        return self.size + OVERHEAD * len(self)

    @property
    def since(self) -> int:
        """Every entry that came and is of this time or later is held."""
        return max(self.faded.since, *(latest + 1 for _, _, latest in self._gone), EARLIEST)

    def begin(self, entries: Sequence[LogEntry], number: int) -> None:
        """Add what came before the ring began, so that the last of it has this number."""
        self.last = number - len(entries)
        self.extend(entries, nanoseconds(entries))

    def extend(self, entries: Sequence[LogEntry], times: Sequence[int], *, size: int | None = None) -> None:
        """Add entries in the order of their arrival; the oldest go where there is no more room.

        Args:
            entries: What came.
            times: Their times, as `nanoseconds` gives them.
            size: How many bytes all of them take on the wire, where that is known.
        """
        number = len(entries)
        if size is None or size > _ROUGHLY:
            sizes = [entry.ByteSize() for entry in entries]
            size = sum(sizes)
        else:
            sizes = [size // number] * number
            size = sum(sizes)
        self._entries.extend(entries)
        self._times.extend(times)
        self._sizes.extend(sizes)
        self.last += number
        self.size += size
        surplus = len(self) - self._most_entries
        if surplus > 0 or self.size > self._most_bytes:
            self._shrink(max(surplus, 0))
        if self._memory is not None:
            self._memory.changed(self)

    def shrink(self, number: int) -> int:
        """Let go of so many of the oldest entries, but not of the newest; return how many bytes that freed."""
        before = self.footprint
        self._evict(min(number, max(len(self) - 1, 0)))
        return before - self.footprint

    def clear(self) -> None:
        """Let go of everything, for good."""
        self._evict(len(self))
        if self._memory is not None:
            self._memory.left(self)

    def after(self, number: int, limit: int) -> list[LogEntry]:
        """Return the entries that follow the one of this number and are still held, at most `limit` of them."""
        at = self._index(max(number + 1, self.first))
        return self._entries[at : at + limit]  # type: ignore[return-value]  # none of these is gone

    def time(self, number: int) -> int:
        """Return the time of the entry of this number."""
        return self._times[self._index(number)]

    def key(self, number: int) -> int:
        """Return the fingerprint of the entry of this number."""
        key = self._keys.get(number)
        if key is None:
            entry = self._entries[self._index(number)]
            assert entry is not None  # noqa: S101 - it is held
            key = self._keys[number] = fingerprint(entry)
        return key

    def numbers(self, start: int, upto: int) -> list[int]:
        """Return the numbers up to `upto` of the entries that are held and of this time or later."""
        times, base = self._times, self._base
        end = min(upto - base + 1, len(times))
        # Mostly only the latest arrivals are: the rest is looked at as a whole.
        recent = max(end - _CHUNK, self._head)
        old = times[self._head : recent]
        begin = recent if old and max(old) < start else self._head
        return [at + base for at in range(begin, end) if times[at] >= start]

    def known(self, start: int, upto: int | None = None) -> Iterator[tuple[int, int]]:
        """Give time and fingerprint of everything that is known of this time or later, and came up to a number."""
        times, base = self._times, self._base
        held = ((times[at - base], self.key(at)) for at in self.numbers(start, self.last if upto is None else upto))
        return chain(held, self.faded.after(start))

    def repeatable(self, start: int, number: int) -> Counter[int]:
        """Return the fingerprints of what a stream may say again.

        That is everything from a time on, and what came after the entry of this number or is among the latest.
        """
        keys = Counter(key for _, key in self.known(start))
        for at in range(max(self.first, min(number, self.last - _ALWAYS_KNOWN) + 1), self.last + 1):
            if self.time(at) < start:
                keys[self.key(at)] += 1
        return keys

    def time_before(self, front: int, rank: int) -> int | None:
        """Return the time of the entry with so many later ones up to the front; None if none is held."""
        held = sorted(self._times[self._head :])
        at = bisect_right(held, front) - 1 - rank
        return held[at] if at >= 0 else None

    def bounds(self, start: int) -> tuple[int, int] | None:
        """Return the earliest and the latest time of the entries that are gone and came after this number.

        Some that came shortly before may be counted in.
        """
        found = [(earliest, latest) for last, earliest, latest in self._gone if last > start]
        return (min(one for one, _ in found), max(one for _, one in found)) if found else None

    @property
    def _base(self) -> int:
        return self.last + 1 - len(self._times)

    def _index(self, number: int) -> int:
        return number - self._base

    def _shrink(self, number: int) -> None:
        """Evict so many, and more where the rest takes too many bytes."""
        at, last = self._head + number, len(self._sizes) - 1
        size = self.size - sum(self._sizes[self._head : at])
        while size > self._most_bytes and at < last:
            size -= self._sizes[at]
            at += 1
        self._evict(at - self._head)

    def _evict(self, number: int) -> None:
        if not number:
            return
        head, first = self._head, self.first
        times = self._times[head : head + number]
        latest = max(times)
        forgettable = self.last - _ALWAYS_KNOWN
        if self.keep_all or latest > self.front or first + number > forgettable:
            for at, time in enumerate(times, first):
                if self.keep_all or time > self.front or at > forgettable:
                    self.faded.add(time, self.key(at))
                else:
                    self.faded.lose(time)
        else:
            self.faded.lose(latest)
        if self._keys:
            for at in range(first, first + number):
                self._keys.pop(at, None)
        self._remember_gone(first + number - 1, min(times), latest)
        self.size -= sum(self._sizes[head : head + number])
        self._entries[head : head + number] = [None] * number
        self._head += number
        if self._head >= _SLACK:
            del self._entries[: self._head], self._times[: self._head], self._sizes[: self._head]
            self._head = 0

    def _remember_gone(self, last: int, earliest: int, latest: int) -> None:
        gone = self._gone
        if len(gone) > 1 and last - gone[-2][0] <= _CHUNK:
            _, before, after = gone.pop()
            earliest, latest = min(before, earliest), max(after, latest)
        gone.append((last, earliest, latest))
        if len(gone) > _MOST_CHUNKS:
            (_, one, two), (end, three, four) = gone[:2]
            gone[:2] = [(end, min(one, three), max(two, four))]
