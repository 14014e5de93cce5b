"""How every call is made: authorization, deadline, repetition, errors."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from contextlib import aclosing, contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError, Message
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError
from h2.exceptions import StreamClosedError

from viam_mcp.app._errors import AppError, error_for
from viam_mcp.app._observer import NoObserver
from viam_mcp.app.credentials._credentials import TokenCache
from viam_mcp.app.transport._call import TRANSIENT, OutgoingCall, rpc_at
from viam_mcp.app.transport._connection import NotProcessed
from viam_mcp.app.transport._dial import Dialer
from viam_mcp.app.transport._interrupt import Interrupted
from viam_mcp.app.transport._stream import open_stream
from viam_mcp.proto.proto.rpc.v1.auth_grpc import AuthServiceStub
from viam_mcp.proto.proto.rpc.v1.auth_pb2 import AuthenticateRequest
from viam_mcp.proto.proto.rpc.v1.auth_pb2 import Credentials as CredentialsMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping

    from grpclib.client import Channel, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod

    from viam_mcp.app._observer import CallObserver
    from viam_mcp.app.credentials._credentials import AccessToken, TokenSource

__all__ = ["DEFAULT_CONNECT_TIMEOUT", "DEFAULT_TIMEOUT", "LOGGER", "Session", "SourceError"]

LOGGER = logging.getLogger("viam_mcp.app")

DEFAULT_TIMEOUT = 20.0
DEFAULT_CONNECT_TIMEOUT = 10.0

_ATTEMPTS = 4
_FIRST_BACKOFF = 0.2
_SHORTEST_SECRET = 8
# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Custom-Metadata" in ASCII
_HEADER_NAME = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]+")

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


class Session:
    """A channel, and the authorization, deadlines and repetition of the calls over it.

    Calls are repeated only where the wire contract allows it (`idempotency_level`), or where they
    provably never reached the server: no connection, or a refused token.
    """

    def __init__(
        self,
        channel: Channel,
        metadata: Mapping[str, str] | None = None,
        *,
        credentials: TokenSource | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
        prepare: Callable[[], None] | None = None,
        observer: CallObserver | None = None,
    ) -> None:
        """Send calls over `channel`, which `close` closes.

        Args:
            channel: Any grpclib channel.
            metadata: Headers for every call, in ASCII.
            credentials: With these, calls carry an access token that is kept fresh.
            timeout: Seconds for one call with all its repetitions; for a stream of uploads, for each message.
            connect_timeout: Seconds to establish a connection.
            prepare: Runs in a thread before the first connection.
            observer: Sees the calls.
        """
        self.channel = channel
        self._metadata = dict(metadata or {})
        for name, value in self._metadata.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                # The value is not repeated: it may be a credential.
                raise ValueError(f"metadata has {name!r}, whose name or value no header can carry")
        self._credentials = credentials
        self._tokens = TokenCache(self._authenticate) if credentials else None
        self._timeout = timeout
        self._observer = observer or NoObserver()
        self._dialer = Dialer(channel, connect_timeout, prepare)
        self._closed = False
        # hpack logs every header it encodes at DEBUG, the access token among them.
        hpack = logging.getLogger("hpack")
        if hpack.level == logging.NOTSET:
            hpack.setLevel(logging.INFO)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.target}>"

    @property
    def target(self) -> str:
        """The server's address, for people."""
        return self._dialer.target

    @property
    def api_key_id(self) -> str | None:
        """The id of the API key that calls are authenticated with, if they are."""
        return self._credentials.api_key_id if self._credentials else None

    async def authenticate(self) -> None:
        """Get a token now, which shows whether the server answers and takes the key.

        Raises:
            AppError: If it does not.
        """
        if self._tokens is not None:
            await self._tokens.get()

    async def close(self) -> None:
        """Close the channel and refuse further calls. What is under way ends with `Unavailable`."""
        self._closed = True
        if self._tokens is not None:
            await self._tokens.close()
        self.channel.close()
        # The transport closes its socket in the loop's next iteration, which may be the last one.
        await asyncio.sleep(0)

    async def unary(
        self, method: UnaryUnaryMethod[Req, Res], request: Req, *, authorized: bool = True, timeout: float | None = None
    ) -> Res:
        """Send a request and return its reply.

        Args:
            method: The stub's method.
            request: Its request.
            authorized: Whether the call carries an access token.
            timeout: Seconds for the call with all its repetitions, instead of the session's.

        Raises:
            AppError: The one for the status that the call ended with.
        """
        call = OutgoingCall(rpc_at(method.name), request, self._timeout if timeout is None else timeout)
        with self._observer.calling(call.rpc.name) as more:
            return await self._unary(method, request, call, more, authorized=authorized)

    async def _unary(
        self,
        method: UnaryUnaryMethod[Req, Res],
        request: Req,
        call: OutgoingCall,
        more: Mapping[str, str],
        *,
        authorized: bool,
    ) -> Res:
        while True:
            try:
                metadata = {**await self._headers(call, authorized=authorized), **more}
                await self._dial(call)
                with Interrupted():
                    async with open_stream(method, metadata, call.remaining()) as stream:
                        await stream.send_message(request, end=True)
                        reply: Res | None = await stream.recv_message()
                return self._answered(call, reply)
            except Exception as error:  # noqa: BLE001 - all of them become an AppError, in one place
                await self._recover(call, error)

    async def stream(
        self, method: UnaryStreamMethod[Req, Res], request: Req, *, reopen: bool = True
    ) -> AsyncGenerator[Res]:
        """Send a request and yield its replies, for as long as the server sends.

        There is no deadline: it ends when the server ends it. Closing the iterator cancels the rpc.
        Only an opening that failed is repeated: what was yielded once is never yielded again.

        Args:
            method: The stub's method.
            request: Its request.
            reopen: Whether an opening that failed is repeated; one that only needs a new token always is.

        Raises:
            AppError: The one for the status that the stream ended with.
        """
        call = OutgoingCall(rpc_at(method.name), request, inf)
        call.attempts = 0 if reopen else _ATTEMPTS
        started = False
        while True:
            try:
                metadata = await self._headers(call)
                await self._dial(call)
                async with open_stream(method, metadata) as stream:
                    with Interrupted():
                        await stream.send_message(request, end=True)
                    while True:
                        with Interrupted():
                            if (reply := await stream.recv_message()) is None:
                                await stream.recv_trailing_metadata()
                                break
                        started = True
                        yield reply
                return
            except Exception as error:  # noqa: BLE001 - all of them become an AppError, in one place
                if started:
                    raise self._failure(call, error) from None
                await self._recover(call, error)

    async def stream_unary(
        self,
        method: StreamUnaryMethod[Req, Res],
        about: Message,
        messages: Callable[[], AsyncGenerator[Req]],
        *,
        replayable: bool,
    ) -> Res:
        """Send a stream of requests and return the reply.

        The session's timeout holds for every single message and for the reply, not for the whole, which
        takes as long as it must; the time that the caller takes to produce a message is not counted.

        Args:
            method: The stub's method.
            about: The message that errors name the call by.
            messages: Makes the stream of requests.
            replayable: Whether `messages` gives the same stream when it is asked again.

        Raises:
            AppError: The one for the status that the call ended with.
        """
        call = OutgoingCall(rpc_at(method.name), about, inf)
        call.timeout = self._timeout
        call.replayable = replayable
        with self._observer.calling(call.rpc.name) as more:
            return await self._stream_unary(method, call, messages, more, replayable=replayable)

    async def _stream_unary(
        self,
        method: StreamUnaryMethod[Req, Res],
        call: OutgoingCall,
        messages: Callable[[], AsyncGenerator[Req]],
        more: Mapping[str, str],
        *,
        replayable: bool,
    ) -> Res:
        while True:
            try:
                metadata = {**await self._headers(call), **more}
                await self._dial(call)
                # If the messages cannot be sent again, a refused token is final.
                call.renewed = call.renewed or not replayable
                with Interrupted():
                    reply = await self._send_all(method, metadata, messages())
                return self._answered(call, reply)
            except SourceError as error:
                raise error.__cause__ or error from None
            except Exception as error:  # noqa: BLE001 - all of them become an AppError, in one place
                await self._recover(call, error)

    async def _send_all(
        self, method: StreamUnaryMethod[Req, Res], metadata: Mapping[str, str], messages: AsyncGenerator[Req]
    ) -> Res | None:
        now = asyncio.get_running_loop().time
        async with (
            aclosing(messages),
            asyncio.timeout(None) as pace,
            open_stream(method, metadata) as stream,
        ):
            while (message := await _next(messages)) is not None:
                pace.reschedule(now() + self._timeout)
                with _unsendable():
                    await stream.send_message(message)
                pace.reschedule(None)
            pace.reschedule(now() + self._timeout)
            with _unsendable():
                await stream.end()
            reply: Res | None = await stream.recv_message()
            return reply

    async def _authenticate(self, refused: str | None) -> AccessToken:
        assert self._credentials is not None  # noqa: S101 - tokens exist only with credentials
        token = await self._credentials.token(self._exchange, refused)
        if not _HEADER_VALUE.fullmatch(token.value):
            raise error_for(
                Status.UNAUTHENTICATED,
                "the access token holds characters that no header can carry",
                rpc="Authenticate",
                hint="Log in anew, or use an API key; where an API key was used, the server's own logs say why.",
            )
        return token

    async def _exchange(self, api_key_id: str, api_key: str) -> str:
        request = AuthenticateRequest(
            entity=api_key_id, credentials=CredentialsMessage(type="api-key", payload=api_key)
        )
        # Without the authorization header: the server refuses a call of Authenticate that has one.
        reply = await self.unary(AuthServiceStub(self.channel).Authenticate, request, authorized=False)
        LOGGER.debug("%s: authenticated", self.target)
        return reply.access_token

    async def _headers(self, call: OutgoingCall, *, authorized: bool = True) -> Mapping[str, str]:
        call.sent = False
        if self._closed:
            raise self._closed_error(call)
        if self._tokens is None or not authorized:
            return self._metadata
        if (token := self._tokens.current) is None:
            async with asyncio.timeout(None if call.deadline == inf else call.remaining()):
                token = await self._tokens.get()
        call.token = token
        return {**self._metadata, "authorization": f"Bearer {token}"}

    async def _dial(self, call: OutgoingCall) -> None:
        if not self._dialer.connected:
            await self._dialer.dial(call.remaining())
            if self._closed:
                self.channel.close()
                raise self._closed_error(call)
        call.sent = True

    def _closed_error(self, call: OutgoingCall) -> AppError:
        hint = "Connect again with connect()."
        return error_for(Status.UNAVAILABLE, "the client was closed", rpc=call.rpc.name, hint=hint)

    def _answered(self, call: OutgoingCall, reply: Res | None) -> Res:
        if reply is None:
            raise self._failure(call, DecodeError("the server sent no reply"))
        return reply

    async def _recover(self, call: OutgoingCall, error: Exception) -> None:
        """Return when the call may be sent again, after a pause where one is due; else raise what it failed with."""
        if isinstance(error, AppError):
            raise error
        if isinstance(error, NotProcessed):
            call.sent = False
        failure = self._failure(call, error)
        if failure.status is Status.UNAUTHENTICATED and call.token is not None and not call.renewed:
            assert self._tokens is not None  # noqa: S101 - a call has a token only from there
            call.renewed = True
            self._tokens.reject(call.token)
            self._observer.repeating(call.rpc.name, failure.status.name)
            return
        call.attempts += 1
        harmless = call.rpc.repeatable or not call.sent
        possible = call.replayable or not isinstance(error, NotProcessed)
        again = failure.status in TRANSIENT and harmless and possible and call.attempts < _ATTEMPTS
        pause = random.uniform(0, _FIRST_BACKOFF * 2**call.attempts)  # noqa: S311 - jitter, not a secret
        if not again or getattr(error, "permanent", False) or pause >= call.remaining():
            raise failure from None
        LOGGER.debug("%s: %s, again in %.2f s", call.rpc.name, failure.status.name, pause)
        self._observer.repeating(call.rpc.name, failure.status.name)
        await asyncio.sleep(pause)

    def _failure(self, call: OutgoingCall, error: Exception) -> AppError:
        return call.failure(error, self.target, self._secrets())

    def _secrets(self) -> Iterator[str]:
        for value in self._metadata.values():
            # The words of "Bearer …". Short values are left out, since they occur in any text.
            yield from (word for word in value.split() if len(word) >= _SHORTEST_SECRET)
        if self._credentials is not None:
            yield from self._credentials.secrets()
        if self._tokens is not None and self._tokens.last is not None:
            yield self._tokens.last


class SourceError(Exception):
    """Carries an error of the caller's own data past the handling of the server's errors."""


@contextmanager
def _unsendable() -> Iterator[None]:
    """Raise, for a stream that the server has ended, the error for which grpclib looks up the server's status."""
    try:
        yield
    except StreamClosedError:
        raise StreamTerminatedError("the server ended the call") from None


async def _next(messages: AsyncIterator[Any]) -> Any:
    try:
        return await anext(messages, None)
    except Exception as error:
        raise SourceError from error
