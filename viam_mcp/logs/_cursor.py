"""Where a reader of a part's log stands, as a text that it brings back.

While the tail that it read from lives, a position is a number in that tail's ring. So that it outlives
the tail, and this process, it also says what its reader has seen in terms of the log itself: everything
before a point in time, the first few entries at exactly that time, and some single later ones. The point
lies far enough back for entries that arrive late, as far as there is room for the single ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections import Counter
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.app import InvalidArgument
from viam_mcp.logs._entries import FINGERPRINT_BYTES, fingerprint, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from viam_mcp.app import LogEntry

MOST_KNOWN = 32
"""How many single entries a position holds; each makes the cursor five characters longer."""

_CHUNK = 64
_HEADER = struct.Struct(">B6sIqqI")  # version, query, epoch, number, floor, skip
_VERSION = 1
_CHECK_BYTES = 4
_MOST_INT64 = 2**63 - 1
_HINT = "Give next_cursor of the answer before, or leave it out."


@dataclass(frozen=True)
class Query:
    """What a tail follows.

    Attributes:
        part_id: The part.
        errors_only: Only entries of level error.
        filter: Only entries whose message contains this; empty for all.
    """

    part_id: str
    errors_only: bool = True
    filter: str = ""
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = f"{self.part_id} {self.errors_only} {self.filter}"
        object.__setattr__(self, "digest", hashlib.blake2b(text.encode(), digest_size=6).digest())


@dataclass(frozen=True)
class Position:
    """Where a reader stands.

    Attributes:
        epoch: Which life of the tail `number` belongs to.
        number: The last item of the ring that was seen.
        floor: Everything before this time was seen; nanoseconds since 1970 UTC.
        skip: How many of the entries at exactly that time were seen, in the order in which the service gives them.
        known: Fingerprints of the later entries that were seen.
    """

    epoch: int
    number: int
    floor: int
    skip: int = 0
    known: tuple[int, ...] = ()


def position_after(
    seen: Iterable[LogEntry],
    *,
    lowest: int,
    lateness: int,
    epoch: int = 0,
    number: int = 0,
    carried: Sequence[int] = (),
) -> Position:
    """The position of a reader who has seen these entries.

    Args:
        seen: Entries, the latest arrival first. Only as many are looked at as may matter.
        lowest: Everything before this time counts as seen, whatever it is; nanoseconds.
        lateness: By how much an entry may be older than one that arrived before it; nanoseconds.
        epoch: Which life of a tail `number` belongs to; 0 for none.
        number: The last item of its ring that was seen.
        carried: Fingerprints of entries besides that were seen and are later than these.
    """
    entries = iter(seen)
    room = max(MOST_KNOWN - len(carried), 0)
    latest: list[tuple[int, LogEntry]] = []
    floor = lowest
    while chunk := [(nanoseconds(entry), entry) for entry in islice(entries, _CHUNK)]:
        if latest and max(chunk, key=_time)[0] < floor:
            break
        latest += chunk
        newest = nlargest(room + 1, latest, key=_time)
        beyond = newest[-1][0] if len(newest) > room else lowest
        floor = max(lowest, newest[0][0] - lateness, beyond)
        latest = [item for item in latest if item[0] >= floor]
    at_floor = sum(time == floor for time, _ in latest)
    known = tuple(fingerprint(entry) for time, entry in latest if time > floor)
    return Position(epoch, number, floor, at_floor, (*known, *carried))


class Unseen:
    """Tells the new from the seen, for a reader at a position, among entries in ascending order of time."""

    def __init__(self, position: Position) -> None:
        """Begin at the position's floor: the first entry that is asked about is the first at that time or later."""
        self._floor = position.floor
        self._skip = position.skip
        self._known = Counter(position.known)

    def __call__(self, entry: LogEntry) -> bool:
        """Whether it is new to the reader. Ask about each entry once, in their order."""
        time = nanoseconds(entry)
        if time < self._floor:
            return False
        if time == self._floor and self._skip:
            self._skip -= 1
            return False
        return not (self._known and take(self._known, fingerprint(entry)))

    @property
    def rest(self) -> tuple[int, ...]:
        """Fingerprints of what was seen and has not come yet."""
        return tuple(self._known.elements())


def take(counts: Counter[int], key: int) -> bool:
    """Take one of `key` out of a multiset, if there is one."""
    count = counts.get(key, 0)
    if not count:
        return False
    if count == 1:
        del counts[key]
    else:
        counts[key] = count - 1
    return True


def encode(query: Query, position: Position) -> str:
    """The position as a cursor, bound to its query."""
    floor = min(max(position.floor, -_MOST_INT64), _MOST_INT64)
    header = _HEADER.pack(_VERSION, query.digest, position.epoch, position.number, floor, position.skip)
    body = header + b"".join(known.to_bytes(FINGERPRINT_BYTES, "big") for known in position.known)
    return base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")


def decode(cursor: str) -> tuple[bytes, Position]:
    """The digest of the query that a cursor belongs to, and its position.

    What it carries is no secret, and someone who forges one misleads nobody but himself: the check finds
    accidents, not attacks.

    Raises:
        InvalidArgument: It is none, or not a whole one.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise bad_cursor("this is not one") from None
    body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    known, odd = divmod(len(body) - _HEADER.size, FINGERPRINT_BYTES)
    if known < 0 or odd or check != _check(body) or body[0] != _VERSION:
        raise bad_cursor("this is not one, or not all of it")
    _, digest, epoch, number, floor, skip = _HEADER.unpack_from(body)
    prints = tuple(
        int.from_bytes(body[at : at + FINGERPRINT_BYTES], "big")
        for at in range(_HEADER.size, len(body), FINGERPRINT_BYTES)
    )
    return digest, Position(epoch, number, floor, skip, prints)


def bad_cursor(wrong: str) -> InvalidArgument:
    """The error for a cursor that cannot be gone on from."""
    return InvalidArgument(Status.INVALID_ARGUMENT, f"cursor: {wrong}", rpc="TailRobotPartLogs", hint=_HINT)


def _check(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES, person=b"viam-mcp cursor").digest()


def _time(item: tuple[int, LogEntry]) -> int:
    return item[0]
