"""A real gRPC server with one part's log, whose streams go wrong as a test tells them."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from tests.app.service import Service
from viam_mcp.proto import app as wire
from viam_mcp.proto.common import LogEntry

if TYPE_CHECKING:
    from tests.app.service import Received
    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp

PART = "11111111-1111-4111-8111-111111111111"
SECOND = 1_000_000_000
START = time.time_ns() - 600 * SECOND

Wrong = "Callable[[Received], Awaitable[None]]"


def entry(message: str, at: int = START, level: str = "error", **fields: Any) -> LogEntry:
    """An entry of the time `at`, in nanoseconds."""
    made = LogEntry(level=level, logger_name="rdk", message=message, **fields)
    made.time.seconds, made.time.nanos = divmod(at, SECOND)
    return made


async def end(call: Received) -> None:
    """The server ends the stream, with a good status."""


async def status(call: Received) -> None:
    """The server ends the stream, with a bad status."""
    raise GRPCError(Status.UNAVAILABLE, "going down")


async def cut(call: Received) -> None:
    """The connection is lost."""
    call.stream._stream._transport.abort()
    await asyncio.Event().wait()


async def mid_message(call: Received) -> None:
    """The connection is lost within a message."""
    with suppress(Exception):
        await call.stream._stream.send_data(struct.pack(">?I", False, 1_000) + b"half")
    await cut(call)


async def goaway(call: Received) -> None:
    """The server takes leave of the connection, as one that restarts does."""
    connection = call.stream._stream.connection
    connection._connection.close_connection()
    connection.flush()
    await asyncio.sleep(0)
    await cut(call)


async def token_ends(call: Received) -> None:
    """The access token ends in the middle of the stream."""
    raise GRPCError(Status.UNAUTHENTICATED, "unauthenticated: token is expired")


async def deaf(call: Received) -> None:
    """The stream stays open, and brings nothing any more."""
    await asyncio.Event().wait()


WRONGS = (end, status, cut, mid_message, goaway, token_ends, deaf)


class LogServer(Service):
    """Both services, with one log for all parts that a test does not script.

    Attributes:
        log: What was logged, in the order of arrival.
        repeat: How many of the latest entries a new stream begins with.
        headers_first: Whether a stream's headers are sent when it opens, rather than with its first message.
        batch: How many entries a message holds at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[LogEntry] = []
        self.repeat = 0
        self.headers_first = True
        self.batch = 100
        self.opened = 0
        self._streams: dict[asyncio.Queue[Any], Received] = {}
        self.on("GetRobotPartLogs", self._answer)
        self.on("TailRobotPartLogs", self._stream)

    @property
    def streams(self) -> int:
        """How many are open and hear what is logged."""
        return len(self._streams)

    def emit(self, *entries: LogEntry) -> None:
        """Log something."""
        self.log.extend(entries)
        for queue in self._streams:
            queue.put_nowait(entries)

    def break_streams(self, wrong: Any) -> None:
        """Have every open stream go wrong, when it has sent what was logged before."""
        if wrong is token_ends:
            self.revoke()
        for queue in list(self._streams):
            queue.put_nowait(wrong)
            del self._streams[queue]

    async def until_streams(self, number: int) -> None:
        """Wait until so many streams are open."""
        await self.until(lambda: self.streams == number)

    async def _answer(self, call: Received) -> None:
        request = call.request
        ascending = request.order == wire.LOG_ORDER_ASCENDING
        begins = _at(request.start) if request.HasField("start") else (-math.inf,)
        ends = _at(request.end) if request.HasField("end") else (math.inf,)
        timed = [(at, item) for item in self.log if begins <= (at := _at(item.time)) <= ends]
        timed.sort(key=itemgetter(0))
        if not ascending:
            timed.reverse()
        found = [item for _, item in timed if _matches(item, request)]
        begin, limit = int(request.page_token or 0), request.limit or 100
        reply = wire.GetRobotPartLogsResponse(logs=found[begin : begin + limit])
        if len(found) > begin + limit:
            reply.next_page_token = str(begin + limit)
        await call.stream.send_message(reply)

    async def _stream(self, call: Received) -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.opened += 1
        if self.headers_first:
            await call.stream.send_initial_metadata()
        if self.repeat:
            queue.put_nowait(self.log[-self.repeat :])
        self._streams[queue] = call
        await self._notify()
        try:
            while True:
                item = await queue.get()
                if callable(item):
                    await item(call)
                    return
                for begin in range(0, len(item), self.batch):
                    batch = [one for one in item[begin : begin + self.batch] if _follows(one, call.request)]
                    await call.stream.send_message(wire.TailRobotPartLogsResponse(logs=batch))
        finally:
            self._streams.pop(queue, None)


def _at(time: Timestamp) -> tuple[float, ...]:
    return time.seconds, time.nanos


def _follows(item: LogEntry, request: Any) -> bool:
    return (item.level == "error" or not request.errors_only) and request.filter in item.message


def _matches(item: LogEntry, request: Any) -> bool:
    return (not request.levels or item.level in request.levels) and request.filter in item.message
