"""Previews of what is done to machines, parts and fragments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.tools.previews.conftest import Fleet
from viam_mcp.app import connect
from viam_mcp.sandbox.demo.fleet import INJECTION_MACHINE, KESTREL, TIDEWATER
from viam_mcp.tools import ToolError


async def test_deleting_a_machine_names_its_location_and_parts(fleet: Fleet) -> None:
    robot = fleet.id("robots", "picker-02")
    preview = await fleet.preview("delete_robot", robot_id=robot)
    location, organization = fleet.id("locations", "Warehouse 1"), fleet.id("organizations", TIDEWATER)
    assert preview.lines[:2] == (
        (
            f"Delete robot: machine 'picker-02' ({robot}) in location 'Warehouse 1' ({location}) "
            f"of organization '{TIDEWATER}' ({organization})"
        ),
        "2 parts: 'picker-02-cameras', 'picker-02-main'.",
    )
    assert preview.lines[-1].startswith("It was created on 20")
    assert preview.now[0].startswith("It is online, last seen on 20")
    assert preview.headline == (
        "Delete robot: machine 'picker-02'",
        f"in location 'Warehouse 1', organization '{TIDEWATER}'",
        "DELETES IT: 2 parts: 'picker-02-cameras', 'picker-02-main'.",
    )
    assert preview.subject == "picker-02"


async def test_a_machine_whose_name_gives_orders_is_quoted(fleet: Fleet) -> None:
    robot = fleet.id("robots", INJECTION_MACHINE)
    preview = await fleet.preview("delete_robot", robot_id=robot)
    assert preview.lines[0].startswith(f"Delete robot: machine '{INJECTION_MACHINE}' ({robot}) in location ")
    assert preview.now == ("It is awaiting setup.",)


async def test_moving_a_machine_names_both_places(fleet: Fleet) -> None:
    arguments = {"robot_id": fleet.id("robots", "picker-01"), "name": "picker-1"}
    lines = await fleet.lines("update_robot", **arguments, location_id=fleet.id("locations", "Test Lab"))
    assert lines[0].startswith("Place: location 'Warehouse 1'")
    assert "→ location 'Test Lab'" in lines[0]
    assert "Name: 'picker-01' → 'picker-1'" in lines
    old, new = fleet.id("locations", "Warehouse 1"), fleet.id("locations", "Test Lab")
    for part in ("picker-01-main", "picker-01-arm"):
        assert f"Address of part '{part}': '{part}.{old}.viam.cloud' → '{part}.{new}.viam.cloud'." in lines


async def test_a_machine_moves_to_the_default_location_if_none_is_named(fleet: Fleet) -> None:
    sandbox = fleet.sandbox
    lab = fleet.id("locations", "Test Lab")
    async with connect(sandbox.url, api_key_id=sandbox.api_key_id, api_key=sandbox.api_key, location_id=lab) as app:
        with_default = Fleet(sandbox, app, fleet.environment)
        lines = await with_default.lines("update_robot", robot_id=fleet.id("robots", "picker-01"), name="picker-01")
    assert "→ location 'Test Lab'" in lines[0]


async def test_a_config_update_shows_what_changes_in_which_item(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    config["components"][0]["attributes"]["width_mm"] = 700
    lines = await fleet.part_diff("picker-01-main", config)
    assert lines[:3] == [
        "Configuration: 1 edited.",
        "Other changes:",
        "  attributes.width_mm 610 → 700 in components base",
    ]


async def test_a_change_of_a_credential_is_seen_though_the_credential_is_not(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    config["modules"][2]["env"]["WMS_API_TOKEN"] = "planted-by-this-call"
    lines = await fleet.part_diff("picker-01-main", config)
    assert '  env.WMS_API_TOKEN "[redacted]" → "[redacted: a new value]" in modules viam_ufactory' in lines
    assert "planted-by-this-call" not in "\n".join(lines)


async def test_credentials_that_are_sent_back_as_they_were_read_stay(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    config["cloud"]["secret"] = "[redacted]"
    assert "Configuration: stays the same." in await fleet.part_diff("picker-01-main", config)


async def test_a_label_of_a_preview_is_not_taken_for_a_credential(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    config["cloud"]["secret"] = "[redacted 2]"
    with pytest.raises(ToolError, match="nothing was done"):
        await fleet.part_diff("picker-01-main", config)


async def test_the_same_configuration_in_other_words_stays_the_same(fleet: Fleet) -> None:
    config = dict(reversed((await fleet.config("picker-01-main")).items()))
    config["components"][0]["attributes"]["width_mm"] = 610.0
    assert await fleet.part_diff("picker-01-main", config) == ["Configuration: stays the same."]


async def test_a_rename_leaves_the_configuration_alone_and_says_so(fleet: Fleet) -> None:
    lines = await fleet.lines("update_robot_part", robot_part_id=fleet.part_id("picker-01-arm"), name="arm")
    assert lines[0] == "Name: 'picker-01-arm' → 'arm'"
    assert "'picker-01-arm." in lines[1]
    assert lines[2:] == ["Configuration: not touched."]


async def test_json_text_wins_over_the_object_in_the_preview_as_in_the_service(fleet: Fleet) -> None:
    lines = await fleet.lines(
        "update_robot_part",
        robot_part_id=fleet.part_id("picker-01-arm"),
        name="picker-01-arm",
        robot_config={"ignored": True},
        robot_config_json='{"taken": true}',
    )
    assert "  taken: new true" in lines
    assert not any("ignored" in line for line in lines)


async def test_a_config_update_carries_when_the_part_was_last_saved(fleet: Fleet) -> None:
    part = await fleet.app.get_robot_part(fleet.part_id("picker-01-main"))
    saved = part.last_updated
    assert saved is not None
    arguments = {"robot_part_id": part.id, "name": part.name, "robot_config": {}}
    assert (await fleet.preview("update_robot_part", **arguments)).last_known_update == saved
    stale = await fleet.preview("update_robot_part", **arguments, last_known_update=saved - timedelta(hours=1))
    assert stale.last_known_update == saved - timedelta(hours=1)
    assert "saved since" in stale.lines[1]
    ahead = await fleet.preview("update_robot_part", **arguments, last_known_update=saved + timedelta(days=9999))
    assert ahead.last_known_update == saved


async def test_however_large_a_new_configuration_is_all_of_it_is_in_the_preview(fleet: Fleet) -> None:
    name, part = "dock-counter-02-main", fleet.part_id("dock-counter-02-main")
    config: dict[str, Any] = {"components": [{"name": f"sensor-{number}"} for number in range(2_000)]}

    async def lines(last: str) -> tuple[str, ...]:
        config["components"][-1]["name"] = last
        return (await fleet.preview("update_robot_part", robot_part_id=part, name=name, robot_config=config)).lines

    one, other = await lines("one"), await lines("other")
    assert "  components: new sensor-0 … sensor-1998, one (2,000) {}" in one
    assert "  components: new sensor-0 … sensor-1998, other (2,000) {}" in other


async def test_the_main_part_is_named_before_another_takes_its_place(fleet: Fleet) -> None:
    lines = await fleet.lines("mark_part_as_main", robot_part_id=fleet.part_id("picker-01-arm"))
    assert lines == ["Main part: 'picker-01-main' → 'picker-01-arm'."]
    lines = await fleet.lines("mark_part_as_main", robot_part_id=fleet.part_id("picker-01-main"))
    assert "Nothing changes" in lines[0]


async def test_deleting_a_part_tells_what_it_configures_and_that_a_main_part_stays(fleet: Fleet) -> None:
    lines = await fleet.lines("delete_robot_part", robot_part_id=fleet.part_id("picker-01-main"))
    assert "main part" in lines[0]
    assert "(components 2, services 1, modules 3, remotes 1, fragments 2)" in lines[1]


async def test_a_restart_names_part_machine_and_location(fleet: Fleet) -> None:
    preview = await fleet.preview("mark_part_for_restart", robot_part_id=fleet.part_id("picker-03-main"))
    for name in ("part 'picker-03-main'", "machine 'picker-03'", "location 'Warehouse 1'"):
        assert name in preview.lines[0]
    assert preview.now[0].startswith("It is offline, last seen on 20")


async def test_a_fragment_update_counts_the_machines_that_it_reaches_through_other_fragments(fleet: Fleet) -> None:
    fragment = await fleet.app.get_fragment(fleet.id("fragments", "camera-pair"))
    preview = await fleet.preview(
        "update_fragment",
        fragment_id=fragment.id,
        name="camera-pair",
        config={**(fragment.fragment or {}), "services": []},
        visibility="public",
    )
    text = "\n".join(preview.lines)
    assert "Visibility: private → public; it becomes PUBLIC: anyone can see and use it." in preview.lines
    assert "Used on 4 parts of 3 machines: 'picker-01' … 'picker-03'." in preview.lines
    assert "Part of 1 other fragment: 'picker-base'." in preview.lines
    assert "  services stays, empty" in preview.lines
    assert preview.now[0] == "Of the 3 machines, 2 are online."
    assert "online" not in text
    assert preview.last_known_update == fragment.last_updated


async def test_the_deprecated_switch_makes_a_fragment_public_too(fleet: Fleet) -> None:
    fragment = fleet.id("fragments", "bench-cell")
    lines = await fleet.lines("update_fragment", fragment_id=fragment, name="bench-cell", public=True)
    assert "becomes PUBLIC" in lines[0]
    lines = await fleet.lines(
        "update_fragment", fragment_id=fragment, name="bench-cell", public=True, visibility="private"
    )
    assert not any("Visibility" in line for line in lines)


async def test_deleting_a_fragment_names_its_users_in_its_own_and_counts_those_in_other_organizations(
    fleet: Fleet,
) -> None:
    preview = await fleet.preview("delete_fragment", fragment_id=fleet.id("fragments", "safety-scanner"))
    text = "\n".join(preview.lines)
    assert f"of organization '{KESTREL}'" in preview.lines[0]
    assert "'demo-cell-01'" in text
    assert "Over all organizations, 3 machines of 2 organizations name it." in preview.lines
