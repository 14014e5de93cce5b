"""What is new to a reader, and where it stands after taking it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from viam_mcp.app import LogEntry
from viam_mcp.logs._cursor import Position, bad_cursor, encode
from viam_mcp.logs._digest import MASK, MOST_GROUPS, Digest, Mark, group
from viam_mcp.logs._entries import EARLIEST, moment, take
from viam_mcp.logs._gap import Gap, together

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from viam_mcp.logs._query import Query
    from viam_mcp.logs._tail import Tail, UpstreamStatus

_FEW, _MORE = 64, 256  # of the newest entries a digest tells which were seen, where it need not reach further
_LATELY, _AT_FIRST, _OFTEN_LATE = 16, 96, 384  # of the latest arrivals it tells about closely
LATEST_MARKS = 6
"""How many of the latest arrivals a digest names."""
_MOST_AWAITED = 32
_NEAR = 4


@dataclass(frozen=True)
class Reading:
    """What one part has that its reader has not seen.

    Attributes:
        query: What was followed.
        entries: The new entries, in the order in which they came.
        gaps: What is missing, each with how many of the entries come before it.
        upstream: How the connection is doing.
        cursor_at: From how many entries were taken, and how many groups a digest may have, to a cursor.
        reached: Where in this life of the tail the reader stands that has taken all; None where it is in no place.
    """

    query: Query
    entries: Sequence[LogEntry]
    gaps: Sequence[tuple[int, Gap]]
    upstream: UpstreamStatus
    cursor_at: Callable[[int, int], str]
    reached: Position | None = None

    @property
    def part_id(self) -> str:
        """The part."""
        return self.query.part_id

    @property
    def gap(self) -> Gap | None:
        """What is missing before, among or after the entries; None for nothing."""
        return together([gap for _, gap in self.gaps])

    def cut(self, number: int) -> Reading:
        """Return a reading of the first entries only."""
        if number >= len(self.entries):
            return self
        gaps = [(before, gap) for before, gap in self.gaps if before <= number]
        return replace(self, entries=self.entries[:number], gaps=gaps)

    def cursor(self, *, most_groups: int = MOST_GROUPS) -> str:
        """Return what to bring back after taking the entries."""
        return self.cursor_at(len(self.entries), most_groups)


def start_of(tail: Tail, number: int) -> Position:
    """Return where a reader begins who wants what comes after the entry of this number."""
    return Position(tail.epoch, max(number, tail.ring.first - 1), tail.intake.told)


def unchanged(tail: Tail, position: Position, digest: Digest | None) -> Reading:
    """Return a reading of nothing, where it cannot be told yet what is new."""

    def cursor_at(_: int, most_groups: int) -> str:
        if digest is None:
            return cursor_of(tail, position, most_groups)
        return encode(tail.query.digest, position, digest)

    return Reading(tail.query, (), (), tail.upstream, cursor_at)


def read_on(tail: Tail, position: Position, limit: int) -> Reading:
    """Return what is new to a reader of this life of a tail, at most `limit` entries.

    Raises:
        InvalidArgument: The position is not one of this tail.
    """
    ring, intake = tail.ring, tail.intake
    numbers: Sequence[int]
    if position.number > ring.last or position.told > intake.told:
        raise bad_cursor("it is from the future")
    gaps: list[tuple[int, Gap]] = []
    # Who asked for more of what came before than there was did not fall behind.
    start = max(position.number, intake.first - 1) if position.number < 0 else position.number
    lost = ring.first - 1 - start
    if lost > 0:
        gaps.append((0, _fell_behind(tail, start, lost)))
        start += lost
    upto = min(start + limit, ring.last)
    numbers = range(start + 1, upto + 1)
    if position.awaited:
        numbers = _not_seen(tail, position.awaited, numbers)
    found = ring.after(start, limit)
    entries = [LogEntry(found[number - start - 1]) for number in numbers]
    gaps += [(bisect_right(numbers, number), gap) for number, gap in intake.gaps(position.told, upto)]

    def position_at(taken: int) -> Position:
        at = upto if taken == len(entries) else numbers[taken - 1] if taken else start
        awaited = _still_awaited(tail, position.awaited, start, at) if position.awaited else ()
        return replace(position, number=at, told=intake.told_after(position.told, at), awaited=awaited)

    def cursor_at(taken: int, most_groups: int) -> str:
        return cursor_of(tail, position_at(taken), most_groups)

    return Reading(tail.query, entries, gaps, tail.upstream, cursor_at, position_at(len(entries)))


def cursor_of(tail: Tail, position: Position, most_groups: int = MOST_GROUPS) -> str:
    """Return the cursor of a reader at a position of this life of a tail."""
    return encode(tail.query.digest, position, digest_of(tail, position, most_groups))


def digest_of(tail: Tail, position: Position, most_groups: int = MOST_GROUPS) -> Digest:
    """Return what a reader at a position of this life of a tail has seen."""
    ring, lateness, options = tail.ring, tail.intake.lateness, tail.options
    now = options.now()
    if not tail.intake.begun:
        floor = now - options.lateness_ns
        return Digest(floor, floor)
    front, number = lateness.front(now), min(position.number, ring.last)
    late, often = max(lateness.depth, position.late), lateness.often or position.often
    few = _FEW if lateness.orderly and not late else _MORE
    recent = [ring.time(at) for at in range(max(ring.first, number - 2 * few), number + 1)]
    recent = sorted(time for time in recent if time <= front)
    newest = recent[-few] if len(recent) > few else EARLIEST
    reached = min(front - min(late * 3 // 2, options.lookback_ns), newest, tail.intake.unsettled_since)
    floor = max(ring.faded.since, reached)
    many = _OFTEN_LATE if often else _LATELY if lateness.orderly and not late else _AT_FIRST
    lately = Counter(ring.key(at) for at in range(max(ring.first, number - many + 1), number + 1))
    latest = [
        Mark(ring.time(at), ring.key(at) & MASK) for at in range(max(ring.first, number - LATEST_MARKS + 1), number + 1)
    ]
    seen = list(ring.known(floor, number))
    seen += [(mark.time, mark.key) for mark in position.awaited if mark.time >= floor]
    latest = [*latest, *position.awaited][:_MOST_AWAITED]
    groups = group(seen, lately, most=most_groups, even=often)
    return Digest(floor, front - late, groups, tuple(latest), late, often)


def digest_from(
    log: Sequence[tuple[int, int]], unseen: Collection[int], before: Digest, *, most_groups: int = MOST_GROUPS
) -> Digest:
    """Return what a reader of the log has seen who has seen all of these entries but some.

    Args:
        log: Time and fingerprint of the entries, in order of time, from the floor on.
        unseen: The indices of those that were not seen.
        before: What is taken over: the floor, the latest arrivals, how late entries come.
        most_groups: How many groups to make, about.
    """
    near = {near for at in unseen for near in range(at - _NEAR, at + _NEAR + 1)}.difference(unseen)
    end = min(unseen, default=len(log))
    many = _OFTEN_LATE if before.often else _AT_FIRST
    lately = Counter(log[at][1] for at in sorted(near | set(range(max(end - many, 0), end))) if 0 <= at < len(log))
    seen = [one for at, one in enumerate(log) if at not in unseen and one[0] >= before.floor]
    groups = group(seen, lately, most=most_groups, even=before.often)
    return replace(before, groups=groups, latest=before.latest[:_MOST_AWAITED])


def _fell_behind(tail: Tail, start: int, lost: int) -> Gap:
    bounds = tail.ring.bounds(start)
    if bounds is None:
        return Gap("fell_behind", None, None, lost)
    return Gap("fell_behind", moment(bounds[1], up=True), moment(bounds[0]), lost)


def _not_seen(tail: Tail, awaited: Sequence[Mark], numbers: Iterable[int]) -> list[int]:
    """Leave out the entries that the reader has seen elsewhere."""
    waiting = Counter(mark.key for mark in awaited)
    return [number for number in numbers if not take(waiting, tail.ring.key(number) & MASK)]


def _still_awaited(tail: Tail, awaited: Sequence[Mark], start: int, upto: int) -> tuple[Mark, ...]:
    """Return what is awaited besides the entries after `start`, up to a number."""
    came = Counter(tail.ring.key(number) & MASK for number in range(max(start + 1, tail.ring.first), upto + 1))
    return tuple(mark for mark in awaited if not take(came, mark.key))
