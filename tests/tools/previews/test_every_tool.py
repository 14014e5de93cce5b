"""What holds for the preview of every destructive tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions

from tests.tools.cases import arguments_of
from tests.tools.previews.conftest import DESTRUCTIVE, HOSTILE, IN_QUOTES, Fleet, all_lines, rows
from viam_mcp.app import NotFound
from viam_mcp.proto import POOL
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.demo.fleet import planted_credentials
from viam_mcp.tools import TOOLS, Effect, Tool, references
from viam_mcp.tools.previews._model import HEADLINE_WIDTH

if TYPE_CHECKING:
    from pathlib import Path


async def test_every_destructive_tool_has_a_preview_of_its_own(fleet: Fleet) -> None:
    assert sorted(await fleet.calls()) == DESTRUCTIVE
    assert [name for name in DESTRUCTIVE if TOOLS[name].preview is Tool.preview] == []


async def test_no_preview_changes_anything(fleet: Fleet) -> None:
    calls = await fleet.calls()
    before = rows(fleet.sandbox.store)
    fleet.sandbox.calls.clear()
    for name, arguments in calls.items():
        await fleet.preview(name, **arguments)
    assert rows(fleet.sandbox.store) == before
    methods = {method.name: method for method in POOL.FindServiceByName("viam.app.v1.AppService").methods}
    called = set(fleet.sandbox.calls)
    assert called
    for rpc in called:
        assert methods[rpc].GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS, rpc


async def test_a_preview_needs_few_rpcs(fleet: Fleet) -> None:
    for name, arguments in (await fleet.calls()).items():
        fleet.sandbox.calls.clear()
        await fleet.preview(name, **arguments)
        assert fleet.sandbox.calls.total() <= 12, name


async def test_no_credential_is_ever_in_a_preview(fleet: Fleet) -> None:
    credentials = {*planted_credentials(fleet.sandbox.store), "planted-by-this-call"}
    assert len(credentials) > 20
    for name, preview in (await fleet.all_previews()).items():
        shown = "\n".join([*all_lines(preview), preview.subject or ""])
        assert [secret for secret in credentials if secret in shown] == [], name


async def test_only_a_tool_that_says_so_has_a_name_typed(fleet: Fleet) -> None:
    typed = {name for name, preview in (await fleet.all_previews()).items() if preview.type_subject}
    assert typed == {name for name, tool in TOOLS.items() if tool.spec.types_name}


async def test_hostile_names_stay_inside_their_quotes_on_one_line(fleet: Fleet) -> None:
    calls = await fleet.calls()
    store = fleet.sandbox.store
    for table in ("organizations", "locations", "robots", "parts", "fragments", "api_keys"):
        store.run(f"UPDATE {table} SET name = ? || name", HOSTILE)
    for table, column in (("users", "email"), ("registry_items", "description"), ("organizations", "public_namespace")):
        store.run(f"UPDATE {table} SET {column} = ? || {column}", HOSTILE)
    store.run(
        "UPDATE organizations SET public_namespace = 'tidewater' WHERE id = ?", calls["delete_organization"]["org_id"]
    )
    previews = [await fleet.preview(name, **arguments) for name, arguments in calls.items()]
    for name, preview in zip(calls, previews, strict=True):
        for line in all_lines(preview):
            assert line.isprintable(), (name, line)
            assert "\U000e0064" not in line, (name, line)
            assert "Nothing is deleted" not in IN_QUOTES.sub("", line), (name, line)
    assert all(len(line) <= HEADLINE_WIDTH for preview in previews for line in preview.head)


async def test_a_preview_stays_the_same_while_nothing_but_time_and_logs_go_on(fleet: Fleet) -> None:
    before = await fleet.all_previews()
    store = fleet.sandbox.store
    for row in store.all("SELECT id FROM parts"):
        fleet.sandbox.emit(row["id"], LogEntry(level="info", message="still here"))
    store.run("UPDATE parts SET online = 0, last_access = coalesce(last_access, 1) + 5000000000")
    after = await fleet.all_previews()
    for name, preview in before.items():
        assert after[name].lines == preview.lines, name
        assert after[name].last_known_update == preview.last_known_update
    assert before["delete_robot"].now[0].startswith("It is online, last seen on 20")
    assert after["delete_robot"].now[0].startswith("It is offline, last seen on 20")
    assert before["delete_robot"].now != after["delete_robot"].now


async def test_a_preview_changes_with_what_it_is_about(fleet: Fleet) -> None:
    before = await fleet.preview("delete_robot", robot_id=fleet.id("robots", "picker-01"))
    await fleet.app.new_robot_part(fleet.id("robots", "picker-01"), "picker-01-lamp")
    after = await fleet.preview("delete_robot", robot_id=fleet.id("robots", "picker-01"))
    assert before.lines != after.lines
    assert "4 parts: 'picker-01-arm', 'picker-01-cameras', 'picker-01-lamp', 'picker-01-main'." in after.lines


async def test_what_cannot_be_read_is_an_error_and_no_empty_preview(fleet: Fleet) -> None:
    with pytest.raises(NotFound):
        await fleet.preview("delete_robot", robot_id="00000000-0000-4000-8000-000000000000")


TABLES = {
    "organization": "organizations", "location": "locations", "machine": "robots", "part": "parts",
    "fragment": "fragments", "key": "api_keys",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(name for name, tool in TOOLS.items() if tool.spec.effect is Effect.WRITE))
async def test_a_tool_that_adds_something_says_where_by_name(fleet: Fleet, name: str, tmp_path: Path) -> None:
    call = TOOLS[name].model_validate(await arguments_of(name, fleet.sandbox, fleet.app, tmp_path))
    line = (await call.preview(fleet.app, fleet.environment)).lines[0]
    named = [(TABLES[kind], one.id) for one in references(call) for kind in one.kinds if kind in TABLES]
    places = [fleet.sandbox.store.value(f"SELECT name FROM {table} WHERE id = ?", one) for table, one in named]
    # Of a location in another one, the inner one says where.
    assert not places or any(repr(place) in line for place in places)
    for word in (getattr(call, field) for field in type(call).model_fields if field in ("name", "part_name", "email")):
        assert repr(word) in line


async def test_the_subject_of_a_tool_without_a_better_one_holds_no_credential(fleet: Fleet) -> None:
    class Configure(Tool):
        config: dict[str, Any]

    subject = await Configure(config={"api_key": "hunter2", "speed\x1b": 3}).subject(fleet.app)
    assert "hunter2" not in subject
    assert "[redacted]" in subject
    assert subject.isprintable()


async def test_a_tool_without_a_preview_of_its_own_shows_all_its_arguments_whole(fleet: Fleet) -> None:
    text = "x" * 900 + "end"
    arguments = {"organization_id": "", "types": ["module"], "visibilities": [], "platforms": [], "statuses": []}
    preview = await fleet.preview("list_registry_items", **arguments, search_term=text)
    assert f'search_term: "{text}"' in preview.lines
    assert 'types: ["module"]' in preview.lines
    assert all(len(line) <= HEADLINE_WIDTH for line in preview.head)
