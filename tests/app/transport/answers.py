"""What a server of the tests puts on the wire, byte for byte."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

from tests.app.service import Received, Service, reply, then
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from google.protobuf.message import Message

    from viam_mcp.app import (
        AppClient,
    )

    Header = tuple[str | bytes, str | bytes]

MACHINE = wire.GetRobotResponse(robot=wire.Robot(id="r", name="rover"))


HEAD: list[Header] = [(":status", "200"), ("content-type", "application/grpc")]


FINE: list[Header] = [("grpc-status", "0")]


def framed(data: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A message as gRPC puts it on the wire."""
    return struct.pack(">BI", compressed, len(data) if length is None else length) + data


def answer(
    *, head: Sequence[Header] = HEAD, body: bytes = b"", tail: Sequence[Header] | None = FINE
) -> Callable[[Received], Awaitable[None]]:
    """Send just this: headers, data and trailers, without whatever is empty or None."""

    async def behave(call: Received) -> None:
        stream = call.stream._stream
        sends = [bool(body), tail is not None]
        # Else the server would end the call in its own way.
        for step in ("initial_metadata", "message", "trailing_metadata"):
            setattr(call.stream, f"_send_{step}_done", True)
        try:
            await stream.send_headers(list(head), end_stream=not any(sends))
            if body:
                await stream.send_data(body, end_stream=tail is None)
            if tail is not None:
                await stream.send_headers(list(tail), end_stream=True)
        except Exception:
            # Something that the h2 of this server cannot send.
            stream._transport.abort()

    return behave


def raw(data: bytes, message: Message = MACHINE) -> Callable[[Received], Awaitable[None]]:
    """Write some bytes between the frames of the connection, and answer."""

    async def behave(call: Received) -> None:
        call.stream._stream._transport.write(data)
        await call.stream.send_message(message)

    return behave


def frame(kind: int, data: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data


async def others_go_on(service: Service, client: AppClient, misbehaves: Callable[[], Awaitable[Any]]) -> None:
    """Run something while a call of another kind hangs on the same connection, and let that one be answered."""
    proceed = asyncio.Event()

    async def wait(_call: Received) -> None:
        await proceed.wait()

    service.on("ListRobots", then(wait, reply(wire.ListRobotsResponse(robots=[wire.Robot(id="other")]))))
    other = asyncio.create_task(client.list_robots("l"))
    await service.until(lambda: bool(service.received("ListRobots")))
    await misbehaves()
    proceed.set()
    assert [robot.id for robot in await other] == ["other"]
    assert len(service.received("ListRobots")) == 1, "it was sent again, so its connection broke"


# What is not processed is whatever has a higher number than the stream named here.
GOAWAY_AT_ONCE = frame(7, struct.pack(">II", 1, 0))


async def refuse(call: Received) -> None:
    """Say that the call was not processed: REFUSED_STREAM."""
    call.stream._stream._h2_connection.reset_stream(call.stream._stream.id, error_code=7)
    call.stream._stream.connection.flush()
    for step in ("initial_metadata", "message", "trailing_metadata"):
        setattr(call.stream, f"_send_{step}_done", True)
