from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.sandbox.client import Client, connected, named, refused
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.sandbox.client import Calls
    from viam_mcp.sandbox import Sandbox

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def as_key(sandbox: Sandbox, name: str) -> AsyncIterator[Client]:
    row = sandbox.store.one("SELECT id, key FROM api_keys WHERE name = ?", name)
    assert row
    async with connected(sandbox, row["id"], row["key"]) as client:
        yield client


@pytest.fixture
async def location_operator(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A key that is operator of Warehouse 1 alone."""
    async for client in as_key(sandbox, "warehouse-1-operator"):
        yield client


@pytest.fixture
async def machine_owner(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A key that owns the machine picker-01 alone."""
    async for client in as_key(sandbox, "picker-01-machine"):
        yield client


@pytest.fixture
async def other_organization(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A key that owns the organization that one location is shared with."""
    async for client in as_key(sandbox, "module-ci"):
        yield client


@pytest.mark.parametrize("rpc", ["GetRobot", "GetRobotPart", "GetFragment", "GetRobotPartLogs"])
@pytest.mark.parametrize("identifier", ["", "nonsense", "0" * 32, UNKNOWN + "\n", "x" * 1_000_000])
async def test_a_malformed_id_is_refused_with_the_form_that_it_needs(call: Calls, rpc: str, identifier: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "expected a UUID"):
        await call(rpc, id=identifier)


@pytest.mark.parametrize("identifier", ["", "short", "UPPERCASE0", UNKNOWN])
async def test_a_malformed_location_id_is_refused_with_the_form_that_it_needs(call: Calls, identifier: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "location_id", "10 lowercase letters and digits"):
        await call("GetLocation", location_id=identifier)


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [
        ("GetOrganization", {"organization_id": UNKNOWN}),
        ("GetLocation", {"location_id": "0000000000"}),
        ("GetRobot", {"id": UNKNOWN}),
        ("GetRobotPart", {"id": UNKNOWN}),
        ("GetFragment", {"id": UNKNOWN}),
        ("DeleteKey", {"id": UNKNOWN}),
    ],
)
async def test_an_unknown_id_is_not_found(call: Calls, rpc: str, fields: dict[str, Any]) -> None:
    with refused(Status.NOT_FOUND, *fields.values()):
        await call(rpc, **fields)


async def test_a_role_on_a_location_reaches_all_below_it_and_nothing_beside(
    sandbox: Sandbox, location_operator: Client
) -> None:
    for inside in ("picker-01", "cold-inspector-01"):
        assert (await location_operator("GetRobot", id=named(sandbox, "robots", inside))).robot.name == inside

    for outside in ("hauler-01", "demo-cell-01"):
        with refused(Status.NOT_FOUND):
            await location_operator("GetRobot", id=named(sandbox, "robots", outside))


async def test_an_operator_reads_and_may_not_change_or_read_logs(sandbox: Sandbox, location_operator: Client) -> None:
    robot, part = named(sandbox, "robots", "picker-01"), named(sandbox, "parts", "picker-01-main")

    assert (await location_operator("GetRobotPart", id=part)).part.id == part
    forbidden = {"DeleteRobot": {"id": robot}, "GetRobotPartLogs": {"id": part}, "DeleteRobotPart": {"part_id": part}}
    for rpc, fields in forbidden.items():
        with refused(Status.PERMISSION_DENIED, "'owner'", robot, "ask an owner"):
            await location_operator(rpc, **fields)
    assert sandbox.store.one("SELECT 1 FROM robots WHERE id = ?", robot)


async def test_the_way_to_what_one_may_use_is_visible_and_no_more(sandbox: Sandbox, machine_owner: Client) -> None:
    organization = named(sandbox, "organizations", fleet.TIDEWATER)
    location = named(sandbox, "locations", "Warehouse 1")

    assert [found.id for found in (await machine_owner("ListOrganizations")).organizations] == [organization]
    assert (await machine_owner("GetOrganization", organization_id=organization)).organization.name == fleet.TIDEWATER
    assert (await machine_owner("GetLocation", location_id=location)).location.name == "Warehouse 1"
    with refused(Status.PERMISSION_DENIED, "'operator'"):
        await machine_owner("ListOrganizationMembers", organization_id=organization)
    with refused(Status.NOT_FOUND):
        await machine_owner("GetLocation", location_id=named(sandbox, "locations", "Cold Storage"))


async def test_a_machines_owner_may_change_that_machine(sandbox: Sandbox, machine_owner: Client) -> None:
    part = named(sandbox, "parts", "picker-01-main")

    assert (await machine_owner("GetRobotPartLogs", id=part)).logs
    await machine_owner("DeleteRobot", id=named(sandbox, "robots", "picker-01"))
    assert sandbox.store.one("SELECT 1 FROM parts WHERE id = ?", part) is None


async def test_those_a_location_is_shared_with_read_its_machines_and_change_nothing(
    sandbox: Sandbox, other_organization: Client
) -> None:
    location = named(sandbox, "locations", fleet.SHARED_LOCATION)
    robot = named(sandbox, "robots", "pilot-sorter-01")

    assert (await other_organization("GetLocation", location_id=location)).location.id == location
    assert (await other_organization("GetRobot", id=robot)).robot.location == location
    with refused(Status.PERMISSION_DENIED):
        await other_organization("DeleteRobot", id=robot)
    with refused(Status.NOT_FOUND):
        await other_organization("GetRobot", id=named(sandbox, "robots", "picker-01"))
    with refused(Status.NOT_FOUND):
        await other_organization("GetOrganization", organization_id=named(sandbox, "organizations", fleet.TIDEWATER))


async def test_a_location_that_is_shared_no_longer_is_gone(
    sandbox: Sandbox, call: Calls, other_organization: Client
) -> None:
    location = named(sandbox, "locations", fleet.SHARED_LOCATION)

    await call("UnshareLocation", location_id=location, organization_id=named(sandbox, "organizations", fleet.KESTREL))

    with refused(Status.NOT_FOUND):
        await other_organization("GetLocation", location_id=location)


async def test_private_fragments_are_for_their_organization_and_public_ones_for_all(
    sandbox: Sandbox, other_organization: Client
) -> None:
    theirs = sandbox.store.all(
        "SELECT id, visibility FROM fragments WHERE org_id = ?", named(sandbox, "organizations", fleet.TIDEWATER)
    )
    private = [row["id"] for row in theirs if row["visibility"] == 1]
    public = [row["id"] for row in theirs if row["visibility"] != 1]
    assert private
    assert public

    for identifier in private:
        with refused(Status.NOT_FOUND):
            await other_organization("GetFragment", id=identifier)
    for identifier in public:
        assert (await other_organization("GetFragment", id=identifier)).fragment.id == identifier
        with refused(Status.PERMISSION_DENIED):
            await other_organization("DeleteFragment", id=identifier)
