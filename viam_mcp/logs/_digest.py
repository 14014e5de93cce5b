"""What a reader has seen, said in terms of the log itself, so that another life of the tail can go on from it.

Everything before the *floor* was seen. From there on the entries that were seen are said in groups: how many there
are of some range of time, and the sum of their fingerprints. Who has the whole log of that range finds out which
ones they were: mostly all, all but a run of them, or all but a few. What stands after the last group was not seen.

Groups are small where entries came lately, by their time, since there more may come; a group far back is large. So
the digest grows with what is in motion, and hardly with how much there is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, combinations
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MASK = 2**48 - 1
"""Sums of fingerprints, and fingerprints in a cursor, count modulo 2^48."""
MOST_GROUPS = 128
_FEW_LATELY = 4  # entries of a group that came lately
_FIRST_SIZE = 8
_GROWTH = 2
_MOST_COMBINATIONS = 40_000  # tried for one group: some 50 ms
_LONGEST_HOLE = 2_000_000_000  # nanoseconds without an entry that make a hole of their own


@dataclass(frozen=True)
class Mark:
    """An entry that was seen: its time, and its fingerprint modulo 2^48."""

    time: int
    key: int


@dataclass(frozen=True)
class Group:
    """The entries from a time on, up to the next group: how many were seen, and the sum of their fingerprints."""

    start: int
    count: int = 0
    total: int = 0


@dataclass(frozen=True)
class Digest:
    """What a reader has seen of a log.

    Attributes:
        floor: Everything before this time counts as seen; nanoseconds.
        needed: From this time on entries may still come. Where it is before `floor`, the digest is too short to tell
            which of those in between were seen.
        groups: By time; the last one is empty.
        latest: The latest arrivals among what was seen. Another life of the tail may get them later.
        late: How late entries have come at most, in nanoseconds; 0 where none was late.
        often: Whether many of them were late.
    """

    floor: int
    needed: int
    groups: tuple[Group, ...] = ()
    latest: tuple[Mark, ...] = ()
    late: int = 0
    often: bool = False


@dataclass
class Split:
    """What a digest says about the entries of a log.

    Attributes:
        unseen: The indices of those that were not seen.
        doubtful: Ranges of time of which it cannot be told which entries were seen: earliest and latest time, and
            how many were not, where that is known.
        awaited: Those of the latest arrivals that the log does not hold yet.
        lacking: Whether the log holds fewer entries than were seen.
    """

    unseen: list[int] = field(default_factory=list)
    doubtful: list[tuple[int, int, int | None]] = field(default_factory=list)
    awaited: list[Mark] = field(default_factory=list)
    lacking: bool = False


def group(
    seen: Iterable[tuple[int, int]], lately: Counter[int], *, most: int = MOST_GROUPS, even: bool = False
) -> tuple[Group, ...]:
    """Return the groups of entries, given by time and fingerprint.

    Args:
        seen: All entries that were seen from the floor on.
        lately: The fingerprints of those among them that came lately.
        most: How many groups to make, about.
        even: Whether more entries may come among all of these, rather than mostly after them.
    """
    entries = sorted(seen, reverse=True)
    if not entries:
        return ()
    recent = sum(lately.values())
    few = max(_FEW_LATELY, -(-recent // most))
    first = max(_FIRST_SIZE, -(-(len(entries) - recent) // max(most - recent // few, 1))) if even else _FIRST_SIZE
    groups: list[Group] = []
    count = total = came = 0
    size = first
    before = entries[0][0] + 1
    groups.append(Group(before))
    for time, key in entries:
        if time < before:
            far = before - time > _LONGEST_HOLE
            if count and (far or came >= few or count >= size):
                groups.append(Group(before, count, total & MASK))
                size = first if far or came or even else size * _GROWTH
                count = total = came = 0
            if far and not count and len(groups) < most:
                groups.append(Group(time + 1))
            before = time
        count += 1
        total += key
        came += lately[key] > 0
    groups.append(Group(before, count, total & MASK))
    merged = [one for at, one in enumerate(groups) if not at or one.count or groups[at - 1].count]
    return tuple(reversed(merged))


def split(digest: Digest, entries: Sequence[tuple[int, int]]) -> Split:
    """Return what a digest says about a log, whose entries are given by time and fingerprint in order of time.

    Args:
        digest: What was seen.
        entries: Everything that the log holds from the floor on.
    """
    found = Split()
    held = Counter(key & MASK for _, key in entries)
    at = 0
    while at < len(entries) and entries[at][0] < digest.floor:
        at += 1
    starts = [one.start for one in digest.groups]
    waiting = Counter(mark for mark in digest.latest)
    found.awaited = [mark for mark in waiting.elements() if not _has(held, mark.key)]
    if not digest.groups:
        found.unseen = list(range(at, len(entries)))
        return found
    while at < len(entries) and entries[at][0] < starts[0]:
        found.unseen.append(at)
        at += 1
    for number, one in enumerate(digest.groups):
        end = at
        until = starts[number + 1] if number + 1 < len(starts) else None
        while end < len(entries) and (until is None or entries[end][0] < until):
            end += 1
        _settle(one, until, entries, at, end, found)
        at = end
    return found


def _has(held: Counter[int], key: int) -> bool:
    if held[key] <= 0:
        return False
    held[key] -= 1
    return True


def _settle(
    one: Group, until: int | None, entries: Sequence[tuple[int, int]], begin: int, end: int, found: Split
) -> None:
    """Say which entries of one group's range were not seen."""
    away = [mark.key for mark in found.awaited if one.start <= mark.time and (until is None or mark.time < until)]
    count, total = one.count - len(away), (one.total - sum(away)) & MASK
    keys = [key & MASK for _, key in entries[begin:end]]
    if count <= 0:
        found.unseen += range(begin, end)
        return
    if len(keys) < count:
        # Entries that were seen are not in the log, which is all that can be said.
        found.lacking = True
        return
    new = unseen_of(keys, count, total)
    if new is None:
        rest = len(keys) - count
        found.doubtful.append((entries[begin][0], entries[end - 1][0], rest or None))
        found.lacking = found.lacking or not rest
    else:
        found.unseen += [begin + at for at in new]


def unseen_of(keys: Sequence[int], count: int, total: int) -> list[int] | None:
    """Return the indices of the keys that remain when `count` of them, whose sum is `total`, are taken out.

    None if there are none such, or too many keys to find them.
    """
    rest = len(keys) - count
    missing = (sum(keys) - total) & MASK
    if not rest:
        return None if missing else []
    sums = [0, *accumulate(keys)]
    for begin in range(count, -1, -1):
        if (sums[begin + rest] - sums[begin]) & MASK == missing:
            return list(range(begin, begin + rest))
    if rest <= count:
        return _subset(keys, rest, missing)
    seen = _subset(keys, count, total)
    return None if seen is None else sorted(set(range(len(keys))) - set(seen))


def _subset(keys: Sequence[int], number: int, total: int) -> list[int] | None:
    """Return the indices of so many keys whose sum is `total`, by meeting in the middle."""
    half = number // 2
    if comb(len(keys), number - half) > _MOST_COMBINATIONS:
        return None
    indices = range(len(keys))
    halves: dict[int, list[tuple[int, ...]]] = {}
    for some in combinations(indices, half):
        halves.setdefault(sum(keys[at] for at in some) & MASK, []).append(some)
    for others in combinations(indices, number - half):
        for some in halves.get((total - sum(keys[at] for at in others)) & MASK, ()):
            if not set(some) & set(others):
                return sorted((*some, *others))
    return None
