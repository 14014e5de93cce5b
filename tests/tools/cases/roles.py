"""Roles and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viam_mcp.sandbox.demo.fleet import TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

KEY = "warehouse-1-operator"


def _role(fleet: Fleet, location: str, role: str = "operator") -> dict[str, Any]:
    return {
        "identity_id": fleet.id("api_keys", KEY),
        "role": role,
        "resource_type": "location",
        "resource_id": fleet.id("locations", location),
    }


def _held(fleet: Fleet) -> set[tuple[str, str]]:
    rows = fleet.sandbox.store.all(
        "SELECT role, resource_id FROM authorizations WHERE identity_id = ?", fleet.id("api_keys", KEY)
    )
    return {tuple(row) for row in rows}


async def add_role(fleet: Fleet) -> None:
    new = _role(fleet, "Test Lab", "owner")
    answer = await fleet.call("add_role", org_id=fleet.id("organizations", TIDEWATER), **new)
    assert f"API key '{KEY}'" in answer["done"]
    assert ("owner", new["resource_id"]) in _held(fleet)


async def remove_role(fleet: Fleet) -> None:
    await fleet.call("remove_role", org_id=fleet.id("organizations", TIDEWATER), **_role(fleet, "Warehouse 1"))
    assert _held(fleet) == set()


async def change_role(fleet: Fleet) -> None:
    old, new = _role(fleet, "Warehouse 1"), _role(fleet, "Test Lab", "owner")
    sides = {f"{side}_{name}": value for side, role in (("old", old), ("new", new)) for name, value in role.items()}
    await fleet.call("change_role", organization_id=fleet.id("organizations", TIDEWATER), **sides)
    assert _held(fleet) == {("owner", new["resource_id"])}


async def list_authorizations(fleet: Fleet) -> None:
    org_id, location_id = fleet.id("organizations", TIDEWATER), fleet.id("locations", "Warehouse 1")
    answer = await fleet.call("list_authorizations", org_id=org_id, resource_ids=[location_id])
    assert fleet.id("api_keys", KEY) in {item["identity_id"] for item in answer["authorizations"]}
    assert {item["resource_id"] for item in answer["authorizations"]} == {location_id}


async def check_permissions(fleet: Fleet) -> None:
    asked = {
        "resource_type": "location",
        "resource_id": fleet.id("locations", "Warehouse 1"),
        "permissions": ["control_robot", "no_such_permission"],
    }
    answer = await fleet.call("check_permissions", permissions=[asked])
    assert answer["permissions"] == [{**asked, "permissions": ["control_robot"]}]
