"""stdin and stdout as the streams that an MCP server runs on.

While they are open, nothing else in the process can reach the client: descriptor 0 reads as empty and descriptor 1 is
stderr.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from viam_mcp.calls import ConcurrencyLimiter, Kind, Limits
from viam_mcp.server.stdio._lines import MAX_LINE, Beginning, lines_from, writer_to
from viam_mcp.server.stdio._malformed import Malformed, message_in, too_long
from viam_mcp.server.stdio._streams import Sink, Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mcp_types import JSONRPCMessage

    from viam_mcp.calls import Slot
    from viam_mcp.server.stdio._lines import Lines, Writer

_STALL_SECONDS = 1.0
"""How long a client that has closed stdin may read nothing of what was written for it."""


class StdioError(Exception):
    """There is no stdin or no stdout to serve on."""


@asynccontextmanager
async def open_stdio(limits: Limits | None = None) -> AsyncIterator[tuple[Any, Any]]:
    """Return the streams of messages from stdin and to stdout, until the block is left.

    When the client is gone, what runs in the block is cancelled, and the block is left.

    Args:
        limits: How many requests are read before they are answered.

    Raises:
        StdioError: stdin or stdout is closed.
    """
    if sys.platform == "win32":
        # The event loop watches no pipes there.
        async with stdio_server() as streams:
            yield streams
        return
    for name in ("stdin", "stdout"):
        # Not by its descriptor: something else may have got the number since.
        if getattr(sys, name) is None:
            raise StdioError(f"{name} is closed: serve talks with its client over stdin and stdout.")
    with (
        _taken(0, os.open(os.devnull, os.O_RDONLY)) as source,
        _taken(1, os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else os.dup(2)) as sink,
    ):
        async with writer_to(sink) as writer, lines_from(source) as lines:
            with anyio.CancelScope() as scope:
                exchange = _Exchange(lines, writer, limits or Limits(), scope)
                cutting = asyncio.create_task(_cut_off_when_stalled(lines, writer))
                try:
                    yield _Incoming(exchange), _Outgoing(exchange)
                finally:
                    cutting.cancel()


async def _cut_off_when_stalled(lines: Lines, writer: Writer) -> None:
    """Write nothing more to a client that has closed stdin and does not read: the process could never end."""
    await lines.ended.wait()
    await writer.stalled(_STALL_SECONDS)
    writer.cut_off()


class _Exchange:
    """The messages in both directions, and the requests that are not answered yet.

    Further input is not read while too many requests are unanswered: a client that sends requests and reads no answers
    would otherwise fill the memory.

    Args:
        lines: The lines from the client.
        writer: Writes lines to the client.
        limits: How many requests may be unanswered.
        scope: Cancelled when the client is gone.
    """

    def __init__(self, lines: Lines, writer: Writer, limits: Limits, scope: anyio.CancelScope) -> None:
        self._lines = lines
        self._writer = writer
        self._scope = scope
        self._limiter = ConcurrencyLimiter(limits, Kind.UNANSWERED)
        self._unanswered: defaultdict[str, list[Slot]] = defaultdict(list)
        # One message at a time is encoded and written: those that wait take no memory besides their own.
        self._writing = anyio.Lock(fast_acquire=True)

    async def receive(self) -> SessionMessage:
        """Return the next message. A line that is none is answered here.

        Raises:
            EndOfStream: There is none any more.
        """
        message = None
        while message is None:
            message = await self._read()
        if isinstance(message, JSONRPCRequest) and message.method != "subscriptions/listen":
            self._unanswered[str(message.id)].append(await self._slot())
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            # A request that its client cancelled is not answered.
            self._settle((message.params or {}).get("requestId"))
        return SessionMessage(message)

    async def send(self, message: JSONRPCMessage) -> None:
        """Write a message, no faster than the client reads."""
        try:
            async with self._writing:
                await self._writer.write(message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
        except ConnectionError:
            self._scope.cancel()
        finally:
            if isinstance(message, JSONRPCResponse | JSONRPCError):
                self._settle(message.id)

    async def _slot(self) -> Slot:
        """Return a slot for a request, as soon as there is one.

        Raises:
            EndOfStream: There is none, and the client has closed stdin.
        """
        with anyio.CancelScope() as scope, self._lines.limit_after_end(scope, _STALL_SECONDS):
            return await self._limiter.take(None)
        raise anyio.EndOfStream

    async def _read(self) -> JSONRPCMessage | None:
        """Return the message in the next line, or None if there is none in it."""
        line = await self._lines.next()
        if not line:
            raise anyio.EndOfStream
        if line.isspace():
            return None
        try:
            if isinstance(line, Beginning):
                raise too_long(line, MAX_LINE)
            return message_in(line)
        except Malformed as error:
            await self.send(error.answer)
            return None

    def _settle(self, request_id: Any) -> None:
        slots = self._unanswered.get(str(request_id))
        if slots:
            slots.pop().release()
            if not slots:
                del self._unanswered[str(request_id)]


class _Incoming(Source):
    """The client's messages. Each is read when it is asked for."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    async def receive(self) -> SessionMessage:
        """See `Source`."""
        return await self._exchange.receive()


class _Outgoing(Sink):
    """The server's messages. Each is written by the task that sends it."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    async def send(self, message: SessionMessage) -> None:
        """See `Sink`."""
        await self._exchange.send(message.message)


@contextmanager
def _taken(descriptor: int, diversion: int) -> Iterator[int]:
    """Return a private copy of a standard descriptor, whose number leads to `diversion` until the block is left."""
    private = os.dup(descriptor)
    # The loop makes it non-blocking, and others may share it: a terminal is one file for a shell and its commands.
    blocking = os.get_blocking(private)
    os.dup2(diversion, descriptor)
    os.close(diversion)
    try:
        yield private
    finally:
        os.set_blocking(private, blocking)
        os.dup2(private, descriptor)
        os.close(private)
