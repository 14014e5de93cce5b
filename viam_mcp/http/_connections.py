"""Connections, and those that do nothing but stay: they end, and there are never more than can be had."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from viam_mcp.app.transport._gather import Gathering

if TYPE_CHECKING:
    import asyncio

HEAD_SECONDS = 15.0
"""How long the head of a request may take to arrive, and the handshake of TLS."""
STALL_SECONDS = 15.0
"""How long a client may take to read 16 KB that are there for it, or to let a connection end."""

_STALL_BYTES = 16_384
_MOST = 16_384
_DESCRIPTORS = 256  # what is open besides connections: files, and the connections to the Viam app

_Base: Any = AutoHTTPProtocol


def room_for_connections() -> int:
    """How many connections this process has room for, once it may open as many files as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST + _DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(most - _DESCRIPTORS, most // 2)


@dataclass(frozen=True)
class Patience:
    """What connections may take.

    Attributes:
        head_seconds: How long the head of a request may take to arrive.
        stall_seconds: How long a client may take to read 16 KB that are there for it.
        connections: How many there may be.
    """

    head_seconds: float = HEAD_SECONDS
    stall_seconds: float = STALL_SECONDS
    connections: int = field(default_factory=room_for_connections)


class Ending(Gathering):
    """A transport that does not wait for ever for a client who does not read.

    Args:
        transport: What sends.
        seconds: How long the client may take to read 16 KB.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        super().__init__(transport)
        self._seconds = seconds
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False

    def close(self) -> None:
        """Send what was written and close the transport, or abort it if the client takes nothing."""
        super().close()
        self.press()

    def press(self) -> None:
        """From now on the client has to read."""
        if self._timer is None and not self._lost:
            self._left = self._transport.get_write_buffer_size()
            self._timer = self._loop.call_later(self._seconds, self._look)

    def relax(self) -> None:
        """The client has read, and need not go on unless the connection is to end."""
        if self._timer is not None and not self._transport.is_closing():
            self._timer.cancel()
            self._timer = None

    def lost(self) -> None:
        """The connection has ended."""
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() > self._left - _STALL_BYTES:
            self._transport.abort()
        else:
            self.press()


class Connection(_Base):  # type: ignore[misc]
    """uvicorn's protocol with limits. Without them, a connection that sends or takes a byte now and then is kept for
    ever, and with enough of them nothing can be opened any more, files included.

    Args:
        patience: The limits.
        options: What uvicorn gives.
    """

    _waiting: asyncio.TimerHandle | None = None

    def __init__(self, patience: Patience, **options: Any) -> None:
        super().__init__(**options)
        self._patience = patience

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin, or end at once if there is no room."""
        if len(self.connections) >= self._patience.connections:
            transport.abort()
            return
        super().connection_made(Ending(transport, self._patience.stall_seconds))
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        if self.transport is None:  # there was no room for it
            return
        self.transport.lost()
        super().connection_lost(exc)
        self._unwatch()

    def pause_writing(self) -> None:
        """More waits for the client than it reads."""
        super().pause_writing()
        self.transport.press()

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self.transport.relax()

    def on_response_complete(self) -> None:
        """Send the answer's end without waiting for the loop's next turn."""
        self.transport.flush()
        super().on_response_complete()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self._patience.head_seconds, self.transport.close)

    def _unwatch(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
