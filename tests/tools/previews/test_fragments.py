"""What previews tell of the fragments that a configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.app import connect
from viam_mcp.sandbox.demo.fleet import KESTREL, TIDEWATER
from viam_mcp.tools import Risk, ToolError
from viam_mcp.tools.previews._fragments import FragmentRef, named_in

if TYPE_CHECKING:
    from tests.tools.previews.conftest import Fleet
    from viam_mcp.tools import Preview

LOCAL_MODULE = {"modules": [{"name": "evil", "type": "local", "executable_path": "/tmp/evil"}]}
HARMLESS = {"components": [{"name": "cam", "api": "rdk:component:camera"}]}


async def fragment(fleet: Fleet, config: dict[str, Any], name: str = "new") -> str:
    return (await fleet.app.create_fragment(fleet.id("organizations", TIDEWATER), name, config)).id


async def using(fleet: Fleet, *entries: object, part: str = "picker-01-arm") -> Preview:
    """The preview of an edit by which a part uses some fragments besides."""
    config = await fleet.config(part)
    config["fragments"] = [*config.get("fragments", []), *entries]
    return await fleet.preview("update_robot_part", robot_part_id=fleet.part_id(part), name=part, robot_config=config)


async def test_a_fragment_with_code_is_shown_with_it_when_it_is_first_used(fleet: Fleet) -> None:
    new = await fragment(fleet, {**LOCAL_MODULE, **HARMLESS})
    for entry in (new, {"id": new}, {"ID": new, "prefix": "x"}):
        preview = await using(fleet, entry)
        text = "\n".join(preview.lines)
        assert f"Used from then on: fragment 'new' ({new}) of organization '{TIDEWATER}'" in text
        assert 'executable_path": "/tmp/evil"' in text
        assert "Besides: components: 1." in text
        assert preview.headline[2] == "RUNS CODE: fragment 'new'"
        assert preview.risks == {Risk.CODE}


async def test_a_fragment_that_contains_one_with_code_and_a_shell_shows_both(fleet: Fleet) -> None:
    inner = await fragment(fleet, {"services": [{"name": "sh", "type": "shell"}], **LOCAL_MODULE}, "inner")
    outer = await fragment(fleet, {**HARMLESS, "fragments": [{"id": inner}]}, "outer")
    preview = await using(fleet, outer)
    text = "\n".join(preview.lines)
    assert f"Used from then on: fragment 'outer' ({outer})" in text
    assert "It brings no code, access or hosts; fragments: 1, components: 1." in text
    assert f"Used from then on: fragment 'inner' ({inner})" in text
    assert 'services: new sh {"type": "shell"}' in text
    assert preview.headline[2] == "RUNS CODE: fragment 'inner'; REMOTE SHELL: fragment 'inner'"


async def test_a_fragment_without_code_raises_no_alarm(fleet: Fleet) -> None:
    preview = await using(fleet, await fragment(fleet, HARMLESS))
    assert preview.risks == frozenset()
    assert any("It brings no code, access or hosts; components: 1." in line for line in preview.lines)


async def test_fragments_that_stay_are_named_with_their_revisions(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    config["components"][0]["attributes"]["width_mm"] = 700
    lines = await fleet.part_diff("picker-01-main", config)
    assert lines[-1].startswith(
        "Fragments used as before: fragment 'picker-base' revision 5, fragment 'fleet-telemetry'"
    )
    assert "fragment 'camera-pair' revision" in lines[-1]


async def test_another_version_of_a_fragment_is_shown_by_what_differs(fleet: Fleet) -> None:
    new = await fragment(fleet, HARMLESS)
    await fleet.app.update_fragment(new, "new", {**HARMLESS, **LOCAL_MODULE})
    part, name = fleet.part_id("dock-counter-02-main"), "dock-counter-02-main"
    await fleet.app.update_robot_part(part, name, {"fragments": [{"id": new, "version": "1"}]})
    arguments = {"robot_part_id": part, "name": name, "robot_config": {"fragments": [{"id": new, "version": "2"}]}}
    preview = await fleet.preview("update_robot_part", **arguments)
    text = "\n".join(preview.lines)
    assert 'version "1" → "2" in fragments' in text
    assert ", so far revision 1." in text
    assert 'modules: new evil {"type": "local", "executable_path": "/tmp/evil"}' in text
    assert preview.headline[2] == "RUNS CODE: fragment 'new'"


async def test_a_fragment_that_cannot_be_read_counts_as_code(fleet: Fleet) -> None:
    nobodys = "00000000-0000-4000-8000-000000000000"
    preview = await using(fleet, {"id": nobodys})
    assert (
        f"Used from then on: fragment {nobodys}, WHICH CANNOT BE READ: nothing is known of what it brings."
        in preview.lines
    )
    assert preview.headline[2].startswith("RUNS CODE: fragment 00000000")


async def test_a_fragment_that_is_used_no_longer_is_named(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    del config["fragments"][0]
    lines = await fleet.part_diff("picker-01-main", config)
    (gone,) = (line for line in lines if line.startswith("No longer used: fragment 'picker-base'"))
    assert "revision 5" in gone
    assert any(line.startswith("No longer used: fragment 'camera-pair'") for line in lines)


async def test_what_overrules_a_fragment_is_shown_as_what_it_does(fleet: Fleet) -> None:
    config = await fleet.config("picker-01-main")
    used = config["fragments"][1]["id"]
    config["fragment_mods"] = [{"fragment_id": used, "mods": [{"$set": {"modules.viam-sensor.version": "9.9.9"}}]}]
    preview = await fleet.preview(
        "update_robot_part", robot_part_id=fleet.part_id("picker-01-main"), name="picker-01-main", robot_config=config
    )
    assert preview.risks == {Risk.CODE}
    assert "modules.viam-sensor.version" in "\n".join(preview.lines)


async def test_a_new_fragment_is_shown_with_what_it_holds(fleet: Fleet) -> None:
    inner = await fragment(fleet, LOCAL_MODULE, "inner")
    preview = await fleet.preview(
        "create_fragment",
        org_id=fleet.id("organizations", TIDEWATER),
        name="outer",
        config={**HARMLESS, "fragments": [inner]},
    )
    text = "\n".join(preview.lines)
    assert "no machine uses it until its configuration names it" in text
    assert 'components: new cam {"api": "rdk:component:camera"}' in text
    assert "Used from then on: fragment 'inner'" in text
    assert preview.risks == {Risk.CODE}


async def test_a_default_fragment_is_shown_with_its_code(fleet: Fleet) -> None:
    new = await fragment(fleet, LOCAL_MODULE)
    preview = await fleet.preview(
        "update_organization",
        org_id=fleet.id("organizations", TIDEWATER),
        default_fragments=[{"fragment_id": new, "fragment_variables": {"x": 1}}],
    )
    assert preview.lines[1].startswith(f"New machines start with fragment 'new' ({new})")
    assert 'executable_path": "/tmp/evil"' in "\n".join(preview.lines)
    assert preview.headline[-1] == "RUNS CODE: fragment 'new'"


async def test_an_edit_that_another_organizations_machines_get_counts_them(fleet: Fleet) -> None:
    store = fleet.sandbox.store
    safety = fleet.id("fragments", "safety-scanner")
    row = store.one(
        "SELECT id, key FROM api_keys WHERE org_id = ? AND id IN (SELECT identity_id FROM authorizations "
        "WHERE resource_type = 'organization' AND role = 'owner')",
        fleet.id("organizations", KESTREL),
    )
    assert row is not None
    async with connect(fleet.sandbox.url, api_key_id=row["id"], api_key=row["key"]) as app:
        preview = await type(fleet)(fleet.sandbox, app, fleet.environment).preview(
            "update_fragment", fragment_id=safety, name="safety-scanner", config={}
        )
    assert "Over all organizations, 3 machines of 2 organizations name it." in preview.lines


async def test_more_fragments_than_can_be_looked_up_are_refused(fleet: Fleet) -> None:
    entries = [f"{number:08}-0000-4000-8000-000000000000" for number in range(201)]
    with pytest.raises(ToolError, match="more than 200 fragments"):
        await using(fleet, *entries)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"fragments": ["a", {"id": "b", "version": "v"}, {"ID": "c"}, "a"]}, ["a ", "b v", "c "]),
        ({"FRAGMENTS": ["a"], "fragments": [{"id": "b"}]}, ["a ", "b "]),
        ({"fragments": [1, None, {}, {"id": 3}, {"id": ""}, []]}, []),
        ({"fragments": "a"}, []),
        ({"fragments": [{"id": "a", "version": 7}]}, ["a "]),
    ],
)  # fmt: skip
def test_fragments_are_found_however_they_are_named(config: dict[str, Any], named: list[str]) -> None:
    assert [" ".join(ref) for ref in named_in(config)] == named
    assert all(isinstance(ref, FragmentRef) for ref in named_in(config))
