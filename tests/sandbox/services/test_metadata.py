"""Metadata of organizations, locations, machines and parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.sandbox.client import Calls, connected, key_of, named, refused
from viam_mcp.app import InvalidArgument, NotFound
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

DATA = {"aisle": 4, "speed": 1.5, "on": None, "gates": ["a", {"b": True}], "note": "ünïcode"}
THINGS = {
    "organization": ("organizations", fleet.TIDEWATER),
    "location": ("locations", "Test Lab"),
    "robot": ("robots", fleet.UNDERVOLTAGE_MACHINE),
    "robot_part": ("parts", fleet.CRASH_LOOP_PART),
}


@pytest.mark.parametrize("kind", THINGS)
async def test_metadata_are_replaced_as_a_whole_and_come_back_as_they_were(
    sandbox: Sandbox, app: AppClient, kind: str
) -> None:
    identifier = named(sandbox, *THINGS[kind])
    get, update = getattr(app, f"get_{kind}_metadata"), getattr(app, f"update_{kind}_metadata")

    assert isinstance(await get(identifier), dict)
    await update(identifier, DATA)
    assert await get(identifier) == DATA
    await update(identifier, {"only": "this"})
    assert await get(identifier) == {"only": "this"}
    await update(identifier, {})
    assert await get(identifier) == {}


@pytest.mark.parametrize("kind", THINGS)
async def test_metadata_of_nothing_are_not_found(app: AppClient, kind: str) -> None:
    nothing = "0123456789" if kind == "location" else "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NotFound):
        await getattr(app, f"get_{kind}_metadata")(nothing)
    with pytest.raises(NotFound):
        await getattr(app, f"update_{kind}_metadata")(nothing, {})


async def test_a_new_thing_has_empty_metadata(sandbox: Sandbox, app: AppClient) -> None:
    robot = await app.new_robot("fresh", named(sandbox, "locations", "Test Lab"))
    assert await app.get_robot_metadata(robot) == {}


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [
        ("UpdateOrganizationMetadata", {"organization_id": ("organizations", fleet.TIDEWATER)}),
        ("UpdateLocationMetadata", {"location_id": ("locations", "Warehouse 1")}),
        ("UpdateRobotMetadata", {"id": ("robots", "picker-01")}),
        ("UpdateRobotPartMetadata", {"id": ("parts", "picker-01-main")}),
    ],
)
async def test_operators_read_metadata_and_owners_change_them(
    sandbox: Sandbox, call: Calls, rpc: str, fields: dict[str, tuple[str, str]]
) -> None:
    named_fields: dict[str, Any] = {name: named(sandbox, *row) for name, row in fields.items()}
    with refused(Status.INVALID_ARGUMENT, "data is missing"):
        await call(rpc, **named_fields)
    async with connected(sandbox, *key_of(sandbox, "fleet-dashboard")) as limited:
        assert (await limited(rpc.replace("Update", "Get"), **named_fields)).HasField("data")
        with refused(Status.PERMISSION_DENIED):
            await limited(rpc, data={}, **named_fields)


async def test_what_json_cannot_hold_is_refused_before_any_call(sandbox: Sandbox, app: AppClient) -> None:
    before = sandbox.calls["UpdateRobotMetadata"]
    with pytest.raises(InvalidArgument, match=r"metadata\.a is nan"):
        await app.update_robot_metadata(named(sandbox, "robots", "picker-01"), {"a": float("nan")})
    assert sandbox.calls["UpdateRobotMetadata"] == before
