"""How many destructive calls may run within an hour."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from viam_mcp.policy._admission import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

_HOUR = 3600.0


class Budget:
    """A sliding window over the last hour, of all callers together.

    Args:
        per_hour: How many calls may run; None for any number.
        clock: Seconds, never going back.
    """

    def __init__(self, per_hour: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._ran: deque[float] = deque()

    def check(self) -> None:
        """Do nothing if one more call may run.

        Raises:
            Stopped: The budget is used up.
        """
        if self._per_hour is None:
            return
        now = self._clock()
        while self._ran and self._ran[0] <= now - _HOUR:
            self._ran.popleft()
        if len(self._ran) < self._per_hour:
            return
        advice = "The policy allows none."
        if self._ran:
            minutes = int((self._ran[0] + _HOUR - now) // 60) + 1
            advice = f"The next one may run in {minutes} min; the operator's policy sets destructive_per_hour."
        raise Stopped(
            "over budget",
            f"The budget of {self._per_hour} destructive calls an hour is used up. Nothing was done. {advice}",
        )

    def take(self) -> None:
        """Count a call that is about to run.

        Raises:
            Stopped: The budget is used up.
        """
        self.check()
        if self._per_hour is not None:
            self._ran.append(self._clock())
