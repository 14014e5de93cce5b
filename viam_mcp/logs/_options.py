"""How tails behave."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.logs._entries import SECOND

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _backoff(attempt: int) -> float:
    """Seconds to wait before going on after so many failures in a row: doubling up to half a minute, with jitter."""
    longest = min(0.5 * 2 ** min(attempt, 10), 30.0)
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret


@dataclass(frozen=True)
class Options:
    """How tails behave. Times are in seconds.

    Attributes:
        ring_entries: How many entries of one part are held for readers.
        ring_bytes: How many bytes of them, as on the wire.
        most_tails: How many tails may be open at the same time.
        linger: How long a tail that nobody watches stays open.
        quiet: After how long without an entry the log itself is asked whether the stream has gone deaf.
        lateness: By how much an entry may be older than one that arrived before it.
        backlog: How many entries from before a tail begins with.
        most_filled: How many entries are fetched after a break; of a longer one only the newest `backlog`.
        pause: Waits so many seconds.
        now: The present, in nanoseconds since 1970 UTC.
        backoff: How long to wait after so many failures in a row.
    """

    ring_entries: int = 10_000
    ring_bytes: int = 16 * 1_048_576
    most_tails: int = 64
    linger: float = 30.0
    quiet: float = 30.0
    lateness: float = 10.0
    backlog: int = 100
    most_filled: int = 10_000
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], int] = time.time_ns
    backoff: Callable[[int], float] = _backoff

    @property
    def lateness_ns(self) -> int:
        """`lateness` in nanoseconds."""
        return int(self.lateness * SECOND)
