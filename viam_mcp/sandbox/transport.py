"""What grpclib's server lacks: a limit for messages, connections that can be cut, a stop that is complete."""

from __future__ import annotations

import asyncio
import struct
import weakref
from typing import TYPE_CHECKING, Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.server import Server, Stream

if TYPE_CHECKING:
    from grpclib.protocol import H2Protocol

__all__ = ["MESSAGE_LIMIT", "Listener", "cut", "receive", "receive_one", "send", "status"]

Sent = TypeVar("Sent", bound=Message)

MESSAGE_LIMIT = 32 * 1024 * 1024  # bytes, as in the service's own rpc library

# A status message travels in a header, percent-encoded; clients take headers of 16 KiB at least.
_STATUS_LIMIT = 1000

_PREFIX = struct.Struct(">?I")


async def receive(stream: Stream[Any, Any], message_type: type[Sent]) -> Sent | None:
    """Return the client's next message, or None after the last.

    grpclib's own way to read has no limit: it would take up to 4 GiB into memory.

    Raises:
        GRPCError: RESOURCE_EXHAUSTED for a message over the limit, UNIMPLEMENTED for a compressed one,
            INTERNAL for one that cannot be decoded.
    """
    prefix = await stream._stream.recv_data(_PREFIX.size)
    if not prefix:
        return None
    compressed, length = _PREFIX.unpack(prefix)
    if compressed:
        raise GRPCError(Status.UNIMPLEMENTED, "compressed messages are not supported; send them as they are")
    if length > MESSAGE_LIMIT:
        raise GRPCError(
            Status.RESOURCE_EXHAUSTED, f"received message larger than max ({length} vs. {MESSAGE_LIMIT} bytes)"
        )
    body = await stream._stream.recv_data(length)
    try:
        return message_type.FromString(body)
    except DecodeError:
        raise GRPCError(Status.INTERNAL, f"the request is no {message_type.DESCRIPTOR.full_name}") from None


async def receive_one(stream: Stream[Any, Any], message_type: type[Sent]) -> Sent:
    """Return the request of a call that has exactly one.

    Raises:
        GRPCError: As `receive`; INTERNAL when there is none.
    """
    message = await receive(stream, message_type)
    if message is None:
        raise GRPCError(Status.INTERNAL, "the call ended before its request")
    return message


async def send(stream: Stream[Any, Any], message: Message) -> None:
    """Send a message that is not over the limit.

    Raises:
        GRPCError: RESOURCE_EXHAUSTED for one over the limit.
    """
    size = message.ByteSize()
    if size > MESSAGE_LIMIT:
        raise GRPCError(
            Status.RESOURCE_EXHAUSTED, f"trying to send message larger than max ({size} vs. {MESSAGE_LIMIT})"
        )
    await stream.send_message(message)


def status(code: Status, message: str) -> GRPCError:
    """Return the error that ends a call with a status, its message cut to what a header may hold."""
    return GRPCError(code, message if len(message) <= _STATUS_LIMIT else f"{message[:_STATUS_LIMIT]}…")


def cut(stream: Stream[Any, Any]) -> GRPCError:
    """Close the connection of a call. Return the error that ends its handler; no client receives it."""
    stream._stream.connection.close()
    return GRPCError(Status.UNAVAILABLE, "the connection was cut")


class Listener(Server):
    """grpclib's server, with a list of its connections, so that it can close them.

    Without that, clients of a server that has stopped wait for it, and from Python 3.12 on the server
    waits for them.
    """

    def __init__(self, handlers: list[Any]) -> None:
        super().__init__(handlers)
        self._transports: weakref.WeakSet[asyncio.WriteTransport] = weakref.WeakSet()

    async def listen(self, host: str, port: int) -> str:
        """Start to listen. Return the address as the `HOST:PORT` of a URL.

        Raises:
            OSError: Nothing can listen there.
        """
        await self.start(host, port)
        name, number = cast("asyncio.Server", self._server).sockets[0].getsockname()[:2]
        return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        made = protocol.connection_made

        def noted(transport: asyncio.BaseTransport) -> None:
            # grpclib forgets the transport of a connection that it closes, which may still be open.
            self._transports.add(cast("asyncio.WriteTransport", transport))
            made(transport)

        protocol.connection_made = noted  # type: ignore[method-assign]
        return protocol

    async def stop(self) -> None:
        """Cancel all calls, close every connection, and return when all of them have ended."""
        self.close()
        for transport in list(self._transports):
            # close() would wait for a client that does not read.
            transport.abort()
        await self.wait_closed()
        # Sockets close one iteration of the event loop after their connection was aborted.
        await asyncio.sleep(0)
