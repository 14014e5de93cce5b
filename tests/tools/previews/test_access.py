"""Previews of what is done to roles and keys."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.tools.previews.conftest import AUDITOR, TOMAS, Fleet, grant_many, signed_in
from viam_mcp.sandbox.demo.fleet import TIDEWATER
from viam_mcp.tools.previews._authority import MOST_GRANTS


async def test_roles_tell_who_gains_and_loses_what_and_what_they_have(fleet: Fleet) -> None:
    calls = await fleet.calls()
    lines = await fleet.lines("add_role", **calls["add_role"])
    robot = fleet.id("robots", "picker-01")
    assert lines[0] == f"Gains, with all below it: operator of machine 'picker-01' ({robot})."
    assert any(line.startswith("Has already: owner of location 'Warehouse 2'") for line in lines)
    lines = await fleet.lines("remove_role", **calls["remove_role"])
    assert lines[0].startswith("Loses, with all below it: owner of location 'Warehouse 2'")
    assert lines[1] == "  In all, 2 machines: 'hauler-01', 'hauler-02'."
    assert lines[2].startswith("Keeps: operator of location 'Brightwater Pilot'")
    assert "They have this role already." in await fleet.lines("add_role", **calls["remove_role"])
    assert "They do not have this role." in await fleet.lines("remove_role", **calls["add_role"])


async def test_changing_a_role_names_both_sides(fleet: Fleet) -> None:
    lines = await fleet.lines("change_role", **(await fleet.calls())["change_role"])
    assert lines[0].startswith(f"Loses: user '{TOMAS}'")
    assert "owner of location 'Warehouse 2'" in lines[0]
    assert lines[1] == "  In all, 2 machines: 'hauler-01', 'hauler-02'."
    assert lines[2].startswith("Gains: API key 'fleet-dashboard'")
    assert "operator of machine 'picker-01'" in lines[2]


@pytest.mark.parametrize("tool", ["delete_key", "rotate_key", "create_key_from_existing_key_authorizations"])
async def test_a_key_is_shown_with_its_name_organization_and_roles(fleet: Fleet, tool: str) -> None:
    preview = await fleet.preview(tool, id=fleet.id("api_keys", "warehouse-1-operator"))
    assert "API key 'warehouse-1-operator'" in preview.lines[0]
    assert f"of organization '{TIDEWATER}'" in preview.lines[0]
    assert any(line.startswith("It may act as operator of location 'Warehouse 1'") for line in preview.lines)
    assert preview.subject == "warehouse-1-operator"


async def test_the_key_that_the_server_itself_uses_is_pointed_out(fleet: Fleet) -> None:
    own = fleet.sandbox.api_key_id
    assert "THIS SERVER ITSELF" in (await fleet.lines("rotate_key", id=own))[0]
    organization = fleet.id("organizations", TIDEWATER)
    role = {"role": "owner", "resource_type": "organization", "resource_id": organization}
    lines = await fleet.lines("remove_role", org_id=organization, identity_id=own, **role)
    assert "THIS SERVER ITSELF" in lines[0]
    lines = await fleet.lines("rotate_key", id=fleet.id("api_keys", "fleet-dashboard"))
    assert not any("THIS SERVER" in line for line in lines)


async def test_a_key_that_cannot_be_listed_is_shown_by_its_id(fleet: Fleet) -> None:
    hidden = fleet.id("api_keys", "fleet-dashboard")
    async with signed_in(fleet.sandbox, fleet.environment, "hauler-01-machine") as machine:
        preview = await machine.preview("delete_key", id=hidden)
    assert hidden in preview.lines[0]
    assert "none of those that this server can list" in preview.lines[0]
    assert preview.subject is None


async def test_what_a_new_key_may_do_is_said_once_and_the_most_powerful_first(fleet: Fleet) -> None:
    organization, robot = fleet.id("organizations", TIDEWATER), fleet.id("robots", "picker-01")
    roles = [{"role": "operator", "resource_type": "robot", "resource_id": robot}] * 17
    roles += [
        {"role": "operator", "resource_type": "organization", "resource_id": organization},
        {"role": "owner", "resource_type": "location", "resource_id": fleet.id("locations", "Warehouse 1")},
        {"role": "owner", "resource_type": "organization", "resource_id": organization},
    ]
    lines = await fleet.lines("create_key", org_id=organization, authorizations=roles)
    beginnings = [
        "It may act as owner of organization 'Tidewater Robotics'",
        "  It has 10 machines in 7 locations: ",
        "It may act as owner of location 'Warehouse 1'",
        "  In all, 6 machines: ",
        "  2 nested locations: ",
        "It may act as operator of organization 'Tidewater Robotics'",
        "  It has 10 machines in 7 locations: ",
        "It may act as operator of machine 'picker-01'",
        "Anybody who has its value",
    ]
    assert [line[: len(start)] for line, start in zip(lines, beginnings, strict=True)] == beginnings


NAMES = {"long": "n" * 200, "quotes": "'\"\\" * 66, "unassigned": "\U000e0fff\u0378" * 100}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_as_many_roles_as_one_call_may_give_are_all_shown_whatever_things_are_called(
    fleet: Fleet, name: str
) -> None:
    store, organization = fleet.sandbox.store, fleet.id("organizations", TIDEWATER)
    place = fleet.id("locations", "Warehouse 1")
    robots = [f"{number:08}-0000-4000-8000-000000000000" for number in range(MOST_GRANTS)]
    for number, robot in enumerate(robots):
        store.insert("robots", id=robot, location_id=place, name=f"{name[:-2]}{number:02}", created_on=0)
    store.run("UPDATE organizations SET name = ? WHERE id = ?", name, organization)
    roles = [{"role": "operator", "resource_type": "robot", "resource_id": robot} for robot in robots]
    for tool, argument, arguments in (
        ("create_key", "authorizations", {"name": "k" * 200}),
        ("create_organization_invite", "authorizations", {"email": f"{'a' * 60}@example.com"}),
        ("update_organization_invite_authorizations", "add_authorizations", {"email": AUDITOR}),
    ):
        lines = await fleet.lines(tool, org_id=organization, **{argument: roles}, **arguments)
        assert [robot for robot in robots if not any(f"{robot}" in line for line in lines)] == [], tool


async def test_more_roles_than_that_are_no_argument(fleet: Fleet) -> None:
    organization = fleet.id("organizations", TIDEWATER)
    role = {"role": "owner", "resource_type": "organization", "resource_id": organization}
    for tool, argument in (
        ("create_key", "authorizations"),
        ("create_organization_invite", "authorizations"),
        ("update_organization_invite_authorizations", "add_authorizations"),
        ("update_organization_invite_authorizations", "remove_authorizations"),
    ):
        with pytest.raises(ValidationError, match="at most 20"):
            await fleet.preview(
                tool, org_id=organization, **{argument: [role] * (MOST_GRANTS + 1)},
                **({} if tool == "create_key" else {"email": AUDITOR}),
            )  # fmt: skip


async def test_however_much_a_key_opens_all_of_it_is_shown_whatever_becomes_of_the_key(fleet: Fleet) -> None:
    key = fleet.id("api_keys", "warehouse-1-operator")
    robots = grant_many(fleet.sandbox.store, key)
    for tool in ("create_key_from_existing_key_authorizations", "rotate_key", "delete_key"):
        preview = await fleet.preview(tool, id=key)
        missing = [robot for robot in robots if not any(robot in line for line in preview.lines)]
        assert missing == [], tool
        assert f"({len(robots) + 1})" in preview.headline[2]


async def test_an_address_is_shown_to_its_end_and_with_what_cannot_be_seen_in_it(fleet: Fleet) -> None:
    organization = fleet.id("organizations", TIDEWATER)
    for email in (f"ada@tidewater.example.{'x' * 150}.evil.example", "ada@tidewater\u200b.example"):
        preview = await fleet.preview("create_organization_invite", org_id=organization, email=email)
        shown = email.encode("unicode_escape").decode()
        assert preview.lines[0].startswith(f"Create organization invite: '{shown}' to organization")
        assert "OWNER" in preview.lines[1]
