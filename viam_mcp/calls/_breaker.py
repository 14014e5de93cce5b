"""Not asking for a while what was not answered lately.

Where the Viam app leaves calls of an rpc without an answer several times in a row, further calls of that rpc
fail at once instead of waiting as long for nothing, and one at a time finds out whether it answers again. An
answer of any kind, a refusal too, is an answer. Other rpcs, and other callers, are not affected.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.app import AppError, DeadlineExceeded, Unavailable
from viam_mcp.calls._limits import Busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FAILURES = 5
"""How many calls in a row go unanswered before further ones are not made."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds without calls; they double each time that the app still does not answer."""

_NO_HEADERS: Mapping[str, str] = {}


@dataclass
class _Circuit:
    failures: int = 0
    pause: float = FIRST_PAUSE
    again_at: float = 0.0
    trying: bool = False


class Breaker:
    """Watches the calls of one client of the app.

    Args:
        clock: Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    @contextmanager
    def watching(self, rpc: str) -> Iterator[Mapping[str, str]]:
        """Around a call, to which it adds no headers.

        Raises:
            Busy: Pipeline of this rpc went unanswered lately; the block does not run.
        """
        probe = self._admit(rpc)
        try:
            yield _NO_HEADERS
        except (Unavailable, DeadlineExceeded):
            self._failed(rpc)
            raise
        except AppError:
            self._answered(rpc)
            raise
        else:
            self._answered(rpc)
        finally:
            if probe is not None:
                probe.trying = False

    def _admit(self, rpc: str) -> _Circuit | None:
        """Let a call through; the circuit if it is the one that finds out."""
        circuit = self._circuits.get(rpc)
        if circuit is None or circuit.failures < FAILURES:
            return None
        left = circuit.again_at - self._clock()
        if left > 0 or circuit.trying:
            raise Busy(
                f"The Viam app did not answer the last {circuit.failures} calls of {rpc}, so it is not asked for a "
                "while.",
                max(1, math.ceil(left)),
            )
        circuit.trying = True
        return circuit

    def _failed(self, rpc: str) -> None:
        circuit = self._circuits.setdefault(rpc, _Circuit())
        circuit.failures += 1
        if circuit.failures < FAILURES or self._clock() < circuit.again_at:
            return  # those that were under way when it was given up say nothing new
        circuit.again_at = self._clock() + circuit.pause
        circuit.pause = min(LONGEST_PAUSE, 2 * circuit.pause)

    def _answered(self, rpc: str) -> None:
        self._circuits.pop(rpc, None)
