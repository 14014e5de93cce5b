"""How many calls run at the same time: in all, for one caller, and of one tool.

What does not fit waits, first come first served, except that nobody waits behind a caller or a tool that has
its share already: so a caller who floods the server, or an rpc that hangs, holds up its own calls alone. What
does not fit into the queue either is told at once to come back later.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from viam_mcp.tools import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_RETRY = 60
_SMOOTHING = 0.1


class Busy(ToolError):  # noqa: N818 - it is an answer, not a fault
    """The call was not begun because there are too many; the message says when to come back.

    Attributes:
        retry_after: Seconds.
    """

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(f"{reason} Nothing was done; retry after {retry_after} s.")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """How much may go on at the same time.

    Attributes:
        at_once: Calls that run, in all.
        per_caller: Calls of one caller that run.
        per_tool: Calls of one tool that run.
        waiting: Calls that wait for their turn, in all.
        waiting_per_caller: Calls of one caller that wait for their turn.
    """

    at_once: int = 64
    per_caller: int = 64
    per_tool: int = 48
    waiting: int = 1_024
    waiting_per_caller: int = 1_024

    @classmethod
    def shared(cls, at_once: int, per_caller: int, waiting: int) -> Limits:
        """Those of a server: one tool gets three quarters, and of several callers one gets a quarter of the queue."""
        alone = per_caller >= at_once
        per_tool, queue = max(1, at_once * 3 // 4), waiting if alone else max(1, waiting // 4)
        return cls(at_once, min(per_caller, at_once), per_tool, waiting, queue)


@dataclass(eq=False)
class _Waiter:
    caller: str
    tool: str
    granted: bool = False
    turn: anyio.Event = field(default_factory=anyio.Event)


class Turn:
    """The time in which a call runs; it ends with the block.

    Args:
        end: Gives it back.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def __enter__(self) -> None:
        """Nothing: it has begun."""

    def __exit__(self, *reason: object) -> None:
        self._end()


class Turns:
    """Gives calls their turns.

    Args:
        limits: How many there are.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.running = 0
        self._by_caller: Counter[str] = Counter()
        self._by_tool: Counter[str] = Counter()
        self._queue: deque[_Waiter] = deque()
        self._queued: Counter[str] = Counter()
        self._mean = 0.1

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._queue)

    async def take(self, caller: str, tool: str) -> Turn:
        """A turn, as soon as there is room: `with await turns.take(caller, tool): …`.

        Args:
            caller: Whose call it is.
            tool: Of which tool.

        Raises:
            Busy: There is no room for it, not even to wait.
        """
        if self._fits(caller, tool):
            self._begin(caller, tool)
        else:
            await self._wait(_Waiter(caller, tool))
        return Turn(partial(self._ended, caller, tool, time.monotonic()))

    def _ended(self, caller: str, tool: str, began: float) -> None:
        self._mean += _SMOOTHING * (time.monotonic() - began - self._mean)
        self._end(caller, tool)

    async def _wait(self, waiter: _Waiter) -> None:
        caller, limits = waiter.caller, self.limits
        if self._queued[caller] >= limits.waiting_per_caller:
            mine = self._queued[caller] / max(1, min(limits.per_caller, limits.at_once))
            raise Busy(f"You have {self._queued[caller]} calls waiting, which is all that may.", self._until(mine))
        if len(self._queue) >= limits.waiting:
            raise Busy(
                f"This server is busy: {len(self._queue)} calls are waiting.",
                self._until(len(self._queue) / limits.at_once),
            )
        self._queue.append(waiter)
        self._queued[caller] += 1
        try:
            await waiter.turn.wait()
        except BaseException:
            if waiter.granted:
                self._end(caller, waiter.tool)
            else:
                self._queue.remove(waiter)
                _decrement(self._queued, caller)
            raise

    def _until(self, rounds: float) -> int:
        """About how many seconds it takes until so many rounds of calls are done."""
        return min(_LONGEST_RETRY, max(1, math.ceil(rounds * self._mean)))

    def _fits(self, caller: str, tool: str) -> bool:
        limits = self.limits
        return (
            self.running < limits.at_once
            and self._by_caller[caller] < limits.per_caller
            and self._by_tool[tool] < limits.per_tool
        )

    def _begin(self, caller: str, tool: str) -> None:
        self.running += 1
        self._by_caller[caller] += 1
        self._by_tool[tool] += 1

    def _end(self, caller: str, tool: str) -> None:
        self.running -= 1
        _decrement(self._by_caller, caller)
        _decrement(self._by_tool, tool)
        following = next((waiter for waiter in self._queue if self._fits(waiter.caller, waiter.tool)), None)
        if following is not None:
            self._queue.remove(following)
            _decrement(self._queued, following.caller)
            self._begin(following.caller, following.tool)
            following.granted = True
            following.turn.set()


def _decrement(counter: Counter[str], key: str) -> None:
    # Callers come and go: what has come to nothing is forgotten.
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
