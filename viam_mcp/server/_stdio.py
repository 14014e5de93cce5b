"""MCP over this process's stdin and stdout, on the event loop's own pipes.

The SDK's own stdio passes every line through a worker thread, which costs more than the rest of a
call. Where the loop can watch the descriptors (pipes, sockets, terminals), it does; for a regular
file, or on a platform whose loop cannot, the SDK's way is kept.

While serving, nothing else in the process can reach the wire: descriptor 0 reads as empty and
descriptor 1 is stderr.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.stdio import stdio_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MAX_LINE = 64 * 1024 * 1024
"""The longest message, in bytes, that is read; a longer one is answered as if it were not JSON."""


@asynccontextmanager
async def stdio() -> AsyncIterator[tuple[Any, Any]]:
    """The streams that an MCP server runs on, connected to stdin and stdout until the block is left."""
    if not (_can_watch(0) and _can_watch(1)):
        async with stdio_server() as streams:
            yield streams
        return
    async with AsyncExitStack() as stack:
        source = stack.enter_context(_taken(0, os.open(os.devnull, os.O_RDONLY)))
        sink = stack.enter_context(_taken(1, os.dup(2)))
        lines = await _Lines.open(source)
        stack.callback(lines.close)
        output = await _Output.open(sink)
        stack.callback(output.close)
        # The SDK needs no more of its files than what these two have.
        yield await stack.enter_async_context(stdio_server(stdin=lines, stdout=output))  # type: ignore[arg-type]


def _can_watch(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
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


class _Lines:
    """Lines of text from a descriptor."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self._reader = reader
        self._transport = transport

    @classmethod
    async def open(cls, descriptor: int) -> _Lines:
        reader = asyncio.StreamReader(limit=MAX_LINE)
        file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), file
        )
        return cls(reader, transport)

    def close(self) -> None:
        self._transport.close()

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            line = error.partial
        except asyncio.LimitOverrunError:
            line = await self._skip_line()
        except ConnectionError:
            line = b""
        if not line:
            raise StopAsyncIteration
        return line.decode(errors="replace")

    async def _skip_line(self) -> bytes:
        """Drop the rest of a line that is too long; what is given in its place is not JSON."""
        while True:
            try:
                await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self._reader.readexactly(error.consumed)
            except asyncio.IncompleteReadError:
                return b"too long"
            else:
                return b"too long\n"


class _Output:
    """Text to a descriptor, no faster than the other side reads."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @classmethod
    async def open(cls, descriptor: int) -> _Output:
        loop = asyncio.get_running_loop()
        file = os.fdopen(os.dup(descriptor), "wb", buffering=0)
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), file
        )
        return cls(asyncio.StreamWriter(transport, protocol, None, loop))

    async def write(self, text: str) -> None:
        self._writer.write(text.encode())

    async def flush(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()
