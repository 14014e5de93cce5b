from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from viam_mcp.policy import Admission, Question, Refused
from viam_mcp.sandbox import Fault
from viam_mcp.tools import TOOLS, ListTool, NotARef, collect, references
from viam_mcp.tools._belongs import BELONGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.policy.conftest import Desk
    from viam_mcp.app import AppClient
    from viam_mcp.tools import Tool

UUID = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"


@pytest.fixture
def scoped(open_desk: Callable[..., Desk]) -> Callable[..., Desk]:
    """`scoped(organizations=[names], locations=[names])`."""

    def make(organizations: tuple[str, ...] = (), locations: tuple[str, ...] = (), **options: Any) -> Desk:
        desk = open_desk()
        lines = [
            "[scope]",
            f"organizations = {[desk.id('organizations', name) for name in organizations]}",
            f"locations = {[desk.id('locations', name) for name in locations]}",
        ]
        return open_desk("\n".join(lines), **options)

    return make


async def inside(desk: Desk, name: str, /, **arguments: Any) -> bool:
    """Whether a call gets as far as running or being asked about."""
    try:
        admitted = await desk.admit(desk.tool(name, **arguments))
    except Refused as refused:
        assert "Nothing was done" in str(refused) or "nothing was done" in str(refused)
        return False
    return isinstance(admitted, Admission | Question)


TIDEWATER, KESTREL = "Tidewater Robotics", "Kestrel Integration"


def calls_about(desk: Desk, org: str, location: str, machine: str) -> list[tuple[str, dict[str, Any]]]:
    """One call for each way to name a thing of an organization."""
    store = desk.sandbox.store
    org_id, location_id, robot_id = (
        desk.id("organizations", org), desk.id("locations", location), desk.id("robots", machine)
    )  # fmt: skip
    part_id = store.value("SELECT id FROM parts WHERE robot_id = ?", robot_id)
    key_id = store.value("SELECT id FROM api_keys WHERE org_id = ? AND name != 'sandbox-owner'", org_id)
    grant = {"role": "operator", "resource_type": "robot", "resource_id": robot_id}
    return [
        ("get_organization", {"org_id": org_id}),
        ("list_registry_items", {"organization_id": org_id, "types": [], "visibilities": [], "platforms": [],
                                 "statuses": []}),
        ("get_location", {"location_id": location_id}),
        ("list_robots", {"location_id": location_id}),
        ("get_robot", {"robot_id": robot_id}),
        ("delete_robot", {"robot_id": robot_id}),
        ("get_robot_part", {"robot_part_id": part_id}),
        ("get_robot_part_logs", {"robot_part_id": part_id}),
        ("rotate_key", {"id": key_id}),
        ("create_key", {"org_id": org_id, "authorizations": [grant]}),
        ("add_role", {"org_id": org_id, "identity_id": UUID, **grant}),
        ("check_permissions", {"permissions": [{"resource_type": "location", "resource_id": location_id,
                                                "permissions": ["read_robot"]}]}),
        ("list_authorizations", {"org_id": org_id, "resource_ids": [location_id, robot_id, org_id]}),
    ]  # fmt: skip


async def test_with_an_organization_named_its_own_things_are_inside_and_no_others(
    scoped: Callable[..., Desk],
) -> None:
    desk = scoped(organizations=(TIDEWATER,))
    for name, arguments in calls_about(desk, TIDEWATER, "Cold Storage", "cold-inspector-01"):
        assert await inside(desk, name, **arguments), name
    for name, arguments in calls_about(desk, KESTREL, "Bench A", "demo-cell-01"):
        assert not await inside(desk, name, **arguments), name


async def test_with_a_location_named_it_and_those_below_are_inside_and_no_others(scoped: Callable[..., Desk]) -> None:
    desk = scoped(locations=("Warehouse 1",))
    for location, machine in (("Warehouse 1", "picker-01"), ("Cold Storage", "cold-inspector-01")):
        assert await inside(desk, "list_robots", location_id=desk.id("locations", location))
        assert await inside(desk, "delete_robot", robot_id=desk.id("robots", machine))
    for location, machine in (
        ("Rotterdam Campus", "hauler-01"),
        ("Warehouse 2", "hauler-02"),
        ("Bench A", "demo-cell-01"),
    ):
        assert not await inside(desk, "list_robots", location_id=desk.id("locations", location))
        assert not await inside(desk, "get_robot", robot_id=desk.id("robots", machine))


async def test_with_a_location_named_nothing_of_the_whole_organization_is_changed(scoped: Callable[..., Desk]) -> None:
    desk = scoped(organizations=(TIDEWATER,), locations=("Warehouse 1",))
    org_id = desk.id("organizations", TIDEWATER)
    fragment_id = desk.id("fragments", "fleet-telemetry")
    assert await inside(desk, "get_organization", org_id=org_id)
    assert await inside(desk, "get_fragment", fragment_id=fragment_id)
    assert not await inside(desk, "delete_fragment", fragment_id=fragment_id)
    assert not await inside(desk, "create_fragment", org_id=org_id, name="new")
    assert not await inside(desk, "delete_organization", org_id=org_id)


AUTHORITY = ["create_key_from_existing_key_authorizations", "rotate_key", "delete_key"]


def key_that_also_opens(desk: Desk, **role: str) -> str:
    """A key of Tidewater that holds a role somewhere else as well."""
    key, org = desk.id("api_keys", "fleet-dashboard"), desk.id("organizations", TIDEWATER)
    desk.sandbox.store.insert("authorizations", org_id=org, identity_id=key, identity_type="api-key", **role)
    return key


@pytest.mark.parametrize("tool", AUTHORITY)
@pytest.mark.parametrize(
    ("kind", "table", "name"),
    [("organization", "organizations", KESTREL), ("location", "locations", "Bench A"),
     ("robot", "robots", "demo-cell-01")],
)  # fmt: skip
async def test_authority_is_judged_by_all_that_it_opens(
    scoped: Callable[..., Desk], tool: str, kind: str, table: str, name: str
) -> None:
    desk = scoped(organizations=[TIDEWATER])
    assert await inside(desk, tool, id=desk.id("api_keys", "fleet-dashboard"))
    where = {"resource_type": kind, "resource_id": desk.id(table, name)}
    key = key_that_also_opens(desk, role="owner", **where)
    assert not await inside(desk, tool, id=key)
    assert desk.outcomes()[-1] == "out of scope"
    assert await inside(scoped(organizations=[TIDEWATER, KESTREL]), tool, id=key)


@pytest.mark.parametrize("tool", AUTHORITY)
async def test_authority_whose_reach_cannot_be_read_is_left_alone(scoped: Callable[..., Desk], tool: str) -> None:
    desk = scoped(organizations=[TIDEWATER])
    key = desk.id("api_keys", "fleet-dashboard")
    desk.sandbox.faults.add("ListOrganizations", Fault(times=None, status=Status.INTERNAL))
    assert not await inside(desk, tool, id=key)


async def test_a_thing_is_not_moved_or_shared_out_of_the_scope(scoped: Callable[..., Desk]) -> None:
    desk = scoped(locations=("Warehouse 1",))
    robot_id = desk.id("robots", "picker-01")
    inner, outer = desk.id("locations", "Cold Storage"), desk.id("locations", "Warehouse 2")
    assert await inside(desk, "update_robot", robot_id=robot_id, name="x", location_id=inner)
    assert not await inside(desk, "update_robot", robot_id=robot_id, name="x", location_id=outer)
    assert not await inside(desk, "update_location", location_id=inner, parent_location_id=outer)
    assert not await inside(desk, "update_location", location_id=inner, parent_location_id="")
    assert await inside(desk, "update_location", location_id=inner, name="Colder")
    assert not await inside(
        desk, "share_location", location_id=inner, organization_id=desk.id("organizations", KESTREL)
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create_organization", {"name": "Mine"}),
        ("get_user_id_by_email", {"email": "ines.okafor@tidewater.example"}),
        ("get_organization_namespace_availability", {"public_namespace": "tidewater"}),
        (
            "list_registry_items",
            {"organization_id": "", "types": [], "visibilities": [], "platforms": [], "statuses": []},
        ),
        ("get_location", {}),
        ("get_robot", {"robot_id": UUID}),
        ("rotate_key", {"id": UUID}),
    ],
)
async def test_what_cannot_be_traced_to_the_scope_is_outside(
    scoped: Callable[..., Desk], name: str, arguments: dict[str, Any]
) -> None:
    assert not await inside(scoped(organizations=(TIDEWATER,)), name, **arguments)


async def test_what_does_not_exist_and_what_is_outside_are_told_alike(scoped: Callable[..., Desk]) -> None:
    desk = scoped(organizations=(TIDEWATER,))
    said = []
    for robot_id in (UUID, desk.id("robots", "demo-cell-01")):
        with pytest.raises(Refused) as caught:
            await desk.admit(desk.tool("get_robot", robot_id=robot_id))
        said.append(str(caught.value).replace(robot_id, "ID"))
    assert said[0] == said[1]
    assert desk.outcomes() == ["out of scope"] * 2


async def test_a_call_whose_place_cannot_be_read_does_not_run(scoped: Callable[..., Desk]) -> None:
    desk = scoped(organizations=(TIDEWATER,))
    desk.sandbox.faults.add("GetRobot", Fault(times=None, status=Status.INTERNAL, message="broken"))
    with pytest.raises(Refused, match=r"could not be read, so nothing was done: .*broken"):
        await desk.admit(desk.tool("get_robot", robot_id=desk.id("robots", "picker-01")))


def move(desk: Desk, robot: str, location: str) -> None:
    """Somebody else moves a machine."""
    where = desk.id("locations", location)
    desk.sandbox.store.run("UPDATE robots SET location_id = ? WHERE id = ?", where, desk.id("robots", robot))


def nest(desk: Desk, location: str, parent: str) -> None:
    """Somebody else moves a location."""
    above = desk.id("locations", parent)
    desk.sandbox.store.run("UPDATE locations SET parent_id = ? WHERE id = ?", above, desk.id("locations", location))


async def test_what_has_moved_out_is_refused_at_the_next_call(scoped: Callable[..., Desk]) -> None:
    desk = scoped(locations=("Warehouse 1",))
    robot_id, part_id = desk.id("robots", "cold-inspector-01"), desk.id("parts", "cold-inspector-01-main")
    reads = [
        ("get_robot", {"robot_id": robot_id}),
        ("get_robot_part", {"robot_part_id": part_id}),
        ("get_robot_part_logs", {"robot_part_id": part_id}),
        ("delete_robot", {"robot_id": robot_id}),
    ]
    for _ in range(2):
        assert [await inside(desk, name, **arguments) for name, arguments in reads] == [True] * 4
        move(desk, "cold-inspector-01", "Warehouse 2")
        assert [await inside(desk, name, **arguments) for name, arguments in reads] == [False] * 4
        move(desk, "cold-inspector-01", "Cold Storage")
        assert [await inside(desk, name, **arguments) for name, arguments in reads] == [True] * 4
        nest(desk, "Cold Storage", "Warehouse 2")
        assert [await inside(desk, name, **arguments) for name, arguments in reads] == [False] * 4
        nest(desk, "Cold Storage", "Warehouse 1")


async def test_what_was_read_to_decide_is_not_read_again_to_answer(scoped: Callable[..., Desk]) -> None:
    desk = scoped(locations=("Warehouse 1",))
    tool = desk.tool("get_robot", robot_id=desk.id("robots", "picker-01"))
    for _ in range(3):
        desk.sandbox.calls.clear()
        async with desk.admitted(tool) as admission:
            assert (await tool.run(admission.app)).name == "picker-01"
        assert desk.sandbox.calls["GetRobot"] == 1
    assert desk.sandbox.calls == {"GetRobot": 1}


async def shown(desk: Desk, tool: Tool) -> dict[str, Any]:
    """What a list gives."""
    assert isinstance(tool, ListTool)
    async with desk.admitted(tool) as admission:
        return await collect(tool, admission.app, reveal=False, budget=1 << 20)


async def listed(desk: Desk, name: str, /, **arguments: Any) -> list[str]:
    """The names in what a list gives."""
    tool = desk.tool(name, **arguments)
    result = await shown(desk, tool)
    (items,) = (value for value in result.values() if isinstance(value, list))
    return sorted(item.get("name") or item["org_name"] for item in items)


async def test_lists_leave_out_what_is_outside(scoped: Callable[..., Desk], app: AppClient) -> None:
    one, all_of_it = scoped(organizations=(TIDEWATER,)), scoped(organizations=(TIDEWATER, KESTREL))
    assert await listed(one, "list_organizations") == [TIDEWATER]
    assert await listed(all_of_it, "list_organizations") == [KESTREL, TIDEWATER]
    user_id = one.sandbox.store.value("SELECT user_id FROM members WHERE org_id = ?", one.id("organizations", KESTREL))
    assert await listed(one, "list_organizations_by_user", user_id=user_id) == []
    assert await listed(all_of_it, "list_organizations_by_user", user_id=user_id) == [KESTREL]
    # Tidewater's shared location is Kestrel's to use and not Kestrel's.
    kestrel = scoped(organizations=(KESTREL,))
    org_id = kestrel.id("organizations", KESTREL)
    assert await listed(kestrel, "list_locations", org_id=org_id) == [
        "Bench A",
        "First Location",
        "Kestrel Workshop",
    ]
    for fragment in await app.list_fragments(org_id, show_public=True):
        if fragment.organization_owner != org_id:
            assert fragment.name not in await listed(kestrel, "list_fragments", org_id=org_id)


async def rovers(desk: Desk) -> list[str]:
    tool = desk.tool("get_rover_rental_robots", org_id=desk.id("organizations", TIDEWATER))
    result = await shown(desk, tool)
    return [item["robot_name"] for item in result["robots"]]


async def test_machines_of_other_locations_are_not_listed(scoped: Callable[..., Desk]) -> None:
    assert await rovers(scoped(organizations=(TIDEWATER,))) == ["rental-rover"]
    assert await rovers(scoped(organizations=(TIDEWATER,), locations=("Test Lab",))) == ["rental-rover"]
    assert await rovers(scoped(organizations=(TIDEWATER,), locations=("Warehouse 1",))) == []


async def test_the_items_of_a_list_are_judged_by_what_their_type_declares(
    scoped: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = scoped(organizations=(TIDEWATER,), locations=("Warehouse 1",))

    async def locations() -> list[str]:
        tool = desk.tool("list_machine_summaries", org_id=desk.id("organizations", TIDEWATER))
        result = await shown(desk, tool)
        return sorted(item["location_name"] for item in result["location_summaries"])

    assert await locations() == ["Cold Storage", "Loading Docks", "Warehouse 1"]
    monkeypatch.delitem(BELONGS, "viam.app.v1.LocationSummary")
    assert await locations() == []


async def test_with_a_location_named_its_organization_can_be_found_and_only_it_in_there(
    scoped: Callable[..., Desk],
) -> None:
    desk = scoped(locations=("Warehouse 1",))
    (only,) = (await shown(desk, desk.tool("list_organizations")))["organizations"]
    assert only == {"id": desk.id("organizations", TIDEWATER)}
    names = await listed(desk, "list_locations", org_id=desk.id("organizations", TIDEWATER))
    assert names == ["Cold Storage", "Loading Docks", "Warehouse 1"]
    assert not await inside(desk, "list_locations", org_id=desk.id("organizations", KESTREL))
    assert not await inside(desk, "list_keys", org_id=desk.id("organizations", TIDEWATER))


async def test_an_organization_is_named_in_any_case_of_its_letters(scoped: Callable[..., Desk]) -> None:
    desk = scoped(organizations=(TIDEWATER,))
    assert await inside(desk, "get_organization", org_id=desk.id("organizations", TIDEWATER).upper())


@pytest.mark.parametrize("name", TOOLS)
def test_every_id_that_a_tool_takes_is_traced(name: str) -> None:
    """A new argument that names a thing has to be known to the scope. People and secrets belong to another."""
    fields = TOOLS[name].model_fields
    arguments = {field: UUID for field in fields if field == "id" or field.endswith(("_id", "org_id"))}
    kinds: dict[str, Any] = {field: "robot" for field in fields if field.endswith("resource_type")}
    for field in arguments:
        call = TOOLS[name].model_construct(**{**kinds, field: UUID})
        traced = {reference.id for reference in references(call)}
        names_nothing = {mark.why for mark in fields[field].metadata if isinstance(mark, NotARef)}
        assert (UUID in traced) is not bool(names_nothing), field
