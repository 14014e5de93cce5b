"""Points in time: `Timestamp` on the wire, aware UTC `datetime` in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["to_datetime", "to_timestamp"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Go's zero time: what servers written in Go send for "never".
_NEVER = -62_135_596_800


def to_datetime(stamp: Timestamp) -> datetime | None:
    """Return the aware UTC time of `stamp`, or None if it says "never".

    `datetime` counts microseconds: what is finer is cut off, never rounded up.
    """
    if stamp.seconds == _NEVER:
        return None
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def to_timestamp(time: datetime | None, name: str) -> Timestamp | None:
    """Return `time` as a `Timestamp`.

    Args:
        time: An aware time, or None for a field that stays unset.
        name: The parameter that it came in, for the error.

    Raises:
        ValueError: For a time without a zone, which could mean any of 24 hours.
    """
    if time is None:
        return None
    if time.tzinfo is None or time.utcoffset() is None:
        raise ValueError(f"{name} has no time zone: give an aware time, such as datetime.now(timezone.utc)")
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)
