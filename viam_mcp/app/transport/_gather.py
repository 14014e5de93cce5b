"""Combine writes that directly follow each other into one.

The head of a message and its body are written one after the other, by grpclib as by uvicorn. Sent apart, each
wakes the receiver, which can do nothing yet with the first.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Gathering"]

_MOST = 65_536
"""How many bytes are kept back. More are sent at once, so that the transport can say that it is full."""


class Gathering:
    """A transport that collects what is written until the event loop's next iteration, and sends it at once.

    Args:
        transport: What sends it, and does everything else.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send some bytes in the event loop's next iteration, after all that were written before."""
        if not self._kept:
            self._loop.call_soon(self.flush)
        self._kept += data
        if len(self._kept) > _MOST:
            self.flush()

    def flush(self) -> None:
        """Send what was collected now."""
        if self._kept:
            kept, self._kept = self._kept, bytearray()
            self._transport.write(kept)

    def close(self) -> None:
        """Send what was collected, and close the transport."""
        self.flush()
        self._transport.close()
