"""What identifies a log entry: its time by the machine's clock, and a fingerprint of its content."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from viam_mcp.proto.common import LogEntry

SECOND = 1_000_000_000
EARLIEST, LATEST = -(2**63), 2**63 - 1
"""The times, in nanoseconds, that an entry outside of the years 1678 to 2261 counts as."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(entries: Iterable[LogEntry]) -> list[int]:
    """Return when each entry was written by the machine's clock, in nanoseconds since 1970 UTC.

    A machine may send seconds of 2^62 and nanoseconds of 2^31: they become the nearest time that can be sorted by.
    """
    times = []
    for entry in entries:
        stamp = entry.time
        nanos = stamp.nanos
        if not 0 <= nanos < SECOND:
            nanos = 0 if nanos < 0 else SECOND - 1
        times.append(stamp.seconds * SECOND + nanos)
    if times and (max(times) > LATEST or min(times) < EARLIEST):
        return [min(max(time, EARLIEST), LATEST) for time in times]
    return times


def moment(nanoseconds: int, *, up: bool = False) -> datetime:
    """Return a time as an aware datetime, cut to microseconds, or rounded up to the next one."""
    microseconds, rest = divmod(nanoseconds, 1_000)
    return _EPOCH + timedelta(microseconds=microseconds + (up and rest > 0))


def fingerprint(entry: LogEntry) -> int:
    """Return 64 bits that two deliveries of one entry have in common, in every process, and no two entries.

    It covers every field. Servers write the keys of an entry's objects in any order, so they are sorted first.
    """
    content = entry.SerializeToString(deterministic=True)
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big")


def missing(known: Counter[int], response: Sequence[LogEntry]) -> list[int]:
    """Return the indices of the entries in a response that are not among the known, and count those as known.

    Of equal entries there are as many as the one response with most of them holds: pages and streams repeat
    entries, while a response that holds an entry twice means two.
    """
    here: Counter[int] = Counter()
    found = []
    for index, entry in enumerate(response):
        key = fingerprint(entry)
        here[key] += 1
        if here[key] > known[key]:
            known[key] = here[key]
            found.append(index)
    return found


def take(counts: Counter[int], key: int) -> bool:
    """Take one of `key` out of a multiset; return whether there was one."""
    count = counts.get(key, 0)
    if not count:
        return False
    if count == 1:
        del counts[key]
    else:
        counts[key] = count - 1
    return True
