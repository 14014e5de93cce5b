"""A bare gRPC client of the sandbox: no retries, no refresh, nothing between a test and the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from google.protobuf.message import Message
from grpclib.client import Channel

from viam_mcp.proto import app
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub
from viam_mcp.proto.common import LogEntry
from viam_mcp.proto.proto.rpc.v1 import auth_pb2
from viam_mcp.proto.proto.rpc.v1.auth_grpc import AuthServiceStub
from viam_mcp.sandbox import Sandbox


class Calls(Protocol):
    async def __call__(self, rpc: str, **fields: Any) -> Any: ...


class Client:
    """One connection that authenticates once, with the given key or the sandbox's own."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.app = AppServiceStub(channel)
        self.metadata: dict[str, str] = {}

    async def authenticate(self, key_id: str, key: str) -> str:
        """Use this key from now on; returns its token."""
        credentials = auth_pb2.Credentials(type="api-key", payload=key)
        request = auth_pb2.AuthenticateRequest(entity=key_id, credentials=credentials)
        response = await AuthServiceStub(self.channel).Authenticate(request)
        self.metadata = {"authorization": f"Bearer {response.access_token}"}
        return response.access_token

    async def __call__(self, rpc: str, **fields: Any) -> Any:
        """Call a unary rpc; the response, or the GRPCError that ended it."""
        request: Message = getattr(app, f"{rpc}Request")(**fields)
        return await getattr(self.app, rpc)(request, metadata=self.metadata)

    @asynccontextmanager
    async def tail(self, part_id: str, **fields: Any) -> AsyncIterator[AsyncIterator[LogEntry]]:
        """New log entries of a part, of which none is missed once the block has begun."""
        async with self.app.TailRobotPartLogs.open(metadata=self.metadata) as stream:
            await stream.send_message(app.TailRobotPartLogsRequest(id=part_id, **fields), end=True)
            await stream.recv_initial_metadata()
            yield (entry async for response in stream for entry in response.logs)


@asynccontextmanager
async def connected(sandbox: Sandbox, key_id: str | None = None, key: str | None = None) -> AsyncIterator[Client]:
    """A client of the sandbox, with its own key unless another is given."""
    address = urlsplit(sandbox.url)
    async with Channel(address.hostname, address.port) as channel:
        client = Client(channel)
        await client.authenticate(key_id or sandbox.api_key_id, key or sandbox.api_key)
        yield client
