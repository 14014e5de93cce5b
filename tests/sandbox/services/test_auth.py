from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
import pytest
from grpclib.const import Status

from tests.sandbox.client import connected, refused
from viam_mcp.proto.proto.rpc.v1 import auth_pb2
from viam_mcp.proto.proto.rpc.v1.auth_grpc import AuthServiceStub
from viam_mcp.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.sandbox.client import Client
    from viam_mcp.sandbox.rows.store import FleetStore


def request(sandbox: Sandbox, **changes: str) -> auth_pb2.AuthenticateRequest:
    values = {"entity": sandbox.api_key_id, "type": "api-key", "payload": sandbox.api_key} | changes
    credentials = auth_pb2.Credentials(type=values["type"], payload=values["payload"])
    return auth_pb2.AuthenticateRequest(entity=values["entity"], credentials=credentials)


async def test_a_token_says_when_it_ends(sandbox: Sandbox, client: Client) -> None:
    token = await client.authenticate(sandbox.api_key_id, sandbox.api_key)

    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == pytest.approx(3600, abs=1)
    assert sandbox.api_key not in token


async def test_a_token_may_say_no_end(demo_fleet: FleetStore) -> None:
    async with Sandbox.start(demo_fleet.copy(), token_lifetime=None) as sandbox, connected(sandbox) as client:
        claims = jwt.decode(client.metadata["authorization"].split()[1], options={"verify_signature": False})
        assert "exp" not in claims
        assert (await client("ListOrganizations")).organizations


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"payload": "wrong"}, Status.UNAUTHENTICATED, "invalid credentials"),
        ({"payload": ""}, Status.UNAUTHENTICATED, "invalid credentials"),
        ({"payload": "ключ"}, Status.UNAUTHENTICATED, "invalid credentials"),
        ({"entity": "nobody"}, Status.UNAUTHENTICATED, "invalid credentials"),
        ({"type": "robot-secret"}, Status.INVALID_ARGUMENT, "do not know how to handle credential type"),
    ],
)
async def test_wrong_credentials_are_refused(
    sandbox: Sandbox, client: Client, changes: dict[str, str], status: Status, words: str
) -> None:
    with refused(status, words):
        await AuthServiceStub(client.channel).Authenticate(request(sandbox, **changes))


async def test_authenticating_without_credentials_is_refused(sandbox: Sandbox, client: Client) -> None:
    with refused(Status.INVALID_ARGUMENT, "credentials required"):
        await AuthServiceStub(client.channel).Authenticate(auth_pb2.AuthenticateRequest(entity=sandbox.api_key_id))


async def test_authenticating_with_a_token_is_refused(sandbox: Sandbox, client: Client) -> None:
    with refused(Status.INVALID_ARGUMENT, "already authenticated; cannot re-authenticate"):
        await AuthServiceStub(client.channel).Authenticate(request(sandbox), metadata=client.metadata)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "authentication required"),
        ("Basic abc", "expected authorization header with prefix: Bearer "),
        ("Bearer nonsense", "unauthenticated: "),
        ("Bearer " + jwt.encode({"sub": "somebody"}, "k" * 32, "HS256"), "unauthenticated: "),
    ],
)
async def test_a_call_without_a_good_token_is_refused(client: Client, header: str | None, words: str) -> None:
    client.metadata = {} if header is None else {"authorization": header}

    with refused(Status.UNAUTHENTICATED, words):
        await client("ListOrganizations")


async def test_a_token_ends_with_its_lifetime(sandbox: Sandbox, client: Client) -> None:
    sandbox.tokens.lifetime = 0
    await client.authenticate(sandbox.api_key_id, sandbox.api_key)

    with refused(Status.UNAUTHENTICATED, "token is expired"):
        await client("ListOrganizations")


async def test_all_tokens_can_be_ended_at_once_and_new_ones_are_good(sandbox: Sandbox, client: Client) -> None:
    sandbox.tokens.expire()

    with refused(Status.UNAUTHENTICATED, "token is expired"):
        await client("ListOrganizations")

    await client.authenticate(sandbox.api_key_id, sandbox.api_key)
    assert (await client("ListOrganizations")).organizations


async def test_a_rotated_key_ends_its_tokens_and_its_old_value(sandbox: Sandbox, client: Client) -> None:
    rotated = await client("RotateKey", id=sandbox.api_key_id)

    with refused(Status.UNAUTHENTICATED, "deleted or rotated"):
        await client("ListOrganizations")
    with refused(Status.UNAUTHENTICATED, "invalid credentials"):
        await client.authenticate(sandbox.api_key_id, sandbox.api_key)

    await client.authenticate(rotated.id, rotated.key)
    assert (await client("ListOrganizations")).organizations


async def test_a_deleted_key_ends_its_tokens(sandbox: Sandbox, client: Client) -> None:
    await client("DeleteKey", id=sandbox.api_key_id)

    with refused(Status.UNAUTHENTICATED, "deleted or rotated"):
        await client("ListOrganizations")
