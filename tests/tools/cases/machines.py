"""Machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import LONG_GONE_MACHINE, TIDEWATER, UNDERVOLTAGE_MACHINE

if TYPE_CHECKING:
    from tests.fleet import Fleet


async def get_robot(fleet: Fleet) -> None:
    robot = (await fleet.call("get_robot", robot_id=fleet.id("robots", UNDERVOLTAGE_MACHINE)))["robot"]
    assert robot["name"] == UNDERVOLTAGE_MACHINE
    assert robot["online_state"] == "offline"
    assert robot["seconds_since_online"] > 3_600


async def get_rover_rental_robots(fleet: Fleet) -> None:
    answer = await fleet.call("get_rover_rental_robots", org_id=fleet.id("organizations", TIDEWATER))
    assert [item["robot_name"] for item in answer["robots"]] == [LONG_GONE_MACHINE]


async def list_robots(fleet: Fleet) -> None:
    answer = await fleet.call("list_robots", location_id=fleet.id("locations", "Warehouse 1"), fields=["name"])
    assert answer == {"robots": [{"name": name} for name in ("picker-01", "picker-02", UNDERVOLTAGE_MACHINE)]}


async def new_robot(fleet: Fleet) -> None:
    answer = await fleet.call("new_robot", name="picker-04", location_id=fleet.id("locations", "Warehouse 1"))
    assert fleet.value("SELECT name FROM robots WHERE id = ?", answer["robot_id"]) == "picker-04"
    assert fleet.value("SELECT name FROM parts WHERE robot_id = ?", answer["robot_id"]) == "picker-04-main"


async def update_robot(fleet: Fleet) -> None:
    robot_id, location_id = fleet.id("robots", "picker-01"), fleet.id("locations", "Test Lab")
    answer = await fleet.call("update_robot", robot_id=robot_id, name="picker-1", location_id=location_id)
    assert (answer["robot"]["name"], answer["robot"]["location"]) == ("picker-1", location_id)
    row = fleet.sandbox.store.one("SELECT name, location_id FROM robots WHERE id = ?", robot_id)
    assert row
    assert tuple(row) == ("picker-1", location_id)


async def delete_robot(fleet: Fleet) -> None:
    robot_id = fleet.id("robots", "picker-01")
    answer = await fleet.call("delete_robot", robot_id=robot_id)
    assert answer == {"done": f"Deleted machine 'picker-01' ({robot_id})."}
    assert not fleet.value("SELECT COUNT(*) FROM robots WHERE id = ?", robot_id)
    assert not fleet.value("SELECT COUNT(*) FROM parts WHERE robot_id = ?", robot_id)


async def get_robot_api_keys(fleet: Fleet) -> None:
    keys = (await fleet.call("get_robot_api_keys", robot_id=fleet.id("robots", "picker-01")))["api_keys"]
    assert "picker-01-machine" in {entry["api_key"]["name"] for entry in keys}
    assert {entry["api_key"]["key"] for entry in keys} == {"[redacted]"}
