"""A bare gRPC client of the sandbox: no retries, no refresh, nothing between a test and the wire."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pytest
from grpclib import GRPCError
from grpclib.client import Channel

from viam_mcp.app import connect
from viam_mcp.proto import app
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub
from viam_mcp.proto.proto.rpc.v1 import auth_pb2
from viam_mcp.proto.proto.rpc.v1.auth_grpc import AuthServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from google.protobuf.message import Message
    from grpclib.client import Stream
    from grpclib.const import Status

    from viam_mcp.app import AppClient
    from viam_mcp.proto.common import LogEntry
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
            yield entries(stream)
            await stream.cancel()


async def entries(stream: Stream[Any, Any]) -> AsyncIterator[LogEntry]:
    """The entries of an open tail; its status as a GRPCError when the server has ended it."""
    async for response in stream:
        for entry in response.logs:
            yield entry
    await stream.recv_trailing_metadata()


@asynccontextmanager
async def connected(sandbox: Sandbox, key_id: str | None = None, key: str | None = None) -> AsyncIterator[Client]:
    """A client of the sandbox, with its own key unless another is given."""
    address = urlsplit(sandbox.url)
    async with Channel(address.hostname, address.port) as channel:
        client = Client(channel)
        await client.authenticate(key_id or sandbox.api_key_id, key or sandbox.api_key)
        yield client


@contextmanager
def refused(status: Status, *words: str) -> Iterator[pytest.ExceptionInfo[GRPCError]]:
    """Inside, a call must end with this status and a message that holds these words."""
    with pytest.raises(GRPCError) as caught:
        yield caught
    assert caught.value.status is status, caught.value
    for word in words:
        assert word in (caught.value.message or "")


def named(sandbox: Sandbox, table: str, name: str) -> str:
    """The id of the row of that name."""
    identifier = sandbox.store.value(f"SELECT id FROM {table} WHERE name = ?", name)
    assert identifier, f"no {name!r} in {table}"
    return str(identifier)


def key_of(sandbox: Sandbox, name: str) -> tuple[str, str]:
    """The id and the value of the API key of that name."""
    row = sandbox.store.one("SELECT id, key FROM api_keys WHERE name = ?", name)
    assert row, f"no key {name!r}"
    return row["id"], row["key"]


@asynccontextmanager
async def signed_in(sandbox: Sandbox, name: str) -> AsyncIterator[AppClient]:
    """The app client, with the API key of that name."""
    key_id, key = key_of(sandbox, name)
    async with connect(sandbox.url, api_key_id=key_id, api_key=key) as app_client:
        yield app_client


def role(org_id: str, kind: str, resource_id: str, role: str = "owner", identity_id: str = "") -> app.Authorization:
    """An Authorization as clients send it."""
    return app.Authorization(
        authorization_type="role",
        authorization_id=f"{kind}_{role}",
        resource_type=kind,
        resource_id=resource_id,
        organization_id=org_id,
        identity_id=identity_id,
    )
