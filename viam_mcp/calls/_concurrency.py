"""How many calls or requests run at the same time. Those that do not fit wait, in the order in which they came.

Nothing waits behind a holder or a group that has its share already: a caller that floods the server, or a method of
the Viam app that hangs, holds up its own calls alone.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from viam_mcp.calls._limits import Busy, Kind, Slot

if TYPE_CHECKING:
    from viam_mcp.calls._limits import Limits

_LONGEST_RETRY = 60
_SMOOTHING = 0.1


@dataclass(eq=False)
class _Waiter:
    holder: str | None
    group: str
    place: Slot | None
    slot: Slot | None = None
    granted: anyio.Event = field(default_factory=anyio.Event)


class ConcurrencyLimiter:
    """Lets so many run at the same time, and has the others wait.

    Args:
        limits: The limits.
        running: The limit of how many run.
        grouped: The limit of how many of one group run; None for none.
        waiting: The limit of how many wait; None for none.
    """

    def __init__(
        self, limits: Limits, running: Kind, *, grouped: Kind | None = None, waiting: Kind | None = None
    ) -> None:
        self.limits = limits
        self._running = running
        self._grouped = grouped
        self._waiting = waiting
        self._queue: deque[_Waiter] = deque()
        self._mean = 0.1

    @property
    def running(self) -> int:
        """How many run."""
        return self.limits.used(self._running)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    async def take(self, holder: str | None, group: str = "") -> Slot:
        """Return a slot as soon as there is one: `with await limiter.take(caller, tool): ...`.

        Args:
            holder: Whose share it is taken of, mostly the caller's; None where holders cannot be told apart.
            group: What it belongs to, such as the tool that is called.

        Raises:
            Busy: There is no room, not even to wait.
        """
        if self._fits(holder, group):
            return self._begin(holder, group)
        waiter = _Waiter(holder, group, self._place(holder))
        self._queue.append(waiter)
        try:
            await waiter.granted.wait()
        except BaseException:
            if waiter.slot is None:
                self._leave(waiter)
            else:
                waiter.slot.release()
            raise
        assert waiter.slot is not None  # noqa: S101 - it was granted
        return waiter.slot

    def _fits(self, holder: str | None, group: str) -> bool:
        full = self.limits.refusal(self._running, holder)
        if full is None and self._grouped is not None:
            full = self.limits.refusal(self._grouped, group)
        return full is None

    def _begin(self, holder: str | None, group: str) -> Slot:
        slots = [self.limits.take(self._running, holder)]
        if self._grouped is not None:
            slots.append(self.limits.take(self._grouped, group))
        return Slot(partial(self._end, slots, time.monotonic()))

    def _end(self, slots: list[Slot], began: float) -> None:
        self._mean += _SMOOTHING * (time.monotonic() - began - self._mean)
        for slot in slots:
            slot.release()
        following = next((waiter for waiter in self._queue if self._fits(waiter.holder, waiter.group)), None)
        if following is not None:
            self._leave(following)
            following.slot = self._begin(following.holder, following.group)
            following.granted.set()

    def _place(self, holder: str | None) -> Slot | None:
        """Return a place in the queue.

        Raises:
            Busy: There is none.
        """
        if self._waiting is None:
            return None
        full = self.limits.refusal(self._waiting, holder)
        if full is not None:
            raise Busy(full.reason, self._seconds_until_idle(holder, own=full.own))
        return self.limits.take(self._waiting, holder)

    def _seconds_until_idle(self, holder: str | None, *, own: bool) -> int:
        """Return about how many seconds it takes until all that waits has run: of the holder, or of all."""
        limit = self.limits.table[self._running]
        if own:
            waiting = sum(waiter.holder == holder for waiter in self._queue)
            at_once = min(one for one in (limit.each, limit.in_all) if one is not None)
        else:
            waiting, at_once = len(self._queue), limit.in_all or 1
        return min(_LONGEST_RETRY, max(1, math.ceil(waiting / at_once * self._mean)))

    def _leave(self, waiter: _Waiter) -> None:
        self._queue.remove(waiter)
        if waiter.place is not None:
            waiter.place.release()


def call_limiter(limits: Limits) -> ConcurrencyLimiter:
    """Return the limiter of calls: by caller, by tool, and in all."""
    return ConcurrencyLimiter(limits, Kind.CALLS, grouped=Kind.TOOL_CALLS, waiting=Kind.WAITING_CALLS)
