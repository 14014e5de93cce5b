"""Connections: how many there are, and how long one may send or read nothing.

Without these limits, a connection that sends or reads a byte now and then is kept for ever. Enough of them, and the
process can open no more files.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from viam_mcp.app.transport._gather import Gathering
from viam_mcp.calls import Kind, LimitReached

if TYPE_CHECKING:
    import asyncio

    from viam_mcp.calls import Limits, Slot

HEAD_SECONDS = 15.0
"""How long the head of a request, and the handshake of TLS, may take to arrive."""
STALL_SECONDS = 15.0
"""How long a client may take to read 16 KB that were sent to it, or to let a connection end."""

_STALL_BYTES = 16_384
_MOST = 16_384
_OTHER_DESCRIPTORS = 256  # files, and the connections to the Viam app

_Base: Any = AutoHTTPProtocol


def room_for_connections() -> int:
    """Return how many connections this process has room for, after raising its limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST + _OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(most - _OTHER_DESCRIPTORS, most // 2)


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits on connections.

    Attributes:
        limits: How many there may be.
        head_seconds: How long the head of a request may take to arrive.
        stall_seconds: How long a client may take to read 16 KB that were sent to it.
    """

    limits: Limits
    head_seconds: float = HEAD_SECONDS
    stall_seconds: float = STALL_SECONDS


class StallingTransport(Gathering):
    """A transport that is aborted when its client does not read.

    Args:
        transport: The transport that sends.
        seconds: How long the client may take to read 16 KB.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        super().__init__(transport)
        self._seconds = seconds
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_lost = False

    def close(self) -> None:
        """Send what was written and close the transport, or abort it if the client reads nothing."""
        super().close()
        self.expect_reading()

    def expect_reading(self) -> None:
        """Abort the transport unless the client reads from now on."""
        if self._timer is None and not self._is_lost:
            self._left = self._transport.get_write_buffer_size()
            self._timer = self._loop.call_later(self._seconds, self._check)

    def note_reading(self) -> None:
        """Note that the client has read. It need not go on unless the connection is about to end."""
        if self._timer is not None and not self._transport.is_closing():
            self._timer.cancel()
            self._timer = None

    def note_lost(self) -> None:
        """Note that the connection has ended."""
        self._is_lost = True
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() > self._left - _STALL_BYTES:
            self._transport.abort()
        else:
            self.expect_reading()


class Connection(_Base):  # type: ignore[misc]
    """uvicorn's protocol with limits.

    Args:
        limits: The limits.
        options: The arguments of uvicorn's protocol.
    """

    _waiting: asyncio.TimerHandle | None = None
    _slot: Slot | None = None

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin, or end at once if there is no room."""
        try:
            self._slot = self._limits.limits.take(Kind.CONNECTIONS, None)
        except LimitReached:
            transport.abort()
            return
        super().connection_made(StallingTransport(transport, self._limits.stall_seconds))
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        super().data_received(data)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything."""
        if self._slot is None:  # there was no room for it
            return
        self._slot.release()
        self.transport.note_lost()
        super().connection_lost(exc)
        self._stop_waiting()

    def pause_writing(self) -> None:
        """Expect the client to read: too much is waiting for it."""
        super().pause_writing()
        self.transport.expect_reading()

    def resume_writing(self) -> None:
        """Note that the client has read."""
        super().resume_writing()
        self.transport.note_reading()

    def on_response_complete(self) -> None:
        """Send the end of the answer without waiting for the loop's next turn."""
        self.transport.flush()
        super().on_response_complete()

    def _expect_request(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self._limits.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
