"""MCP over this process's stdin and stdout.

The SDK's own stdio passes every line through a worker thread, which costs more than the rest of a
call, and a thread that waits for a line cannot be stopped. Here the event loop watches the descriptors
that it can (pipes, sockets, terminals); all others (files, /dev/null) never make anybody wait.

While serving, nothing else in the process can reach the wire: descriptor 0 reads as empty and
descriptor 1 is stderr.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from viam_mcp.server._malformed import HEAD, Malformed, message_in, too_long

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
    from typing import Self

    from mcp_types import JSONRPCMessage

    Write = Callable[[bytes], Awaitable[None]]
    Answer = Callable[[JSONRPCMessage], Awaitable[None]]

MAX_LINE = 64 * 1024 * 1024
"""The longest message, in bytes, that is read."""


class StdioError(Exception):
    """There is no stdin or no stdout to serve on."""


@asynccontextmanager
async def stdio() -> AsyncIterator[tuple[Any, Any]]:
    """The streams that an MCP server runs on, connected to stdin and stdout until the block is left.

    When the client has gone away, what runs in the block is cancelled, and the block is left.

    Raises:
        StdioError: One of them is closed.
    """
    if sys.platform == "win32":
        # Its loop watches no pipes.
        async with stdio_server() as streams:
            yield streams
        return
    for name in ("stdin", "stdout"):
        # Not by its descriptor, whose number something else has got since.
        if getattr(sys, name) is None:
            raise StdioError(f"{name} is closed: serve talks with its client over stdin and stdout.")
    with (
        _taken(0, os.open(os.devnull, os.O_RDONLY)) as source,
        _taken(1, os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else os.dup(2)) as sink,
    ):
        async with _output(sink) as write:
            with anyio.CancelScope() as scope:

                async def answer(message: JSONRPCMessage) -> None:
                    try:
                        await write(message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                    except ConnectionError:
                        scope.cancel()

                lines = _watched(source) if _can_watch(source) else _ready(source)
                async with aclosing(lines):
                    yield _Incoming(lines, answer), _Outgoing(answer)


class _Stream:
    """What a stream of the SDK has besides its messages. Queues and tasks in between would cost turns of the loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """The descriptors are closed when serving ends."""


class _Incoming(_Stream):
    """The client's messages, each read when it is asked for."""

    def __init__(self, lines: AsyncGenerator[bytes], answer: Answer) -> None:
        self._lines = lines
        self._answer = answer

    async def receive(self) -> SessionMessage:
        """The next message. What is none is answered here."""
        while line := await anext(self._lines, b""):
            if line.isspace():
                continue
            try:
                if isinstance(line, _Beginning):
                    raise too_long(line, MAX_LINE)
                return SessionMessage(message_in(line))
            except Malformed as error:
                await self._answer(error.answer)
        raise anyio.EndOfStream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class _Outgoing(_Stream):
    """The server's messages, each written by whoever sends it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def send(self, message: SessionMessage) -> None:
        """Write it, no faster than the client reads."""
        await self._answer(message.message)


def _can_watch(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


@contextmanager
def _taken(descriptor: int, diversion: int) -> Iterator[int]:
    """A private copy of a standard descriptor, whose number leads to `diversion` until the block is left."""
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


class _Beginning(bytes):
    """What was kept of a line that is too long."""


async def _watched(descriptor: int) -> AsyncGenerator[bytes]:
    """The lines that come from a descriptor which the loop can watch."""
    reader = asyncio.StreamReader(limit=MAX_LINE)
    file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    try:
        while line := await _line(reader):
            yield line
    finally:
        transport.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line, b"" after the last."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        beginning = _Beginning((await reader.readexactly(error.consumed))[:HEAD])
    except ConnectionError:
        return b""
    while True:
        try:
            await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
        except asyncio.IncompleteReadError:
            return beginning
        else:
            return beginning


async def _ready(descriptor: int) -> AsyncGenerator[bytes]:
    """The lines of a file."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                line = _Beginning(line[:HEAD])
            yield line
            # A file always has more at once: let others run, and signals be heard.
            await asyncio.sleep(0)


@asynccontextmanager
async def _output(descriptor: int) -> AsyncIterator[Write]:
    """What writes to a descriptor, until the block is left."""
    if not _can_watch(descriptor):
        with os.fdopen(os.dup(descriptor), "wb") as file:
            yield partial(_write_now, file)
        return
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(os.dup(descriptor), "wb", buffering=0)
    )
    # No faster than the other side reads, and nothing is left to be written at the end.
    transport.set_write_buffer_limits(0)
    try:
        yield partial(_write_out, asyncio.StreamWriter(transport, protocol, None, loop))
    finally:
        # Where the client has gone, it has closed itself, and would fail to do so again.
        if not transport.is_closing():
            transport.abort()


async def _write_now(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()


async def _write_out(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
