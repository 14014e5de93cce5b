"""A circuit breaker for each rpc of the Viam app.

When several calls of an rpc in a row get no answer, further calls of that rpc fail at once for a while. Then one call
at a time finds out whether the app answers again. Any answer counts, a refusal too. Other rpcs, and clients with other
keys, are not affected.
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
"""How many calls in a row get no answer before further ones fail at once."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds without calls. They double each time that the app still does not answer."""

_NO_HEADERS: Mapping[str, str] = {}


@dataclass
class _Circuit:
    failures: int = 0
    pause: float = FIRST_PAUSE
    again_at: float = 0.0
    trying: bool = False


class Breaker:
    """The circuit breakers of one client of the app.

    Args:
        clock: Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    @contextmanager
    def watching(self, rpc: str) -> Iterator[Mapping[str, str]]:
        """Count a call, which is the block. Yields no headers.

        Raises:
            Busy: The last calls of this rpc got no answer. The block does not run.
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
        """Let a call through, or raise Busy. Returns the circuit if this call finds out whether the app answers."""
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
            return  # the call was under way when the circuit opened, and says nothing new
        circuit.again_at = self._clock() + circuit.pause
        circuit.pause = min(LONGEST_PAUSE, 2 * circuit.pause)

    def _answered(self, rpc: str) -> None:
        self._circuits.pop(rpc, None)
