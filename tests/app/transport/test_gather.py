"""Writes that go out as one, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from viam_mcp.app.transport._gather import Gathering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Gathering, socket.socket]]:
    """What is written to, and what reads it at the other end."""
    near, far = socket.socketpair()
    far.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    with closing(far):
        yield Gathering(transport), far
        transport.abort()
        await asyncio.sleep(0)


def arrived(far: socket.socket) -> bytes:
    try:
        return far.recv(1 << 20)
    except BlockingIOError:
        return b""


async def test_writes_of_one_turn_of_the_loop_go_out_together(ends: tuple[Gathering, socket.socket]) -> None:
    near, far = ends
    near.write(b"head ")
    near.write(b"body")
    assert arrived(far) == b""
    await asyncio.sleep(0)
    assert arrived(far) == b"head body"
    near.write(b"next")
    await asyncio.sleep(0)
    assert arrived(far) == b"next"


async def test_what_was_written_can_be_sent_at_once(ends: tuple[Gathering, socket.socket]) -> None:
    near, far = ends
    near.write(b"head ")
    near.write(b"body")
    near.flush()
    assert arrived(far) == b"head body"
    await asyncio.sleep(0)
    assert arrived(far) == b""


async def test_much_is_not_kept_back(ends: tuple[Gathering, socket.socket]) -> None:
    near, far = ends
    near.write(b"x" * 70_000)
    assert arrived(far) == b"x" * 70_000


async def test_what_was_written_before_the_end_arrives(ends: tuple[Gathering, socket.socket]) -> None:
    near, far = ends
    near.write(b"last words")
    near.close()
    assert near.is_closing()
    assert arrived(far) == b"last words"
