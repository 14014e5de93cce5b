"""What a confirmation is bound to: what was shown, and what of the target the lines only count or name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.policy import Admission, Question, Refused, Way
from viam_mcp.proto import app as wire
from viam_mcp.sandbox.demo.fleet import KESTREL, TIDEWATER
from viam_mcp.tools import FORM_BYTES, TOKEN_BYTES
from viam_mcp.tools.previews._model import NOW_FOLLOWS

if TYPE_CHECKING:
    from tests.policy.conftest import Desk
    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.tools import Tool

OTHER = "cccccccc-0000-4000-8000-000000000000"
Change = Callable[["FleetStore"], None]


@dataclass(frozen=True)
class Case:
    """A call, and what changes of its target after it was shown.

    Attributes:
        tool: The tool.
        arguments: Its arguments; an id is given as a table and a name.
        change: What changes.
        before: How the target is made before, if it has to be.
        seen: Whether what changes can be seen in the lines.
    """

    tool: str
    arguments: dict[str, Any]
    change: Change
    before: Change = lambda store: None
    seen: bool = False


def changed(sql: str, *values: object) -> Change:
    def run(store: FleetStore) -> None:
        assert store.run(sql, *values) > 0

    return run


def id_of(store: FleetStore, table: str, name: str) -> str:
    return str(store.value(f"SELECT id FROM {table} WHERE name = ?", name))


def other_machine(store: FleetStore) -> None:
    """Another machine of the same name is where one was."""
    changed("UPDATE robots SET location_id = ? WHERE name = 'hauler-01'", id_of(store, "locations", "Test Lab"))(store)
    store.insert(
        "robots", id=OTHER, name="hauler-01", location_id=id_of(store, "locations", "Warehouse 2"), created_on=0
    )


def other_nested_location(store: FleetStore) -> None:
    """Another location of the same name, with the same machines, is where one was."""
    old = store.one("SELECT * FROM locations WHERE name = 'Cold Storage'")
    assert old is not None
    changed("UPDATE locations SET parent_id = NULL WHERE id = ?", old["id"])(store)
    store.insert("locations", **{**dict(old), "id": "other00000"})
    changed("UPDATE robots SET location_id = 'other00000' WHERE location_id = ?", old["id"])(store)


def texts(column: str) -> dict[str, Any]:
    """A long text of a module, of which then the end changes."""
    sql = f"UPDATE registry_items SET {column} = ? WHERE name = 'drive-control'"
    return {"before": changed(sql, f"{'d' * 300} this"), "change": changed(sql, f"{'d' * 300} that"), "seen": True}


def imports(speed: int) -> Change:
    variables: dict[str, Any] = {"note": "x" * 300, "speed": speed}

    def run(store: FleetStore) -> None:
        one = wire.FragmentImport(fragment_id=id_of(store, "fragments", "bench-cell"))
        one.fragment_variables.update(variables)
        data = wire.FragmentImportList(fragments=[one]).SerializeToString()
        changed("UPDATE organizations SET default_fragments = ? WHERE name = ?", data, KESTREL)(store)

    return run


SAVED = "last_updated = last_updated + 1000000000"
ITEM = "tidewater:drive-control"
MODULE = {"module_id": ITEM, "url": "", "description": "new", "models": None, "entrypoint": "run", "public": True}
SHARING = {"organization_id": ("organizations", KESTREL)}
CASES = {
    "a machine": Case(
        "delete_robot",
        {"robot_id": ("robots", "picker-01")},
        changed(f"UPDATE parts SET {SAVED} WHERE name = 'picker-01-main'"),
    ),
    "a part": Case(
        "delete_robot_part",
        {"robot_part_id": ("parts", "picker-01-arm")},
        changed(f"UPDATE parts SET {SAVED} WHERE name = 'picker-01-arm'"),
    ),
    "a main part": Case(
        "mark_part_as_main",
        {"robot_part_id": ("parts", "picker-01-arm")},
        changed(f"UPDATE parts SET {SAVED} WHERE name = 'picker-01-arm'"),
    ),
    "a part's other secret": Case(
        "delete_robot_part_secret",
        {"robot_part_id": ("parts", "picker-01-main"), "secret_id": "none"},
        changed(
            "UPDATE secrets SET id = ? WHERE part_id = (SELECT id FROM parts WHERE name = 'picker-01-main')", OTHER
        ),
    ),
    "a location's other secret": Case(
        "delete_location_secret",
        {"location_id": ("locations", "Bench A"), "secret_id": "none"},
        changed(
            "UPDATE secrets SET id = ? WHERE location_id = (SELECT id FROM locations WHERE name = 'Bench A')", OTHER
        ),
    ),
    "what a location's secret opens": Case(
        "delete_location_secret", {"location_id": ("locations", "Warehouse 2"), "secret_id": "none"}, other_machine
    ),
    "a fragment": Case(
        "delete_fragment", {"fragment_id": ("fragments", "bench-cell")}, changed(f"UPDATE fragments SET {SAVED}")
    ),
    "a location": Case("delete_location", {"location_id": ("locations", "Warehouse 2")}, other_machine),
    "a location that moves": Case(
        "update_location", {"location_id": ("locations", "Warehouse 2"), "parent_location_id": ""}, other_machine
    ),
    "a location below one that moves": Case(
        "update_location",
        {"location_id": ("locations", "Warehouse 1"), "parent_location_id": ""},
        other_nested_location,
    ),
    "a location that is shared": Case(
        "share_location", {**SHARING, "location_id": ("locations", "Warehouse 2")}, other_machine
    ),
    "a machine below a location that is shared": Case(
        "share_location", {**SHARING, "location_id": ("locations", "Rotterdam Campus")}, other_machine
    ),
    "a location below one that is shared": Case(
        "share_location", {**SHARING, "location_id": ("locations", "Warehouse 1")}, other_nested_location
    ),
    "a location that is shared no longer": Case(
        "unshare_location", {**SHARING, "location_id": ("locations", "Warehouse 2")}, other_machine
    ),
    "an organization": Case(
        "delete_organization",
        {"org_id": ("organizations", KESTREL)},
        changed(
            "UPDATE api_keys SET id = ? WHERE id = (SELECT api_keys.id FROM api_keys JOIN organizations "
            "ON organizations.id = org_id WHERE organizations.name = ? LIMIT 1)",
            OTHER,
            KESTREL,
        ),
    ),
    "an organization's own text": Case(
        "update_organization",
        {"org_id": ("organizations", KESTREL), "cid": "new"},
        changed("UPDATE organizations SET cid = ?", f"{'d' * 300} that"),
        changed("UPDATE organizations SET cid = ?", f"{'d' * 300} this"),
        seen=True,
    ),
    "a default fragment that is taken away": Case(
        "update_organization",
        {"org_id": ("organizations", KESTREL), "default_fragments": []},
        imports(speed=2),
        imports(speed=1),
    ),
    "an item's description": Case(
        "update_registry_item",
        {"item_id": ITEM, "type": "module", "description": "new", "visibility": "public"},
        **texts("description"),
    ),
    "a module's description": Case("update_module", MODULE, **texts("description")),
    "a module's entrypoint": Case("update_module", MODULE, **texts("entrypoint")),
    "a module's address": Case("update_module", MODULE, **texts("url")),
    "an item that is deleted": Case("delete_registry_item", {"item_id": ITEM}, **texts("description")),
    "a version of an item that is deleted": Case(
        "delete_registry_item",
        {"item_id": ITEM},
        changed("UPDATE registry_uploads SET uploaded_at = uploaded_at + 1000000000 WHERE name = 'drive-control'"),
    ),
}


@pytest.mark.parametrize("what", CASES)
async def test_a_yes_is_bound_to_what_the_lines_only_count_or_name(desk: Desk, what: str) -> None:
    case, store = CASES[what], desk.sandbox.store
    case.before(store)
    tool = desk.tool(case.tool, **with_ids(store, case.arguments))
    question = await desk.ask(tool)
    case.change(store)
    again = await desk.answer(tool, question.id)
    assert isinstance(again, Question)
    assert (_shown(again) != _shown(question)) == case.seen


def _shown(question: Question) -> list[str]:
    """The preview in a question, without what changes by itself."""
    lines = question.message.partition(f"| {NOW_FOLLOWS}")[0].splitlines()
    return [line for line in lines if line.startswith("| ")]


@pytest.mark.parametrize("tool", ["delete_key", "rotate_key", "create_key_from_existing_key_authorizations"])
async def test_a_yes_is_bound_to_each_of_a_great_many_lines(desk: Desk, tool: str) -> None:
    store, key = desk.sandbox.store, desk.id("api_keys", "warehouse-1-operator")
    org = store.value("SELECT org_id FROM api_keys WHERE id = ?", key)
    robots = [f"{number:08}-0000-4000-8000-000000000000" for number in range(60)]
    for robot in robots:
        what = {"role": "operator", "resource_type": "robot", "resource_id": robot}
        store.insert("authorizations", org_id=org, identity_id=key, identity_type="api-key", **what)
    call = desk.tool(tool, id=key)
    question = await desk.ask(call)
    assert all(robot in question.message for robot in robots)
    other = "00000099-0000-4000-8000-000000000000"
    changed("UPDATE authorizations SET resource_id = ? WHERE resource_id = ?", other, robots[-1])(store)
    again = await desk.answer(call, question.id)
    assert isinstance(again, Question)
    assert other in again.message


async def test_a_yes_is_bound_to_each_of_a_great_many_edits(desk: Desk) -> None:
    store, part = desk.sandbox.store, desk.id("parts", "picker-01-arm")
    names = [f"attribute-{number:03}" for number in range(300)]

    def save(value: str, last: str) -> None:
        config = {"components": [], "network": {**dict.fromkeys(names, value), names[-1]: last}}
        changed("UPDATE parts SET config_json = ? WHERE id = ?", json.dumps(config), part)(store)

    save("before", "before")
    new = {"components": [], "network": dict.fromkeys(names, "after")}
    tool = desk.tool("update_robot_part", robot_part_id=part, name="picker-01-arm", robot_config=new)
    question = await desk.ask(tool)
    assert '|   network.attribute-299 "before" → "after"' in question.message.splitlines()
    # Somebody else's edit, of the same number of characters.
    save("before", "befall")
    again = await desk.answer(tool, question.id)
    assert isinstance(again, Question)
    assert '|   network.attribute-299 "befall" → "after"' in again.message.splitlines()


async def test_a_yes_to_a_move_is_bound_to_who_uses_the_new_place(desk: Desk) -> None:
    store = desk.sandbox.store
    pilot = id_of(store, "locations", "Test Lab")
    tools = [
        desk.tool("update_robot", robot_id=desk.id("robots", "picker-01"), name="picker-01", location_id=pilot),
        desk.tool("update_location", location_id=desk.id("locations", "Warehouse 1"), parent_location_id=pilot),
    ]
    questions = [await desk.ask(tool) for tool in tools]
    store.insert("location_shares", location_id=pilot, org_id=desk.id("organizations", KESTREL))
    for tool, question in zip(tools, questions, strict=True):
        again = await desk.answer(tool, question.id)
        assert isinstance(again, Question)
        assert f"It is shared with organization '{KESTREL}'" in again.message


def one_more_user(store: FleetStore) -> None:
    """A machine of another organization begins to use a public fragment."""
    part, fragment = id_of(store, "parts", "dock-counter-02-main"), id_of(store, "fragments", "safety-scanner")
    store.insert("fragment_uses", part_id=part, fragment_id=fragment, version="")


def one_machine_more(store: FleetStore) -> None:
    """A machine moves into a location."""
    changed("UPDATE robots SET location_id = ? WHERE name = 'picker-01'", id_of(store, "locations", "Warehouse 2"))(
        store
    )


def other_revision(store: FleetStore) -> None:
    """A fragment gets another configuration, and another revision."""
    config = json.dumps({"modules": [{"name": "evil", "type": "local", "executable_path": "/tmp/evil"}]})
    changed("UPDATE fragments SET config_json = ?, revision = '99' WHERE name = 'camera-pair'", config)(store)


WAREHOUSE = {"role": "operator", "resource_type": "location", "resource_id": ("locations", "Warehouse 2")}
KEY = ("api_keys", "warehouse-1-operator")
WEIGHED = {
    "a public fragment that another organization's machine uses by now": Case(
        "update_fragment", {"fragment_id": ("fragments", "safety-scanner"), "name": "scan"}, one_more_user, seen=True
    ),
    "a public fragment that another organization's machine uses when it is deleted": Case(
        "delete_fragment", {"fragment_id": ("fragments", "safety-scanner")}, one_more_user, seen=True
    ),
    "an item that others use by now": Case(
        "delete_registry_item",
        {"item_id": ITEM},
        changed("UPDATE registry_items SET external_robot_usage = 4, external_org_usage = 2"),
        seen=True,
    ),
    "a machine that moved into the location of a new role": Case(
        "add_role",
        {"org_id": ("organizations", TIDEWATER), "identity_id": KEY, **WAREHOUSE},
        one_machine_more,
        seen=True,
    ),
    "a machine in the place of another in the location of a new role": Case(
        "add_role", {"org_id": ("organizations", TIDEWATER), "identity_id": KEY, **WAREHOUSE}, other_machine
    ),
    "a machine that moved into the location that an invite opens": Case(
        "create_organization_invite",
        {"org_id": ("organizations", TIDEWATER), "email": "a@b.example", "authorizations": [WAREHOUSE]},
        one_machine_more,
        seen=True,
    ),
    "a machine that moved into the location that a new key opens": Case(
        "create_key",
        {"org_id": ("organizations", TIDEWATER), "authorizations": [WAREHOUSE]},
        one_machine_more,
        seen=True,
    ),
    "another machine in the organization that a copied key opens": Case(
        "create_key_from_existing_key_authorizations", {"id": ("api_keys", "fleet-dashboard")}, other_machine, seen=True
    ),
    "a fragment behind an id": Case(
        "update_robot_part",
        {
            "robot_part_id": ("parts", "picker-01-arm"),
            "name": "arm",
            "robot_config": {"fragments": [("fragments", "camera-pair")]},
        },
        other_revision,
        seen=True,
    ),
    "a fragment in a fragment behind an id": Case(
        "update_robot_part",
        {
            "robot_part_id": ("parts", "picker-01-arm"),
            "name": "arm",
            "robot_config": {"fragments": [{"id": ("fragments", "outer")}]},
        },
        other_revision,
        lambda store: nest(store),
        seen=True,
    ),
    "a fragment that new machines start with": Case(
        "update_organization",
        {"org_id": ("organizations", TIDEWATER), "default_fragments": [{"fragment_id": ("fragments", "camera-pair")}]},
        other_revision,
        seen=True,
    ),
}


def nest(store: FleetStore) -> None:
    """A fragment that contains another at its latest version."""
    config = json.dumps({"fragments": [id_of(store, "fragments", "camera-pair")]})
    row = store.one("SELECT * FROM fragments WHERE name = 'camera-pair'")
    assert row is not None
    store.insert("fragments", **{**dict(row), "id": OTHER, "name": "outer", "config_json": config})


def with_ids(store: FleetStore, value: Any) -> Any:
    """Arguments with the ids of what they name."""
    if isinstance(value, tuple):
        return id_of(store, *value)
    if isinstance(value, dict):
        return {key: with_ids(store, item) for key, item in value.items()}
    return [with_ids(store, item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("what", WEIGHED)
async def test_a_yes_is_bound_to_what_a_person_would_weigh(desk: Desk, what: str) -> None:
    case, store = WEIGHED[what], desk.sandbox.store
    case.before(store)
    tool = desk.tool(case.tool, **with_ids(store, case.arguments))
    question = await desk.ask(tool)
    case.change(store)
    again = await desk.answer(tool, question.id)
    assert isinstance(again, Question)
    assert (_shown(again) != _shown(question)) == case.seen


async def test_what_a_yes_to_a_rotation_cannot_be_bound_to_is_said(desk: Desk) -> None:
    question = await desk.ask(desk.tool("rotate_key", id=desk.id("api_keys", "fleet-dashboard")))
    assert "If somebody else gives it a new value meanwhile, that cannot be seen here" in question.message


async def test_a_long_line_is_whole_in_the_question(desk: Desk) -> None:
    start = "x" * 5_000
    question = await desk.ask(desk.tool("update_module", **{**MODULE, "entrypoint": start}))
    assert f"| Entrypoint: 'bin/drive-control' → '{start}'" in question.message.splitlines()


def large(desk: Desk, number: int) -> Tool:
    """A call whose preview takes about so many bytes."""
    part = {"robot_part_id": desk.id("parts", "picker-01-arm"), "name": "picker-01-arm"}
    return desk.tool(
        "update_robot_part", **part, robot_config={"notes": {f"n{one}": "x" * 96 for one in range(number // 106)}}
    )


async def all_pages(desk: Desk, tool: Tool, way: Way) -> list[Question]:
    """All pages of the question about a call, each asked for with the one before."""
    pages = [await desk.ask(tool, way)]
    while not pages[-1].is_last:
        page = await desk.answer(tool, pages[-1].id, way)
        assert isinstance(page, Question)
        pages.append(page)
    return pages


@pytest.mark.parametrize("way", Way)
async def test_a_question_that_does_not_fit_is_shown_page_by_page_and_a_yes_counts_after_the_last(
    desk: Desk, way: Way
) -> None:
    tool = large(desk, 100_000)
    pages = await all_pages(desk, tool, way)
    assert [(one.page, one.of) for one in pages] == [(number + 1, len(pages)) for number in range(len(pages))]
    assert len(pages) > 2
    assert all(len(one.message) <= (FORM_BYTES if way is Way.PERSON else TOKEN_BYTES) for one in pages)
    assert all(
        f'"n{number}"' in "".join(one.message for one in pages)
        or f"n{number}:" in "".join(one.message for one in pages)
        for number in range(0, 900, 100)
    )
    assert desk.outcomes() == ["asked"]
    assert isinstance(await desk.answer(tool, pages[-1].id, way), Admission)


@pytest.mark.parametrize("way", Way)
async def test_no_page_can_be_skipped(desk: Desk, way: Way) -> None:
    tool = large(desk, 100_000)
    first, second, *_, last = await all_pages(desk, tool, way)
    made_up = [first.operation, f"{first.operation}/{first.of}-{'0' * 16}", f"{first.operation}/all-{'0' * 16}",
               f"{first.operation}/", f"{first.operation}/x", first.id.replace("/2-", "/3-")]  # fmt: skip
    for question in made_up:
        with pytest.raises(Refused, match=r"Not all pages of the question were shown|There is no such page"):
            await desk.answer(tool, question, way)
    assert set(desk.outcomes()[1:]) == {"wrong answer"}
    again = await desk.answer(tool, first.id, way)
    assert isinstance(again, Question)
    assert again.message == second.message
    assert isinstance(await desk.answer(tool, last.id, way), Admission)


async def test_a_no_to_any_page_is_a_no(desk: Desk) -> None:
    tool = large(desk, 60_000)
    question = await desk.ask(tool)
    with pytest.raises(Refused, match="without a tick"):
        await desk.answer(tool, question.id, agreed=False)
    assert desk.outcomes() == ["asked", "not ticked"]
    with pytest.raises(Refused, match="used before"):
        await desk.answer(tool, question.id)


async def test_a_target_that_changes_between_two_pages_is_shown_from_the_first_again(desk: Desk) -> None:
    tool = large(desk, 60_000)
    question = await desk.ask(tool)
    changed('UPDATE parts SET config_json = \'{"components": [{"name": "other"}]}\' WHERE name = \'picker-01-arm\'')(
        desk.sandbox.store
    )
    again = await desk.answer(tool, question.id)
    assert isinstance(again, Question)
    assert again.page == 1
    assert again.operation != question.operation
    assert "has changed since it was shown" in again.message
    assert desk.outcomes() == ["asked", "changed", "asked"]


@pytest.mark.parametrize("way", Way)
async def test_nobody_is_asked_to_read_more_pages_than_anybody_would(desk: Desk, way: Way) -> None:
    with pytest.raises(
        Refused, match=r"has to see before is [\d,]+ lines of [\d,]+ bytes, .* pages: .* nobody was asked"
    ):
        await desk.admit(large(desk, 700_000), way)
    assert desk.outcomes() == ["too large"]


async def test_a_name_is_typed_with_the_last_page_alone(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk('[[rules]]\nconfirm = "type-name"\ntools = ["update_robot_part"]\n')
    tool = large(desk, 40_000)
    pages = await all_pages(desk, tool, Way.PERSON)
    assert [one.type_name for one in pages] == [False] * (len(pages) - 1) + [True]
    assert isinstance(await desk.answer(tool, pages[-1].id, typed="picker-01-arm"), Admission)
