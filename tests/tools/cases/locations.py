"""Locations and their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import KESTREL, SHARED_LOCATION, TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet


def _shares(fleet: Fleet, location_id: str) -> int:
    return int(fleet.value("SELECT COUNT(*) FROM location_shares WHERE location_id = ?", location_id))


def _secrets(fleet: Fleet, location_id: str) -> int:
    return int(fleet.value("SELECT COUNT(*) FROM secrets WHERE location_id = ?", location_id))


async def create_location(fleet: Fleet) -> None:
    parent = fleet.id("locations", "Test Lab")
    answer = await fleet.call(
        "create_location", org_id=fleet.id("organizations", TIDEWATER), name="Annex", parent_location_id=parent
    )
    assert fleet.value("SELECT parent_id FROM locations WHERE id = ?", answer["location"]["id"]) == parent


async def get_location(fleet: Fleet) -> None:
    location = (await fleet.call("get_location", location_id=fleet.id("locations", "Warehouse 1")))["location"]
    assert (location["name"], location["robot_count"]) == ("Warehouse 1", 3)
    assert location["parent_location_id"] == fleet.id("locations", "Rotterdam Campus")


async def update_location(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Warehouse 2")
    await fleet.call("update_location", location_id=location_id, name="Warehouse B", parent_location_id="")
    row = fleet.sandbox.store.one("SELECT name, parent_id FROM locations WHERE id = ?", location_id)
    assert row
    assert tuple(row) == ("Warehouse B", None)


async def delete_location(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "First Location")
    answer = await fleet.call("delete_location", location_id=location_id)
    assert answer == {"done": f"Deleted location 'First Location' ({location_id})."}
    assert not fleet.value("SELECT COUNT(*) FROM locations WHERE id = ?", location_id)
    assert "machine" in await fleet.call.error("delete_location", location_id=fleet.id("locations", "Test Lab"))


async def list_locations(fleet: Fleet) -> None:
    listed = (await fleet.call("list_locations", org_id=fleet.id("organizations", KESTREL)))["locations"]
    assert {item["name"] for item in listed} == {"Kestrel Workshop", "Bench A", "First Location", SHARED_LOCATION}


async def share_location(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Test Lab")
    org_id = fleet.id("organizations", KESTREL)
    answer = await fleet.call("share_location", organization_id=org_id, location_id=location_id)
    assert "'Test Lab'" in answer["done"]
    assert KESTREL in answer["done"]
    assert _shares(fleet, location_id) == 1


async def unshare_location(fleet: Fleet) -> None:
    location_id = fleet.id("locations", SHARED_LOCATION)
    await fleet.call("unshare_location", organization_id=fleet.id("organizations", KESTREL), location_id=location_id)
    assert _shares(fleet, location_id) == 0


async def location_auth(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Warehouse 1")
    auth = (await fleet.call("location_auth", location_id=location_id))["auth"]
    assert len(auth["secrets"]) == _secrets(fleet, location_id) == 2
    assert {item["secret"] for item in auth["secrets"]} == {"[redacted]"}


async def create_location_secret(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Test Lab")
    auth = (await fleet.call("create_location_secret", location_id=location_id))["auth"]
    assert len(auth["secrets"]) == _secrets(fleet, location_id) == 2


async def delete_location_secret(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Warehouse 1")
    secret_id = fleet.value("SELECT id FROM secrets WHERE location_id = ?", location_id)
    answer = await fleet.call("delete_location_secret", secret_id=secret_id, location_id=location_id)
    assert secret_id in answer["done"]
    assert not fleet.value("SELECT COUNT(*) FROM secrets WHERE id = ?", secret_id)
