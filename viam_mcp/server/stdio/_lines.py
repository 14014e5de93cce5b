"""The lines that come from a descriptor, and a writer to one.

The SDK passes every line through a worker thread, which costs more than the rest of a call, and a thread that waits
for a line cannot be stopped. Here the event loop watches the descriptors that it can (pipes, sockets, terminals). All
others (files, /dev/null) never make a reader or writer wait.
"""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from viam_mcp.server.stdio._malformed import HEAD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import anyio

MAX_LINE = 64 * 1024 * 1024
"""The longest line that is read, in bytes."""
_POLL_SECONDS = 0.2


class Beginning(bytes):
    """The beginning of a line that is too long. The rest of it was dropped."""


class Lines:
    """The lines that come from a descriptor which never makes a reader wait.

    Args:
        file: The descriptor's file.

    Attributes:
        ended: Set when nothing more will come, though lines may still wait to be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.ended = asyncio.Event()
        self._file = file
        self._ended_at = 0.0
        self._at_end: tuple[anyio.CancelScope, float] | None = None

    async def next(self) -> bytes:
        """Return the next line, or b"" after the last."""
        # A file always has more at once: other tasks and signals get their turn here.
        await asyncio.sleep(0)
        line = self._file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while (rest := self._file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            return Beginning(line[:HEAD])
        return line

    @contextmanager
    def limit_after_end(self, scope: anyio.CancelScope, seconds: float) -> Iterator[None]:
        """Inside the block, cancel a scope so many seconds after the end of the input."""
        self._at_end = (scope, seconds)
        self._set_deadline()
        try:
            yield
        finally:
            self._at_end = None

    def _end(self) -> None:
        if not self.ended.is_set():
            self._ended_at = asyncio.get_running_loop().time()
            self.ended.set()
            self._set_deadline()

    def _set_deadline(self) -> None:
        if self.ended.is_set() and self._at_end is not None:
            scope, seconds = self._at_end
            scope.deadline = self._ended_at + seconds


class _PipeLines(Lines):
    """The lines that come from a descriptor which the loop watches."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._reader = asyncio.StreamReader(limit=MAX_LINE)

    async def connect(self) -> asyncio.ReadTransport:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: _Protocol(self._reader, self._end), self._file)
        return transport

    async def next(self) -> bytes:
        """See `Lines`."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except asyncio.LimitOverrunError as error:
            beginning = Beginning((await self._reader.readexactly(error.consumed))[:HEAD])
        except ConnectionError:
            return b""
        while True:
            try:
                await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self._reader.readexactly(error.consumed)
            except asyncio.IncompleteReadError:
                return beginning
            else:
                return beginning


class _Protocol(asyncio.StreamReaderProtocol):
    """Feeds a reader, and says when the input has ended, which the reader says only after its last line."""

    def __init__(self, reader: asyncio.StreamReader, on_end: Callable[[], None]) -> None:
        super().__init__(reader)
        self._on_end = on_end

    def eof_received(self) -> bool | None:
        self._on_end()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()
        super().connection_lost(exc)


class Writer:
    """Writes to a descriptor that never makes a writer wait.

    Args:
        file: The descriptor's file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def write(self, data: bytes) -> None:
        """Write, no faster than the other side reads.

        Raises:
            ConnectionError: The other side is gone, or the writer was cut off.
        """
        self._file.write(data)
        self._file.flush()

    async def stalled(self, seconds: float) -> None:
        """Wait until the other side has read nothing for so long, although something was written for it."""
        await asyncio.Event().wait()

    def cut_off(self) -> None:
        """Write nothing more, not even what waits for the other side to read."""


class _PipeWriter(Writer):
    """Writes to a descriptor that the loop watches."""

    async def connect(self) -> None:
        """Begin to write."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), self._file
        )
        # Nothing is buffered: a write takes as long as the other side takes to read.
        transport.set_write_buffer_limits(0)
        self._transport = transport
        self._stream = asyncio.StreamWriter(transport, protocol, None, loop)
        self._written = 0

    async def write(self, data: bytes) -> None:
        """See `Writer`."""
        self._stream.write(data)
        await self._stream.drain()
        self._written += 1

    async def stalled(self, seconds: float) -> None:
        """See `Writer`."""
        loop = asyncio.get_running_loop()
        before, since = self._progress(), loop.time()
        while loop.time() - since < seconds:
            await asyncio.sleep(_POLL_SECONDS)
            if (now := self._progress()) != before or not self._transport.get_write_buffer_size():
                before, since = now, loop.time()

    def cut_off(self) -> None:
        """See `Writer`."""
        # Where the other side is gone, the transport has closed itself, and would fail to do so again.
        if not self._transport.is_closing():
            self._transport.abort()

    def _progress(self) -> tuple[int, int]:
        return self._written, self._transport.get_write_buffer_size()


@asynccontextmanager
async def lines_from(descriptor: int) -> AsyncIterator[Lines]:
    """Return the lines that come from a descriptor, until the block is left."""
    if not _can_watch(descriptor):
        with os.fdopen(os.dup(descriptor), "rb") as file:
            yield Lines(file)
        return
    lines = _PipeLines(os.fdopen(os.dup(descriptor), "rb", buffering=0))
    transport = await lines.connect()
    try:
        yield lines
    finally:
        transport.close()


@asynccontextmanager
async def writer_to(descriptor: int) -> AsyncIterator[Writer]:
    """Return a writer to a descriptor, until the block is left."""
    if not _can_watch(descriptor):
        with os.fdopen(os.dup(descriptor), "wb") as file:
            yield Writer(file)
        return
    writer = _PipeWriter(os.fdopen(os.dup(descriptor), "wb", buffering=0))
    await writer.connect()
    try:
        yield writer
    finally:
        writer.cut_off()


def _can_watch(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
