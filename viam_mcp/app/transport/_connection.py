"""One HTTP/2 connection to a server that may misbehave.

grpclib closes a connection, and with it every call on it, for more than it must. Here an answer that is odd
stays the fault of its own call, frames that are not known are ignored as RFC 9113 section 5.5 asks, and a peer
that does not speak HTTP/2 at all is recognized by its first bytes, before anything is sent to it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

import h2.connection
from grpclib.client import Channel, Handler
from grpclib.exceptions import StreamTerminatedError
from grpclib.protocol import EventsProcessor, H2Protocol
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from viam_mcp.app.transport._gather import Gathering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grpclib.config import Configuration
    from grpclib.protocol import Stream
    from h2.config import H2Configuration
    from h2.events import ConnectionTerminated, Event, StreamEnded, StreamReset

__all__ = [
    "EXPECTS_TLS",
    "SAYS_NOTHING",
    "SPEAKS_HTTP1",
    "SPEAKS_OTHERWISE",
    "ClientChannel",
    "ClientProtocol",
    "NotProcessed",
]

LOGGER = logging.getLogger("viam_mcp.app")

CLOSED_STREAMS = 256
"""How many streams that are closed a connection remembers; h2 would remember 65,536, which are some 5 MB."""

# What is wrong with a server that does not begin with HTTP/2. The server's address stands before each of them.
SPEAKS_HTTP1 = "speaks HTTP/1, and gRPC needs HTTP/2"
EXPECTS_TLS = "expects TLS"
SPEAKS_OTHERWISE = "speaks another protocol than HTTP/2, which gRPC needs"
SAYS_NOTHING = "closed the connection before it said anything"

_FRAME_HEAD = 9
_SETTINGS = 4  # the type of frame that a server's first one has to have: RFC 9113, section 3.4
_TLS_ALERT = b"\x15\x03"

# h2 makes the repr() of each frame that it receives, for a log line at a level below DEBUG. Given the frame
# itself, that line reads the same, and is made only where somebody logs it.
h2.connection.repr = lambda frame: frame  # type: ignore[attr-defined]


class NotProcessed(StreamTerminatedError):  # noqa: N818 - a fact about a call
    """A call that the server has not processed, and that may be sent again: RFC 9113, section 8.7."""


class ClientProtocol(H2Protocol):
    """The client's side of a connection.

    Attributes:
        greeting: Done when the server has begun to speak: the result is None, or why this is no HTTP/2 server.
    """

    def __init__(self, config: Configuration, h2_config: H2Configuration) -> None:
        super().__init__(Handler(), config, h2_config)
        self.greeting: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._head = b""
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(cast("asyncio.Transport", Gathering(cast("asyncio.Transport", transport))))
        self.processor = _Events(self.handler, self.connection)
        closed: Any = self.connection._connection._closed_streams
        closed._size_limit = CLOSED_STREAMS

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not self.greeting.done() and not self._greets(data):
            return
        try:
            for frame in self._frames(data):
                for event in self.connection.feed(frame):
                    self.processor.process(event)
                if self.connection.is_closing():
                    return
        except ProtocolError as error:
            self._fail(f"it broke the rules of HTTP/2: {error}")
        except Exception as error:
            LOGGER.debug("what a server sent cannot be processed", exc_info=True)
            self._fail(f"what it sent cannot be processed: {type(error).__name__}")
        else:
            self.connection.flush()

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._welcome(SAYS_NOTHING)
        super().connection_lost(exc)

    def _greets(self, data: bytes) -> bool:
        """Whether what has come so far is the beginning of HTTP/2; the connection is closed if it cannot be."""
        seen = self._head + data[:_FRAME_HEAD]
        if (problem := _foreign(seen)) is not None:
            self._welcome(problem)
            self._fail(problem)
            return False
        self._head = seen[:_FRAME_HEAD]
        if len(seen) >= _FRAME_HEAD:
            self._welcome(None)
        return True

    def _welcome(self, problem: str | None) -> None:
        if not self.greeting.done():
            self.greeting.set_result(problem)

    def _fail(self, reason: str) -> None:
        LOGGER.debug("closing a connection: %s", reason)
        self.processor.close(reason)

    def _frames(self, data: bytes) -> Iterator[bytes]:
        """Yield the frames that are complete, and keep the beginning of the next one.

        h2 would take all of them at once, and forget what the first ones said if a later one is wrong: that calls
        have been answered, or, since it takes nothing after a GOAWAY, that the server is stopping.
        """
        data = self._rest + data if self._rest else data
        begin, limit = 0, self.connection._connection.max_inbound_frame_size
        while len(data) - begin >= _FRAME_HEAD:
            length = int.from_bytes(data[begin : begin + 3])
            end = begin + _FRAME_HEAD + length
            if length > limit:
                # h2 refuses it by its head, without the rest.
                end = len(data)
            elif end > len(data):
                break
            yield data[begin:end]
            begin = end
        self._rest = data[begin:]


class _Events(EventsProcessor):
    """What h2 reports, for the calls that it concerns."""

    def process(self, event: Event) -> None:
        """Handle an event, or ignore one of a kind that a client has no use for."""
        if event.__class__ in getattr(self, "processors", ()):
            super().process(event)

    def close(self, reason: str = "Connection closed") -> None:
        """See `EventsProcessor`. A call whose whole answer has arrived keeps it."""
        for stream in self.streams.values():
            if stream.trailers is not None:
                stream.wrapper = None
                stream.buffer._ack_callback = _acknowledge_nothing
        super().close(reason)

    def process_stream_reset(self, event: StreamReset) -> None:
        """See `EventsProcessor`. A call that the server has refused unprocessed learns that it has had no effect."""
        stream = self.streams.get(event.stream_id)
        if event.remote_reset and event.error_code == ErrorCodes.REFUSED_STREAM and stream is not None:
            _tell(stream, "the server refused the call before it processed any of it")
        super().process_stream_reset(event)

    def process_connection_terminated(self, event: ConnectionTerminated) -> None:
        """See `EventsProcessor`. So do calls that the server has not begun when it stops."""
        for stream in self.streams.values():
            if stream.id is not None and stream.id > (event.last_stream_id or 0):
                _tell(stream, "the server stopped before it processed any of the call")
        super().process_connection_terminated(event)

    def process_stream_ended(self, event: StreamEnded) -> None:
        """See `EventsProcessor`. A call whose answer ends without a status must not wait for one for ever."""
        stream = self.streams.get(event.stream_id)
        super().process_stream_ended(event)
        if stream is not None:
            if stream.headers is None:
                stream.headers = []
                stream.headers_received.set()
            if stream.trailers is None and "grpc-status" not in dict(stream.headers):
                stream.trailers = []
                stream.trailers_received.set()


class ClientChannel(Channel):
    """A channel whose connections are `ClientProtocol`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Every byte is a character in this encoding, so that no header fails to be decoded. `_stream` converts the
        # one header that is UTF-8.
        self._h2_config.header_encoding = "latin-1"

    def _protocol_factory(self) -> H2Protocol:
        return ClientProtocol(self._config, self._h2_config)


def _acknowledge_nothing(_size: int) -> None:
    """Take the place of what tells a server that data has been read, once the connection is closed."""


def _tell(stream: Stream, reason: str) -> None:
    if stream.wrapper is not None:
        stream.wrapper.cancel(NotProcessed(reason))


def _foreign(beginning: bytes) -> str | None:
    """Return why the first bytes of a server cannot be the beginning of HTTP/2, or None if they can."""
    if beginning.startswith(b"HTTP/"[: len(beginning)]) and len(beginning) > len("HTTP"):
        return SPEAKS_HTTP1
    if beginning.startswith(_TLS_ALERT):
        return EXPECTS_TLS
    if len(beginning) > len(b"len") and beginning[3] != _SETTINGS and not beginning.startswith(b"HTTP"):
        return SPEAKS_OTHERWISE
    return None
