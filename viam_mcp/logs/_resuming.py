"""How a reader goes on whose cursor is of another life of the tail, or of a reading of the log.

Its digest says what it has seen. What the ring holds, or the log itself where the ring does not reach far enough,
says what there is; the rest is new.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from viam_mcp.app import LogEntry
from viam_mcp.logs._cursor import Position, encode
from viam_mcp.logs._digest import MASK, Split, split
from viam_mcp.logs._entries import SECOND, fingerprint, missing, moment, nanoseconds, take
from viam_mcp.logs._gap import Gap
from viam_mcp.logs._reading import Reading, cursor_of, digest_from, unchanged

if TYPE_CHECKING:
    from viam_mcp.logs._digest import Digest, Mark
    from viam_mcp.logs._tail import Tail
    from viam_mcp.proto import common as wire

_RECENT = 1_000
_SHORTLY = 2 * SECOND


async def resume(tail: Tail, position: Position, digest: Digest, limit: int) -> Reading:
    """Return what is new to a reader of another life of a tail, at most `limit` entries, oldest first.

    Raises:
        AppError: The log cannot be read.
    """
    if tail.failure is None:
        # What this life missed and has not looked for yet, the other may have got.
        await tail.settle()
    if _reaches(tail, digest):
        found = _held(tail, digest)
        if tail.failure is None and (found.split.lacking or _is_behind(tail, found, digest)):
            await tail.catch_up(digest.floor)
            found = _held(tail, digest)
        if _reaches(tail, digest):
            return _reading(tail, found, digest, limit)
    if tail.failure is not None:
        return unchanged(tail, position, digest)
    return _reading(tail, await _stored(tail, digest, limit), digest, limit)


def has_more(tail: Tail, position: Position, digest: Digest | None) -> bool:
    """Return whether a tail that has failed holds something that a reader has not seen."""
    if digest is None or position.epoch == tail.epoch:
        return position.number < tail.ring.last or position.told < tail.intake.told
    return _reaches(tail, digest) and bool(_held(tail, digest).split.unseen)


def _reaches(tail: Tail, digest: Digest) -> bool:
    """Return whether the ring holds everything that a digest tells about."""
    return digest.floor >= tail.ring.since and tail.intake.is_whole(digest.floor)


@dataclass
class _Found:
    """The entries of a log from a digest's floor on, by time.

    Attributes:
        entries: The entries.
        keys: Time and fingerprint of each.
        upto: The last number of the ring that is among them; None where there is more in the log.
        split: What the digest says about them.
        later: The times of entries from before the floor that came after the reader's latest: it may not have got them.
    """

    entries: list[wire.LogEntry] = field(default_factory=list)
    keys: list[tuple[int, int]] = field(default_factory=list)
    upto: int | None = None
    split: Split = field(default_factory=Split)
    later: list[int] = field(default_factory=list)


def _is_behind(tail: Tail, found: _Found, digest: Digest) -> bool:
    """Return whether this life has not got what came late to the other: its stream may have gone deaf."""
    return any(mark.time < digest.groups[-1].start - _SHORTLY for mark in _awaited(tail, found.split))


def _held(tail: Tail, digest: Digest) -> _Found:
    """Return what the ring holds."""
    ring = tail.ring
    numbers = sorted(ring.numbers(digest.floor, ring.last), key=ring.time)
    keys = [(ring.time(number), ring.key(number)) for number in numbers]
    found = _Found([ring.after(number - 1, 1)[0] for number in numbers], keys, ring.last)
    found.split = split(digest, keys)
    marks = {mark.key for mark in digest.latest}
    recent = range(max(ring.first, ring.last - _RECENT), ring.last + 1)
    if last := max((number for number in recent if ring.key(number) & MASK in marks), default=0):
        found.later = [ring.time(at) for at in range(last + 1, ring.last + 1) if ring.time(at) < digest.floor]
    return found


async def _stored(tail: Tail, digest: Digest, limit: int) -> _Found:
    """Return what the log holds: all of what the digest tells about, and so much more that there is enough."""
    ring, found = tail.ring, _Found()
    before, known = ring.last, Counter[int]()
    told = digest.groups[-1].start if digest.groups else digest.floor
    beyond = 0
    more = False
    async for page, more in tail.log.since(digest.floor):
        tail.intake.merge(page, digest.floor)
        times = nanoseconds(page)
        for at in missing(known, page):
            found.entries.append(page[at])
            found.keys.append((times[at], fingerprint(page[at])))
            beyond += times[at] >= told
        if more and beyond >= limit:
            break
    if not more and ring.first <= before + 1:
        # What came while the log was read may not have been in it yet.
        for number in range(before + 1, ring.last + 1):
            key = ring.key(number)
            if not take(known, key):
                found.entries += ring.after(number - 1, 1)
                found.keys.append((max(ring.time(number), digest.floor), key))
        found.upto = ring.last
    order = sorted(range(len(found.keys)), key=lambda at: found.keys[at][0])
    found.entries, found.keys = [found.entries[at] for at in order], [found.keys[at] for at in order]
    found.split = split(digest, found.keys)
    return found


def _reading(tail: Tail, found: _Found, digest: Digest, limit: int) -> Reading:
    unseen = found.split.unseen
    whole = found.upto is not None and len(unseen) <= limit
    given = unseen if whole else unseen[:limit]
    gaps = _gaps(found, digest)
    if found.later:
        since, until = moment(min(found.later)), moment(max(found.later), up=True)
        gaps.append((0, Gap("uncertain", until, since, len(found.later))))
    awaited = _awaited(tail, found.split)
    position = Position(tail.epoch, found.upto or 0, tail.intake.told, awaited, digest.late, digest.often)

    def cursor_at(taken: int, most_groups: int) -> str:
        if whole and taken == len(given):
            return cursor_of(tail, position, most_groups)
        left = set(unseen[taken:])
        floor = digest.floor
        if left and len(found.keys) - len(left) > _RECENT:
            # Who is far behind goes on from the time that is reached, and not from where it began.
            at = min(left)
            floor = max(floor, min(found.keys[at][0] - tail.intake.lateness.reach, found.keys[max(at - _RECENT, 0)][0]))
        lateness = tail.intake.lateness
        late = max(lateness.depth, digest.late)
        needed = min(lateness.front(tail.options.now()) - late, floor)
        taken_over = replace(digest, floor=floor, needed=needed, late=late, often=digest.often or lateness.often)
        rest = digest_from(found.keys, left, taken_over, most_groups=most_groups)
        return encode(tail.query.digest, Position(), rest)

    entries = [LogEntry(found.entries[at]) for at in given]
    return Reading(tail.query, entries, gaps, tail.upstream, cursor_at, position if whole else None)


def _gaps(found: _Found, digest: Digest) -> list[tuple[int, Gap]]:
    gaps = [
        (0, Gap("uncertain", moment(latest, up=True), moment(earliest), number))
        for earliest, latest, number in found.split.doubtful
    ]
    if digest.needed < digest.floor:
        gaps.append((0, Gap("uncertain", moment(digest.floor), moment(digest.needed))))
    return gaps


def _awaited(tail: Tail, said: Split) -> tuple[Mark, ...]:
    """Return what the reader has seen and this life of the tail has not got yet."""
    ring = tail.ring
    recent = Counter(ring.key(at) & MASK for at in range(max(ring.first, ring.last - _RECENT), ring.last + 1))
    return tuple(mark for mark in said.awaited if not take(recent, mark.key))
