"""One call on the wire: messages within the limit, compressed or not, and how the server ends it.

See https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and, for compression,
https://github.com/grpc/grpc/blob/master/doc/compression.md.
"""

from __future__ import annotations

import struct
import time
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from grpclib.client import Stream
from grpclib.const import Status
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grpclib.client import ServiceMethod

__all__ = ["MESSAGE_LIMIT", "ClientStream", "UnusableMessage", "open_stream"]

MESSAGE_LIMIT = 32 * 1024 * 1024
"""Bytes of a message, as in Viam's own rpc library."""

_PREFIX = struct.Struct(">?I")
_GZIP = zlib.MAX_WBITS | 16
_BY_HTTP_STATUS = {
    "400": Status.INTERNAL,
    "401": Status.UNAUTHENTICATED,
    "403": Status.PERMISSION_DENIED,
    "404": Status.UNIMPLEMENTED,
    "429": Status.UNAVAILABLE,
    "502": Status.UNAVAILABLE,
    "503": Status.UNAVAILABLE,
    "504": Status.UNAVAILABLE,
}
"""https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md"""


class UnusableMessage(Exception):  # noqa: N818 - a fact about a message
    """A message that is not sent, or an answer that is not taken. Asking again does not help.

    Attributes:
        status: The status that the call ends with.
        hint: What to do about it, or None.
        answered: Whether it is an answer, so that the call has had its effect.
    """

    permanent = True

    def __init__(self, status: Status, message: str, *, hint: str | None = None, answered: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint
        self.answered = answered


class _Codec(ProtoCodec):
    """Messages as bytes, none over the limit."""

    def encode(self, message: Any, message_type: Any) -> bytes:
        data = super().encode(message, message_type)
        if len(data) > MESSAGE_LIMIT:
            raise UnusableMessage(
                Status.RESOURCE_EXHAUSTED,
                f"the request has {len(data)} bytes, and at most {MESSAGE_LIMIT} can be sent at once",
                hint="Send less at once.",
                answered=False,
            )
        return data


_CODEC = _Codec()


class ClientStream(Stream[Any, Any]):
    """A call that trusts nothing in the answer."""

    async def __aenter__(self) -> ClientStream:
        await super().__aenter__()
        wake = self._wrapper.cancel

        def wake_once(error: Exception) -> None:
            # grpclib reports a connection that is closed twice. The second cancellation of the task could not be
            # told from one by the caller.
            if not self._wrapper.cancelled:
                wake(error)

        self._wrapper.cancel = wake_once  # type: ignore[method-assign]
        return self

    async def recv_message(self) -> Any:
        """Receive the next message; None after the last one.

        Raises:
            UnusableMessage: It is too large, or compressed in a way that is not known.
            DecodeError: It is none.
        """
        if not self._recv_initial_metadata_done:
            await self.recv_initial_metadata()
        with self._wrapper:
            data = await self._receive()
            if data is None:
                return None
            message = self._codec.decode(data, self._recv_type)
            (message,) = await self._dispatch.recv_message(message)
            self._messages_received += 1
            self._stream.connection.messages_received += 1
            self._stream.connection.last_message_received = time.monotonic()
            return message

    async def _maybe_finish(self) -> None:
        if self._stream.trailers is None or self._cancel_done:
            await super()._maybe_finish()
            return
        # The status has arrived, and counts even if the connection has been closed since.
        if not self._recv_initial_metadata_done:
            await self.recv_initial_metadata()
        if not self._recv_trailing_metadata_done:
            await self.recv_trailing_metadata()

    async def _receive(self) -> bytes | None:
        # grpclib's own way to read has no limit: it would take up to 4 GiB into memory.
        prefix = await self._stream.recv_data(_PREFIX.size)
        if not prefix:
            return None
        compressed, length = _PREFIX.unpack(prefix)
        if length > MESSAGE_LIMIT:
            raise _too_large(f"{length} bytes")
        data = await self._stream.recv_data(length) if length else b""
        return self._decompressed(data) if compressed else data

    def _decompressed(self, data: bytes) -> bytes:
        encoding = dict(self._stream.headers or ()).get("grpc-encoding", "identity")
        if encoding != "gzip":
            raise UnusableMessage(
                Status.INTERNAL, f"it sent an answer compressed as {encoding!r}; this client reads gzip alone"
            )
        inflate = zlib.decompressobj(_GZIP)
        try:
            plain = inflate.decompress(data, MESSAGE_LIMIT)
        except zlib.error as error:
            raise UnusableMessage(Status.INTERNAL, f"it sent an answer that is not the gzip it says: {error}") from None
        if inflate.unconsumed_tail:
            raise _too_large("more bytes, once it is decompressed,")
        if not inflate.eof:
            raise UnusableMessage(Status.INTERNAL, "it sent an answer that is not the gzip it says: the end is missing")
        return plain

    def _raise_for_status(self, headers_map: Mapping[str, str]) -> None:
        status = headers_map.get(":status")
        if status != "200":
            said = "without an HTTP status" if status is None else f"with the HTTP status {status}"
            known = _BY_HTTP_STATUS.get(status or "", Status.UNKNOWN)
            raise GRPCError(known, f"it answered {said}, and not as a gRPC server does")

    def _raise_for_content_type(self, headers_map: Mapping[str, str]) -> None:
        content_type = headers_map.get("content-type", "")
        if not content_type.startswith("application/grpc"):
            said = f"with {content_type!r}" if content_type else "without a content type"
            raise GRPCError(Status.UNKNOWN, f"it answered {said}, and not as a gRPC server does")

    def _process_grpc_status(self, headers_map: Mapping[str, str]) -> tuple[Status, str | None, Any]:
        number, message = headers_map.get("grpc-status"), headers_map.get("grpc-message")
        if number is None:
            raise GRPCError(Status.UNKNOWN, "its answer ended without a gRPC status")
        try:
            status = Status(int(number))
        except ValueError:
            status, message = Status.UNKNOWN, f"its answer ended with the gRPC status {number!r}, which does not exist"
        if message is not None:
            # The message has to be UTF-8, percent-encoded to ASCII. Some servers send bytes that are not encoded.
            message = unquote_to_bytes(message.encode("latin-1", "replace")).decode("utf-8", "replace")
        return status, None if status is Status.OK else message, None


def open_stream(
    method: ServiceMethod[Any, Any], metadata: Mapping[str, str], timeout: float | None = None
) -> ClientStream:
    """Make a call of a stub's method, on whichever channel the stub is.

    Args:
        method: The method.
        metadata: The call's headers.
        timeout: Seconds until its deadline; None for no deadline.
    """
    opened = method.open(timeout=timeout, metadata=metadata)
    return ClientStream(
        opened._channel,
        opened._method_name,
        opened._metadata,
        opened._cardinality,
        opened._send_type,
        opened._recv_type,
        codec=_CODEC,
        # grpclib's default looks for details in protobuf's default pool, which is not ours.
        status_details_codec=None,
        dispatch=opened._dispatch,
        deadline=opened._deadline,
    )


def _too_large(how_large: str) -> UnusableMessage:
    return UnusableMessage(
        Status.RESOURCE_EXHAUSTED,
        f"the answer has {how_large} and more than {MESSAGE_LIMIT} bytes are not taken",
        hint="Ask for less at once: a page, a filter, or a shorter time.",
    )
