"""Split a source of bytes into chunks of the size that uploads use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import BinaryIO, TypeGuard

__all__ = ["CHUNK", "Chunks", "Source"]

CHUNK = 64 * 1024
# Files are read in larger pieces, because a switch to a thread costs as much as several chunks.
_READ = 16 * CHUNK

Source = bytes | bytearray | memoryview | BinaryIO | Iterable[bytes] | AsyncIterable[bytes]


class Chunks:
    """A source of bytes that is read while it is sent, and read again for a retry where the source allows it.

    Attributes:
        replayable: Whether `read` gives the same bytes when it is called again.
    """

    def __init__(self, source: Source) -> None:
        """Wrap `source`. A file is read from its current position."""
        self._source = source
        self._start: int | None = None
        if _is_file(source):
            self._start = source.tell() if source.seekable() else None
            self.replayable = self._start is not None
        else:
            self.replayable = not isinstance(source, (Iterator, AsyncIterator))

    async def read(self) -> AsyncGenerator[bytes]:
        """Yield the bytes in chunks of at most 64 KiB, none of them empty."""
        async for piece in self._pieces():
            view = memoryview(piece)
            for begin in range(0, len(view), CHUNK):
                yield bytes(view[begin : begin + CHUNK])

    async def _pieces(self) -> AsyncIterator[bytes | bytearray | memoryview]:
        source = self._source
        if isinstance(source, (bytes, bytearray, memoryview)):
            yield memoryview(source).cast("B")
        elif _is_file(source):
            if self._start is not None:
                await asyncio.to_thread(source.seek, self._start)
            while piece := await asyncio.to_thread(source.read, _READ):
                yield piece
        elif isinstance(source, AsyncIterable):
            async for piece in source:
                yield piece
        else:
            for piece in source:
                yield piece


def _is_file(source: Source) -> TypeGuard[BinaryIO]:
    return hasattr(source, "read")
