"""Faults on demand, so that tests can see how a client handles them."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpclib import GRPCError

from viam_mcp.sandbox import transport

if TYPE_CHECKING:
    from grpclib.const import Status
    from grpclib.server import Stream

__all__ = ["Fault", "Faults"]


@dataclass(eq=False)
class Fault:
    """A fault of calls of one rpc. Each of its effects that is set happens, in this order: latency, hang, cut, status.

    Attributes:
        times: How many calls it strikes; None for all of them.
        latency: Seconds to wait.
        hang: Wait until `release` is set.
        cut: Close the TCP connection without an answer.
        status: End the call with this status.
        message: What the status says.
        executed: Let the rpc do what it does before the fault strikes, so that only the answer is lost.
        after_messages: Let this many messages of a server stream through first.
        struck: Set when the fault strikes for the first time.
        release: Lets hanging calls go on.
    """

    times: int | None = 1
    latency: float = 0.0
    hang: bool = False
    cut: bool = False
    status: Status | None = None
    message: str = "a fault on demand"
    executed: bool = False
    after_messages: int = 0
    struck: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    release: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def strike(self, stream: Stream[object, object]) -> None:
        """Apply the fault to one call.

        Raises:
            GRPCError: The call ends here: with `status`, or, after a cut, unheard.
        """
        self.struck.set()
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.hang:
            await self.release.wait()
        if self.cut:
            raise transport.cut(stream)
        if self.status is not None:
            raise GRPCError(self.status, self.message)


class Faults:
    """The faults that wait for their rpc to be called."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._added: list[Fault] = []

    def add(self, rpc: str, fault: Fault) -> Fault:
        """Apply `fault` to the next calls of `rpc`, after the faults that were added before it."""
        self._waiting[rpc].append(fault)
        self._added.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults. Calls that hang continue."""
        for fault in self._added:
            fault.release.set()
        self._added.clear()
        self._waiting.clear()

    def take(self, rpc: str) -> Fault | None:
        """Return the fault for this call of `rpc`, or None."""
        waiting = self._waiting.get(rpc)
        if not waiting:
            return None
        fault = waiting[0]
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                waiting.popleft()
        return fault
