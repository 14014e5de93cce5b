"""Serves one client over a pair of streams, whichever era of the protocol it speaks.

The SDK decides the era by the first request. Clients that probe for the era of 2026-07-28 with `server/discover`, and
then fall back to `initialize` on the same streams, would be refused. So as long as there were only probes, the era is
still open here.

https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from viam_mcp.server.stdio._streams import Sink, Source

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.shared.message import SessionMessage
    from mcp_types import JSONRPCMessage

_ANSWER_SECONDS = 5.0  # at most, between a handshake and the answers to the probes before it


async def serve(server: Server[Any], source: Any, sink: Any) -> None:
    """Serve until the client's messages end.

    Args:
        server: The server.
        source: The stream of the client's messages.
        sink: The stream of the server's messages.
    """
    probing = _Probing(source)
    options = server.create_initialization_options()
    await server.run(probing, _Answers(sink, probing), options)
    if probing.handshake is not None:
        await server.run(_Replayed(probing.handshake, source), sink, options)


class _Probing(Source):
    """The client's messages up to a handshake that follows nothing but probes.

    Args:
        source: The stream of the client's messages.

    Attributes:
        handshake: The `initialize` from which on the era of the handshake is to be served; None if there was none.
    """

    def __init__(self, source: Any) -> None:
        self.handshake: SessionMessage | None = None
        self._source = source
        self._is_settled = False
        self._has_probed = False
        self._unanswered: set[str] = set()
        self._all_answered = anyio.Event()

    async def receive(self) -> SessionMessage:
        """Return the next message.

        Raises:
            EndOfStream: There is none, or it is the handshake.
        """
        message: SessionMessage = await self._source.receive()
        if not self._is_settled and await self._is_handshake(message.message):
            self.handshake = message
            raise anyio.EndOfStream
        return message

    def settle(self, request_id: Any) -> None:
        """Note that a probe was answered, or will not be."""
        self._unanswered.discard(str(request_id))
        if not self._unanswered:
            self._all_answered.set()

    async def _is_handshake(self, message: JSONRPCMessage) -> bool:
        """Return whether a message is the handshake after probes, which are answered then."""
        if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self.settle((message.params or {}).get("requestId"))
        if not isinstance(message, JSONRPCRequest):
            return False
        if message.method == "server/discover":
            self._has_probed = True
            self._unanswered.add(str(message.id))
            self._all_answered = anyio.Event()
            return False
        self._is_settled = True
        if message.method != "initialize" or not self._has_probed:
            return False
        with anyio.move_on_after(_ANSWER_SECONDS):
            if self._unanswered:
                await self._all_answered.wait()
        return True


class _Answers(Sink):
    """The server's messages while the client may still be probing."""

    def __init__(self, sink: Any, probing: _Probing) -> None:
        self._sink = sink
        self._probing = probing

    async def send(self, message: SessionMessage) -> None:
        """See `Sink`."""
        await self._sink.send(message)
        if isinstance(message.message, JSONRPCResponse | JSONRPCError):
            self._probing.settle(message.message.id)


class _Replayed(Source):
    """The client's messages from the handshake on."""

    def __init__(self, handshake: SessionMessage, source: Any) -> None:
        self._handshake: SessionMessage | None = handshake
        self._source = source

    async def receive(self) -> SessionMessage:
        """See `Source`."""
        first, self._handshake = self._handshake, None
        if first is not None:
            return first
        message: SessionMessage = await self._source.receive()
        return message
