"""A real gRPC server with one part's log, whose streams go wrong as a test tells them."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from bisect import bisect_left, bisect_right
from contextlib import suppress
from itertools import islice
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
        most_bytes: How large an answer may be.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[LogEntry] = []
        self.repeat = 0
        self.headers_first = True
        self.batch = 100
        self.most_bytes = 32 * 1_048_576
        self.opened = 0
        self._sorted: list[tuple[tuple[float, ...], LogEntry]] = []
        self._sorted_of: list[LogEntry] | None = None
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
        begins = _at(request.start) if request.HasField("start") else (-math.inf,)
        ends = _at(request.end) if request.HasField("end") else (math.inf,)
        timed = self._by_time()
        first, last = bisect_left(timed, begins, key=itemgetter(0)), bisect_right(timed, ends, key=itemgetter(0))
        order = range(first, last) if request.order == wire.LOG_ORDER_ASCENDING else range(last - 1, first - 1, -1)
        begin, limit = int(request.page_token or 0), request.limit or 100
        matching = (timed[at][1] for at in order if _matches(timed[at][1], request))
        page = list(islice(matching, begin, begin + limit + 1))
        reply = wire.GetRobotPartLogsResponse(logs=page[:limit])
        if len(page) > limit:
            reply.next_page_token = str(begin + limit)
        if reply.ByteSize() > self.most_bytes:
            raise GRPCError(Status.RESOURCE_EXHAUSTED, "the message is larger than the limit")
        await call.stream.send_message(reply)

    def _check_token(self, call: Received) -> None:
        # Several clients sign in here, each with a token of its own.
        begin = len(self.tokens) - self.tokens[::-1].index("revoked") if "revoked" in self.tokens else 0
        if call.metadata.get("authorization", "").removeprefix("Bearer ") not in self.tokens[begin:]:
            raise GRPCError(Status.UNAUTHENTICATED, "unauthenticated: no such token")

    def _by_time(self) -> list[tuple[tuple[float, ...], LogEntry]]:
        """Return the log as the service gives it; entries of one time stand as they came."""
        if self._sorted_of is not self.log or len(self._sorted) > len(self.log):
            self._sorted_of, self._sorted = self.log, []
        new = self.log[len(self._sorted) :]
        if new:
            self._sorted += [(_at(item.time), item) for item in new]
            self._sorted.sort(key=itemgetter(0))
        return self._sorted

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
