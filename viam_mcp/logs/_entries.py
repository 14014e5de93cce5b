"""What a log entry is known by: when it was written, and what it holds."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from viam_mcp.app import LogEntry

SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVER = -(2**63)
"""Before any time, in nanoseconds."""
FINGERPRINT_BYTES = 4


def nanoseconds(entry: LogEntry) -> int:
    """When it was written, by the machine's clock, since 1970 UTC."""
    stamp = entry.proto.time
    return stamp.seconds * SECOND + stamp.nanos


def moment(nanoseconds: int) -> datetime:
    """The same as an aware time, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)


def identity(entry: LogEntry) -> int:
    """What two deliveries of one entry have in common, and hardly any two entries; it holds in this process only.

    It covers every field. Servers write the keys of an entry's objects in any order, so they are sorted first.
    """
    return hash(entry.proto.SerializeToString(deterministic=True))


def added(came: Counter[int], response: Iterable[LogEntry]) -> list[LogEntry]:
    """The entries of one response that have not come yet; what has come is counted in `came`, by identity.

    Of equal entries there are as many as the response with most of them holds: it is pages and streams that
    repeat themselves, while a response that holds two means two.
    """
    here: Counter[int] = Counter()
    new = []
    for entry in response:
        key = identity(entry)
        here[key] += 1
        if here[key] > came[key]:
            came[key] = here[key]
            new.append(entry)
    return new


def fingerprint(entry: LogEntry) -> int:
    """A short form of the same that holds in every process, for telling apart the few entries of one cursor."""
    content = entry.proto.SerializeToString(deterministic=True)
    return int.from_bytes(hashlib.blake2b(content, digest_size=FINGERPRINT_BYTES).digest(), "big")
