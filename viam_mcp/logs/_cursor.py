"""Where a reader of a part's log stands, as a text that it brings back.

While the tail that it read from lives, that is a number in the tail's ring. For another life of the tail, in another
process or after a restart, the cursor also holds a digest of what the reader has seen.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from hashlib import blake2b

from grpclib.const import Status

from viam_mcp.app import InvalidArgument
from viam_mcp.logs._digest import Digest, Group, Mark
from viam_mcp.logs._entries import EARLIEST, LATEST

LONGEST_CURSOR = 8_000
"""Characters of one part's cursor, at most."""

_VERSION = 2
_HEADER = struct.Struct(">B6sI")  # version, query, epoch
_TIME = struct.Struct(">q")
_KEY_BYTES = 6
_LATE_UNIT = 1_000_000  # nanoseconds
_CHECK_BYTES = 4
_HINT = "Give next_cursor of the answer before, or leave it out."


@dataclass(frozen=True)
class Position:
    """Where a reader stands in one life of a tail.

    Attributes:
        epoch: Which life; 0 for none.
        number: The last entry of its ring that was seen.
        told: How many of its gaps the reader was told of.
        awaited: What the reader has seen elsewhere, and this life has yet to get.
        late: How late entries have come at most, as far as the reader's cursors know; nanoseconds.
        often: Whether many of them were late.
    """

    epoch: int = 0
    number: int = 0
    told: int = 0
    awaited: tuple[Mark, ...] = ()
    late: int = 0
    often: bool = False


def encode(query: bytes, position: Position, digest: Digest) -> str:
    """Return a cursor, bound to the digest of its query."""
    writer = _Writer()
    writer.signed(position.number)
    writer.number(position.told)
    writer.time(digest.floor)
    writer.number(max(digest.floor - digest.needed, 0))
    writer.number(digest.late // _LATE_UNIT << 1 | digest.often)
    writer.number(len(digest.groups))
    before = digest.floor
    for group in digest.groups:
        writer.number(group.start - before)
        writer.number(group.count)
        if group.count:
            writer.key(group.total)
        before = group.start
    for marks in (digest.latest, position.awaited):
        writer.number(len(marks))
        for mark in marks:
            writer.signed(mark.time - digest.floor)
            writer.key(mark.key)
    body = _HEADER.pack(_VERSION, query, position.epoch) + bytes(writer.data)
    return base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")


def decode(cursor: str) -> tuple[bytes, Position, Digest]:
    """Return the digest of the query that a cursor belongs to, its position and its digest.

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
    if len(cursor) > LONGEST_CURSOR or len(body) < _HEADER.size or check != _check(body) or body[0] != _VERSION:
        raise bad_cursor("this is not one, or not all of it")
    try:
        return _read(body)
    except (IndexError, struct.error):
        raise bad_cursor("this is not one, or not all of it") from None


def bad_cursor(wrong: str) -> InvalidArgument:
    """Return the error for a cursor that cannot be gone on from."""
    return InvalidArgument(Status.INVALID_ARGUMENT, f"cursor: {wrong}", rpc="TailRobotPartLogs", hint=_HINT)


def _read(body: bytes) -> tuple[bytes, Position, Digest]:
    _, query, epoch = _HEADER.unpack_from(body)
    reader = _Reader(body, _HEADER.size)
    number, told, floor = reader.signed(), reader.number(), reader.time()
    needed = floor - reader.number()
    late = reader.number()
    groups, before = [], floor
    for _ in range(reader.number()):
        before += reader.number()
        count = reader.number()
        groups.append(Group(before, count, reader.key() if count else 0))
    latest, awaited = (
        tuple(Mark(floor + reader.signed(), reader.key()) for _ in range(reader.number())) for _ in range(2)
    )
    digest = Digest(floor, needed, tuple(groups), latest, (late >> 1) * _LATE_UNIT, bool(late & 1))
    return query, Position(epoch, number, told, awaited, digest.late, digest.often), digest


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES, person=b"viam-mcp cursor").digest()


class _Writer:
    """Writes numbers as varints, as protobuf does."""

    def __init__(self) -> None:
        self.data = bytearray()

    def number(self, value: int) -> None:
        while value > 0x7F:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def signed(self, value: int) -> None:
        self.number(value << 1 if value >= 0 else (-value << 1) - 1)

    def time(self, value: int) -> None:
        self.data += _TIME.pack(min(max(value, EARLIEST), LATEST))

    def key(self, value: int) -> None:
        self.data += value.to_bytes(_KEY_BYTES, "big")


class _Reader:
    """Reads what `_Writer` wrote."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def signed(self) -> int:
        value = self.number()
        return -(value + 1 >> 1) if value & 1 else value >> 1

    def time(self) -> int:
        (value,) = _TIME.unpack_from(self._data, self._at)
        self._at += _TIME.size
        return int(value)

    def key(self) -> int:
        end = self._at + _KEY_BYTES
        if end > len(self._data):
            raise IndexError(end)
        value = int.from_bytes(self._data[self._at : end], "big")
        self._at = end
        return value
