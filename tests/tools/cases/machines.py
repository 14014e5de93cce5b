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


async def list_robots_for_locations(fleet: Fleet) -> None:
    ids = [fleet.id("locations", name) for name in ("Warehouse 1", "Test Lab")]
    robots = (await fleet.call("list_robots_for_locations", location_ids=ids))["robots"]
    assert {robot["location"] for robot in robots} == {*ids}
    assert {"picker-01", LONG_GONE_MACHINE} <= {robot["name"] for robot in robots}


async def list_robots_for_org(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    robots = (await fleet.call("list_robots_for_org", org_id=org_id, fields=["name"]))["robots"]
    count = "SELECT COUNT(*) FROM robots JOIN locations ON locations.id = location_id WHERE org_id = ?"
    assert len(robots) == fleet.value(count, org_id)


async def list_machine_summaries(fleet: Fleet) -> None:
    org_id, location_id = fleet.id("organizations", TIDEWATER), fleet.id("locations", "Warehouse 1")
    answer = await fleet.call("list_machine_summaries", org_id=org_id, location_ids=[location_id])
    (location,) = answer["location_summaries"]
    assert location["location_name"] == "Warehouse 1"
    (picker,) = (one for one in location["machine_summaries"] if one["machine_name"] == "picker-01")
    assert {part["part_name"] for part in picker["part_summaries"]} >= {"picker-01-main", "picker-01-arm"}


async def list_favorite_machines(fleet: Fleet) -> None:
    await fleet.app.add_favorite_machine(fleet.id("robots", "picker-01"))
    favorites = (await fleet.call("list_favorite_machines"))["favorites"]
    (favorite,) = (one for one in favorites if one["machine"]["name"] == "picker-01")
    assert favorite["organization_id"] == fleet.id("organizations", TIDEWATER)


async def add_favorite_machine(fleet: Fleet) -> None:
    robot_id = fleet.id("robots", "picker-01")
    answer = await fleet.call("add_favorite_machine", machine_id=robot_id)
    assert answer == {"done": f"Now a favorite of this key: machine 'picker-01' ({robot_id})."}
    assert fleet.value("SELECT identity_id FROM favorites WHERE robot_id = ?", robot_id) == fleet.sandbox.api_key_id


async def remove_favorite_machine(fleet: Fleet) -> None:
    robot_id = fleet.id("robots", "picker-01")
    await fleet.app.add_favorite_machine(robot_id)
    await fleet.call("remove_favorite_machine", machine_id=robot_id)
    assert not fleet.value("SELECT COUNT(*) FROM favorites WHERE robot_id = ?", robot_id)
