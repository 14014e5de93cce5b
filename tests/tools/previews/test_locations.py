"""Previews of what is done to locations."""

from __future__ import annotations

import pytest

from tests.tools.previews.conftest import Fleet, signed_in
from viam_mcp.sandbox.demo.fleet import KESTREL, SHARED_LOCATION, TIDEWATER


@pytest.mark.parametrize(
    ("name", "machines", "typed"),
    [
        ("Warehouse 1", "3 machines: 'picker-01' … 'picker-03'.", True),
        ("Rotterdam Campus", "No machines.", True),
        ("First Location", "No machines.", False),
    ],
)
async def test_deleting_a_location_has_its_name_typed_if_machines_are_in_it_or_below(
    fleet: Fleet, name: str, machines: str, typed: bool
) -> None:
    preview = await fleet.preview("delete_location", location_id=fleet.id("locations", name))
    assert machines in preview.lines
    assert (preview.subject, preview.type_subject) == (name, typed)


async def test_moving_a_location_names_both_places_and_what_moves_along(fleet: Fleet) -> None:
    lines = await fleet.lines(
        "update_location", location_id=fleet.id("locations", "Warehouse 1"), parent_location_id=""
    )
    assert lines[0].startswith("Place: location 'Rotterdam Campus'")
    assert lines[0].endswith("→ the top of its organization.")
    assert lines[1].startswith("Roles on the old place no longer reach")
    assert any(line.startswith("In all, 6 machines: 'cold-inspector-01'") for line in lines)
    assert "2 nested locations: 'Cold Storage', 'Loading Docks'." in lines


async def test_moving_into_a_location_that_is_shared_says_who_gets_access(fleet: Fleet) -> None:
    shared, organization = fleet.id("locations", SHARED_LOCATION), fleet.id("organizations", KESTREL)
    warehouse, robot = fleet.id("locations", "Warehouse 1"), fleet.id("robots", "picker-01")
    said = f"It is shared with organization '{KESTREL}' ({organization}), which gets access too."
    assert said in await fleet.lines("update_location", location_id=warehouse, parent_location_id=shared)
    assert said in await fleet.lines("update_robot", robot_id=robot, name="picker-01", location_id=shared)


async def test_sharing_says_who_gets_how_many_machines_of_whose(fleet: Fleet) -> None:
    warehouse, kestrel = fleet.id("locations", "Warehouse 1"), fleet.id("organizations", KESTREL)
    preview = await fleet.preview("share_location", location_id=warehouse, organization_id=kestrel)
    assert f"with organization '{KESTREL}' ({kestrel})" in preview.lines[0]
    assert "get access" in preview.lines[1]
    assert "of organization 'Tidewater Robotics'" in preview.lines[0]
    assert "3 machines" in preview.lines[2]
    assert preview.lines[3].startswith("In all, 6 machines: 'cold-inspector-01'")
    assert preview.lines[4] == "2 nested locations: 'Cold Storage', 'Loading Docks'."
    again = {"location_id": fleet.id("locations", SHARED_LOCATION), "organization_id": kestrel}
    assert "They have access already." in await fleet.lines("share_location", **again)
    assert "lose its machines" in (await fleet.lines("unshare_location", **again))[0]
    not_shared = {"location_id": warehouse, "organization_id": kestrel}
    assert "It is not shared" in (await fleet.lines("unshare_location", **not_shared))[0]


async def test_sharing_with_an_organization_that_the_key_cannot_read_shows_its_id(fleet: Fleet) -> None:
    async with signed_in(fleet.sandbox, fleet.environment, "module-ci") as kestrel:
        stranger = fleet.id("organizations", TIDEWATER)
        arguments = {"location_id": fleet.id("locations", "Kestrel Workshop"), "organization_id": stranger}
        preview = await kestrel.preview("share_location", **arguments)
    assert preview.lines[0].endswith(f"with organization {stranger}")


async def test_deleting_a_secret_tells_its_date_and_how_many_remain(fleet: Fleet) -> None:
    warehouse = fleet.id("locations", "Warehouse 1")
    secret = fleet.id("secrets", warehouse, "location_id")
    lines = await fleet.lines("delete_location_secret", location_id=warehouse, secret_id=secret)
    assert lines[0].startswith("It was created on 20")
    assert lines[0].endswith("1 other secret would be left.")
    part = fleet.part_id("picker-01-main")
    assert await fleet.lines("delete_robot_part_secret", robot_part_id=part, secret_id="another") == [
        "There is no such secret."
    ]


async def test_a_new_secret_tells_all_that_it_opens(fleet: Fleet) -> None:
    hall = fleet.id("locations", "Loading Docks")
    preview = await fleet.preview("create_location_secret", location_id=hall)
    assert preview.headline[2] == "A NEW SECRET opens: 2 machines: 'dock-counter-01', 'dock-counter-02'."
    assert "all of the location's 2 machines: 'dock-counter-01', 'dock-counter-02'." in preview.lines[1]
    part = await fleet.preview("create_robot_part_secret", robot_part_id=fleet.part_id("picker-01-main"))
    assert part.headline[2] == "A NEW SECRET opens: part 'picker-01-main'"
    assert "of machine 'picker-01'" in part.lines[0]
