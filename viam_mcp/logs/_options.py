"""How tails behave."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from viam_mcp.logs._entries import SECOND
from viam_mcp.logs._memory import Memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MEMORY = 256 * 1_048_576


def _backoff(attempt: int) -> float:
    """Return the seconds to wait after so many failures in a row: doubling up to half a minute, with jitter."""
    longest = min(0.5 * 2 ** min(attempt, 10), 30.0)
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True)
class Options:
    """How tails behave. Times are in seconds.

    Attributes:
        ring_entries: How many entries of one part are held for readers.
        ring_bytes: How many bytes of them, as on the wire.
        memory: What all rings together may hold.
        most_tails: How many tails may be open at the same time; of several callers, one may watch a quarter of them.
        linger: How long a tail that nobody watches stays open.
        quiet: After how long without an entry the log itself is asked whether the stream has gone deaf.
        lateness: How late entries are taken to come until more is known about them.
        lookback: How far before a break the log is read again, at most.
        settle: How long after a connection was made the log is read again, for what came late.
        opening: How long a reader who does not wait gives a tail to open.
        backlog: How many of the newest entries are given where not everything could be fetched.
        most_filled: How many entries are fetched after a break; of a longer one only the newest `backlog`.
        pause: Waits so many seconds.
        now: The present, in nanoseconds since 1970 UTC.
        backoff: How long to wait after so many failures in a row.
    """

    ring_entries: int = 10_000
    ring_bytes: int = 16 * 1_048_576
    memory: Memory = field(default_factory=lambda: Memory(_MEMORY))
    most_tails: int = 64
    linger: float = 30.0
    quiet: float = 30.0
    lateness: float = 10.0
    lookback: float = 900.0
    settle: float = 60.0
    opening: float = 1.0
    backlog: int = 100
    most_filled: int = 10_000
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], int] = time.time_ns
    backoff: Callable[[int], float] = _backoff

    @property
    def share(self) -> int:
        """How many tails one of several callers may watch."""
        return max(1, self.most_tails // 4)

    @property
    def lateness_ns(self) -> int:
        """`lateness` in nanoseconds."""
        return int(self.lateness * SECOND)

    @property
    def lookback_ns(self) -> int:
        """`lookback` in nanoseconds."""
        return int(self.lookback * SECOND)
