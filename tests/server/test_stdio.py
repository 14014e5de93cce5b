from __future__ import annotations

import asyncio
import fcntl
import os

from viam_mcp.server._stdio import _output


async def test_what_is_written_has_left_the_process_when_writing_ends() -> None:
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4_096)
    data = b"x" * 10_000 + b"\n"
    with os.fdopen(ours, "rb") as reader:
        with os.fdopen(theirs, "wb", buffering=0):
            async with _output(theirs) as write:
                writing = asyncio.create_task(write(data))
                await asyncio.sleep(0)
                assert not writing.done()
                read = await asyncio.to_thread(reader.read, len(data))
                await writing
        assert read + reader.read() == data
