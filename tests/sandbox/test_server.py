from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from grpclib import GRPCError
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Status

from tests.pace import PATIENCE
from tests.sandbox.client import connected, named, refused
from viam_mcp.proto import app
from viam_mcp.sandbox import Fault, Sandbox, StartError, empty, open_fleet
from viam_mcp.sandbox.rpc import RPCS, rpc
from viam_mcp.sandbox.server import UPLOAD_LIMIT
from viam_mcp.sandbox.services import handlers
from viam_mcp.sandbox.services.machines import MachineRpcs
from viam_mcp.sandbox.transport import MESSAGE_LIMIT, Listener

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sandbox.client import Calls, Client
    from viam_mcp.sandbox.rows.store import FleetStore

INFO = app.UploadModuleFileRequest(
    module_file_info=app.ModuleFileInfo(module_id="kestrel:fresh", version="1.0.0", platform="linux/amd64")
)


def piece(data: bytes) -> app.UploadModuleFileRequest:
    return app.UploadModuleFileRequest(file=data)


async def upload(client: Client, messages: Iterable[app.UploadModuleFileRequest]) -> Any:
    async with client.app.UploadModuleFile.open(metadata=client.metadata) as stream:
        await stream.send_request()
        for message in messages:
            await stream.send_message(message)
        await stream.end()
        return await stream.recv_message()


async def test_an_empty_fleet_has_an_organization_and_a_key() -> None:
    async with Sandbox.start(open_fleet(seed=empty)) as sandbox, connected(sandbox) as call:
        (organization,) = (await call("ListOrganizations")).organizations
        assert not (await call("ListLocations", organization_id=organization.id)).locations


def test_every_rpc_has_one_handler() -> None:
    assert handlers().keys() == RPCS.keys()


def test_a_handler_of_an_rpc_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no rpc 'GetRobots': .*app\.proto"):
        rpc("GetRobots")


async def test_every_rpc_answers_an_empty_request_with_more_than_an_internal_error(call: Calls) -> None:
    for name, method in RPCS.items():
        if not (method.client_streaming or method.server_streaming):
            try:
                await call(name)
            except GRPCError as error:
                assert error.status not in (Status.INTERNAL, Status.UNKNOWN, Status.UNIMPLEMENTED), name


async def test_a_handler_that_fails_says_nothing_of_itself_and_leaves_nothing_behind(
    sandbox: Sandbox, call: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.store.run("CREATE TRIGGER broken AFTER INSERT ON parts BEGIN SELECT RAISE(ABORT, 'the inner secret'); END")

    with caplog.at_level(logging.ERROR, "viam_mcp.sandbox"), refused(Status.INTERNAL, "internal error") as caught:
        await call("NewRobot", location=named(sandbox, "locations", "Bench A"), name="new")

    assert "secret" not in str(caught.value)
    assert f"{MachineRpcs.__name__}.create failed" in caplog.text
    assert sandbox.store.one("SELECT 1 FROM robots WHERE name = 'new'") is None


async def test_a_request_that_is_none_is_refused_and_the_connection_lives(client: Client) -> None:
    # Bytes where the other message has text, and none that are text.
    misnamed = UnaryUnaryMethod(
        client.channel,
        "/viam.app.v1.AppService/CreateOrganizationInvite",
        app.OrganizationSetLogoRequest,
        app.CreateOrganizationInviteResponse,
    )
    with refused(Status.INTERNAL, "no viam.app.v1.CreateOrganizationInviteRequest"):
        await misnamed(app.OrganizationSetLogoRequest(logo=b"\xff\xfe"), metadata=client.metadata)
    assert (await client("ListOrganizations")).organizations


async def test_a_message_over_the_limit_is_refused_before_it_is_read(client: Client) -> None:
    with refused(Status.RESOURCE_EXHAUSTED, "larger than max", str(MESSAGE_LIMIT)):
        await client("CreateOrganization", name="x" * (MESSAGE_LIMIT + 1))
    assert (await client("ListOrganizations")).organizations


async def test_a_long_argument_does_not_make_a_long_refusal(client: Client) -> None:
    with refused(Status.INVALID_ARGUMENT, "(10000000 characters)") as caught:
        await client("GetRobot", id="x" * 10_000_000)
    assert len(str(caught.value)) < 300


async def test_an_upload_is_counted_and_hashed_piece_by_piece(sandbox: Sandbox, client: Client) -> None:
    await client("CreateModule", organization_id=named(sandbox, "organizations", "Kestrel Integration"), name="fresh")
    pieces = [bytes([n]) * 50_000 for n in range(20)]

    response = await upload(client, [INFO, *map(piece, pieces)])

    row = sandbox.store.one("SELECT * FROM registry_uploads WHERE name = 'fresh'")
    assert row
    assert (row["size"], row["sha256"]) == (1_000_000, hashlib.sha256(b"".join(pieces)).hexdigest())
    assert response.url.endswith("linux/amd64")
    with refused(Status.ALREADY_EXISTS):
        await upload(client, [INFO, piece(b"again")])


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([piece(b"first")], "first message"),
        ([app.UploadModuleFileRequest()], "first message"),
        ([INFO, INFO], "only pieces"),
        ([INFO, piece(b"x"), app.UploadModuleFileRequest()], "only pieces"),
    ],
)
async def test_an_upload_in_another_order_is_refused(
    client: Client, messages: list[app.UploadModuleFileRequest], words: str
) -> None:
    with refused(Status.INVALID_ARGUMENT, words):
        await upload(client, messages)


async def test_an_upload_without_any_message_is_refused(client: Client) -> None:
    with refused(Status.INTERNAL, "before its request"):
        await upload(client, [])


async def test_an_upload_over_the_limit_is_refused(client: Client) -> None:
    size = 16 * 1024 * 1024
    with refused(Status.RESOURCE_EXHAUSTED, str(UPLOAD_LIMIT)):
        await upload(client, [INFO, *[piece(bytes(size))] * (UPLOAD_LIMIT // size), piece(b"x")])


async def test_a_sandbox_that_stops_ends_hanging_calls_and_idle_connections(demo_fleet: FleetStore) -> None:
    async with asyncio.timeout(PATIENCE):
        starting = Sandbox.start(demo_fleet.copy())
        sandbox = await starting.__aenter__()
        async with connected(sandbox) as busy, connected(sandbox) as idle:
            fault = sandbox.faults.add("ListOrganizations", Fault(hang=True))
            hanging = asyncio.create_task(busy("ListOrganizations"))
            await fault.struck.wait()
            await starting.__aexit__(None, None, None)
            with pytest.raises(Exception, match="Connection lost"):
                await hanging
            with pytest.raises(ConnectionRefusedError):
                await idle("ListOrganizations")


async def test_a_port_in_use_is_said_in_one_sentence(sandbox: Sandbox, demo_fleet: FleetStore) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(StartError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .*Choose another port"):
        async with Sandbox.start(demo_fleet.copy(), port=port):
            pass


async def test_ipv6_addresses_make_a_url(demo_fleet: FleetStore) -> None:
    async with Sandbox.start(demo_fleet.copy(), host="::1") as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
        async with Channel("::1", int(sandbox.url.rpartition(":")[2])) as channel:
            await channel.__connect__()


def test_a_key_does_not_show_in_the_sandbox_or_its_credential(demo_fleet: FleetStore) -> None:
    sandbox = Sandbox(demo_fleet)
    assert sandbox.api_key not in repr(sandbox)
    assert sandbox.api_key not in repr(vars(sandbox)["tokens"])


async def test_a_listener_stops_though_a_client_of_a_closed_connection_does_not_read() -> None:
    listener = Listener([])
    host, _, port = (await listener.listen("127.0.0.1", 0)).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1)
    async with asyncio.timeout(PATIENCE):
        await reader.read(1)  # the server speaks first
        (transport,) = listener._transports
        transport.write(b"x" * 50_000_000)
        transport.close()
        await listener.stop()
    writer.transport.abort()
    await asyncio.sleep(0)
