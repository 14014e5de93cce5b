"""What is new to a reader, from its position on: in the ring, and before that in the log itself.

A position of this life of the tail is a number in the ring. One of another life, or from reading the log,
is first brought up to date by reading on in the log, page by page; where the log ends, the ring takes over.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.logs._cursor import Position, Unseen, bad_cursor, encode, position_after, take
from viam_mcp.logs._entries import added, identity, moment
from viam_mcp.logs._ring import Gap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from viam_mcp.app import LogEntry
    from viam_mcp.logs._cursor import Query
    from viam_mcp.logs._tail import Tail, UpstreamStatus

_LARGEST_PAGE = 1_000


@dataclass(frozen=True)
class Reading:
    """What one part has that its reader has not seen.

    Attributes:
        query: What was followed.
        entries: The new entries, in the order in which they came.
        gap: What is missing before or among them; None for nothing.
        upstream: How the connection is doing.
        position_at: Where a reader stands that has taken so many of the entries.
    """

    query: Query
    entries: Sequence[LogEntry]
    gap: Gap | None
    upstream: UpstreamStatus
    position_at: Callable[[int], Position]

    @property
    def part_id(self) -> str:
        """The part."""
        return self.query.part_id

    def cursor(self, taken: int) -> str:
        """What to bring back after taking so many of the entries."""
        return encode(self.query, self.position_at(taken))


async def read(tail: Tail, position: Position, limit: int) -> Reading:
    """What is new to a reader at this position, at most `limit` entries. Waits for the log, never for news.

    Raises:
        InvalidArgument: The position is not one of this tail.
        AppError: The log cannot be read.
    """
    if position.epoch == tail.epoch or not tail.begun or tail.failure is not None:
        return _from_ring(tail, position, limit)
    return await _from_log(tail, position, limit)


def _from_ring(tail: Tail, position: Position, limit: int) -> Reading:
    ring, start = tail.ring, position.number
    if position.epoch != tail.epoch or not tail.begun:
        return Reading(tail.query, (), None, tail.upstream, lambda taken: position)
    if start > ring.last:
        raise bad_cursor("it is from the future")
    items = ring.after(start, limit)
    lost = ring.first - 1 - start
    gaps = [item for item in items if isinstance(item, Gap)]
    if lost > 0:
        until = ring.evicted
        gaps.append(Gap("fell_behind", None if until is None else moment(until), moment(position.floor), lost))
        start += lost
    entries: Sequence[LogEntry] = [item for item in items if not isinstance(item, Gap)]

    def position_at(taken: int) -> Position:
        if taken == len(entries):
            return tail.position(start + len(items)) if items or lost > 0 else position
        numbers = (number for number, item in enumerate(items, start + 1) if not isinstance(item, Gap))
        at = start
        for _ in range(taken):
            at = next(numbers)
        return tail.position(at)

    return Reading(tail.query, entries, _together(gaps), tail.upstream, position_at)


async def _from_log(tail: Tail, position: Position, limit: int) -> Reading:
    before = tail.ring.last
    unseen, token, tokens = Unseen(position), "", {""}
    came: Counter[int] = Counter()
    log: list[tuple[LogEntry, bool]] = []  # what the log holds from the floor on, and whether it is new
    new = 0
    while True:
        page = await tail.page(position.floor, token, _LARGEST_PAGE)
        for entry in added(came, page):
            log.append((entry, unseen(entry)))
            new += log[-1][1]
        token = page.next_page_token
        if new >= limit or token in tokens:
            break
        tokens.add(token)
    ended = token in tokens
    entries = [entry for entry, is_new in log if is_new]
    # What came while the log was read may be in it already.
    items = tail.ring.after(before, limit) if ended else []
    late = [item for item in items if not isinstance(item, Gap) and not take(came, identity(item))]
    if ended and len(entries) + len(late) <= limit and before + len(items) == tail.ring.last:
        end = tail.position(tail.ring.last)
        entries += late
    else:
        end = None
        del entries[limit:]

    def position_at(taken: int) -> Position:
        if taken == len(entries) and end is not None:
            return end
        return _advanced(position, log, taken, tail.lateness)

    gap = _together([item for item in items if isinstance(item, Gap)]) if end else None
    return Reading(tail.query, entries, gap, tail.upstream, position_at)


def _advanced(position: Position, log: Sequence[tuple[LogEntry, bool]], taken: int, lateness: int) -> Position:
    """The position after so many of the new entries, as one that needs the log to go on from."""
    unseen, left = Unseen(position), taken
    seen: list[LogEntry] = []
    for entry, is_new in log:
        if is_new:
            if not left:
                break
            left -= 1
        unseen(entry)
        seen.append(entry)
    if not seen:
        return position
    return position_after(reversed(seen), lowest=position.floor, lateness=lateness, carried=unseen.rest)


def _together(gaps: Sequence[Gap]) -> Gap | None:
    """Several gaps as one that spans them."""
    if len(gaps) < 2:
        return gaps[0] if gaps else None
    sinces, untils = [gap.since for gap in gaps], [gap.until for gap in gaps]
    counts = [gap.count for gap in gaps]
    return Gap(
        gaps[0].reason,
        max((until for until in untils if until), default=None),
        None if None in sinces else min(since for since in sinces if since),
        None if None in counts else sum(count for count in counts if count),
    )
