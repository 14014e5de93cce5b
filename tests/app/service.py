"""A real gRPC server that does as a test tells it, one call at a time."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.message_factory import GetMessageClass
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from tests.pace import PATIENCE
from tests.ports import port_of
from viam_mcp.proto import POOL, app  # noqa: F401 - fills the pool
from viam_mcp.proto.proto.rpc.v1 import auth_pb2
from viam_mcp.sandbox.transport import Listener

if TYPE_CHECKING:
    from google.protobuf.message import Message

KEY_ID = "11111111-2222-4333-8444-555555555555"
KEY = "the-key-nobody-may-see"

Behaviour = Callable[["Received"], Awaitable[None]]


@dataclass
class Received:
    """A call that reached the server."""

    rpc: str
    stream: Any
    metadata: dict[str, str]
    requests: list[Any] = field(default_factory=list)

    @property
    def request(self) -> Any:
        (request,) = self.requests
        return request


def reply(*messages: Message) -> Behaviour:
    """Send the messages and end well."""

    async def behave(call: Received) -> None:
        for message in messages:
            await call.stream.send_message(message)

    return behave


def fail(status: Status, text: str = "as the test says") -> Behaviour:
    """End with a status."""

    async def behave(_call: Received) -> None:
        raise GRPCError(status, text)

    return behave


def then(*behaviours: Behaviour) -> Behaviour:
    """One after the other within one call."""

    async def behave(call: Received) -> None:
        for behaviour in behaviours:
            await behaviour(call)

    return behave


async def cut(call: Received) -> None:
    """Drop the connection without a word."""
    call.stream._stream._transport.abort()
    # What is sent after this would reach nobody; the server cancels the handler.
    await asyncio.Event().wait()


async def hang(_call: Received) -> None:
    """Never answer."""
    await asyncio.Event().wait()


class Service:
    """Both services of the wire contract. What no test has scripted is answered with an empty message.

    `on(rpc, first, second, …)` scripts calls in their order; the last behaviour stays.
    """

    def __init__(self) -> None:
        self.calls: list[Received] = []
        self.tokens: list[str] = []
        self.mint: Callable[[int], str] = lambda number: f"token-{number}-nobody-may-see"
        self.url = ""
        self._scripts: defaultdict[str, deque[Behaviour]] = defaultdict(deque)
        self._refused: dict[str, tuple[Status, str]] = {}
        self.arrived = asyncio.Condition()
        self.ended: list[str] = []

    def on(self, rpc: str, *behaviours: Behaviour) -> None:
        self._scripts[rpc] = deque(behaviours)

    def refuse(self, rpc: str, status: Status, text: str) -> None:
        """End calls before any of their messages is read."""
        self._refused[rpc] = (status, text)

    def received(self, rpc: str) -> list[Received]:
        return [call for call in self.calls if call.rpc == rpc]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.arrived, asyncio.timeout(PATIENCE):
            await self.arrived.wait_for(condition)

    def __mapping__(self) -> dict[str, Handler]:
        mapping = {}
        for service in ("viam.app.v1.AppService", "proto.rpc.v1.AuthService"):
            for method in POOL.FindServiceByName(service).methods:
                cardinality = {
                    (False, False): Cardinality.UNARY_UNARY,
                    (False, True): Cardinality.UNARY_STREAM,
                    (True, False): Cardinality.STREAM_UNARY,
                }[method.client_streaming, method.server_streaming]
                mapping[f"/{service}/{method.name}"] = Handler(
                    self._handler(method.name, GetMessageClass(method.output_type)),
                    cardinality,
                    GetMessageClass(method.input_type),
                    GetMessageClass(method.output_type),
                )
        return mapping

    def _handler(self, rpc: str, response: type[Message]) -> Callable[[Any], Awaitable[None]]:
        async def handle(stream: Any) -> None:
            call = Received(rpc, stream, dict(stream.metadata))
            self.calls.append(call)
            try:
                # An upload is refused from its headers on, like any other call.
                if rpc != "Authenticate":
                    self._check_token(call)
                if rpc in self._refused:
                    raise GRPCError(*self._refused[rpc])
                async for message in stream:
                    call.requests.append(message)
                await self._notify()
                await self._behave(call, response)
            finally:
                self.ended.append(rpc)
                await asyncio.shield(self._notify())

        return handle

    async def _behave(self, call: Received, response: type[Message]) -> None:
        script = self._scripts[call.rpc]
        if script:
            await (script.popleft() if len(script) > 1 else script[0])(call)
        elif call.rpc == "Authenticate":
            await self.authenticate(call)
        else:
            await call.stream.send_message(response())

    async def _notify(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    async def authenticate(self, call: Received) -> None:
        """What the real one does."""
        if "authorization" in call.metadata:
            raise GRPCError(Status.INVALID_ARGUMENT, "already authenticated; cannot re-authenticate")
        request = call.request
        if (request.entity, request.credentials.type, request.credentials.payload) != (KEY_ID, "api-key", KEY):
            raise GRPCError(Status.UNAUTHENTICATED, "invalid credentials")
        self.tokens.append(self.mint(len(self.tokens) + 1))
        await call.stream.send_message(auth_pb2.AuthenticateResponse(access_token=self.tokens[-1]))

    def _check_token(self, call: Received) -> None:
        sent = call.metadata.get("authorization", "")
        if not self.tokens or sent != f"Bearer {self.tokens[-1]}":
            raise GRPCError(Status.UNAUTHENTICATED, f"unauthenticated: no such token: {sent}")

    def drop(self) -> None:
        """Break every connection."""
        for call in self.calls:
            call.stream._stream._transport.abort()

    def revoke(self) -> None:
        """Make every token so far worthless."""
        self.tokens.append("revoked")


@asynccontextmanager
async def serving(service: Service, *, port: int = 0, ssl: Any = None) -> AsyncIterator[Service]:
    """Run `service` on a port of this computer."""
    server = Listener([service])
    await server.start("127.0.0.1", port, ssl=ssl)
    scheme = "https" if ssl else "http"
    service.url = f"{scheme}://127.0.0.1:{port_of(server)}"
    try:
        yield service
    finally:
        await server.stop()
