"""Lists in pieces: every item once and in order, however they are cut, and no cursor but one's own."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_core import to_json

from tests.fleet import connected_to
from viam_mcp.app import Page
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.demo.fleet import HOSTILE_PART, KESTREL, NOISY_PART, TIDEWATER
from viam_mcp.sandbox.rows.store import now
from viam_mcp.tools import TOOLS, ListTool, collect
from viam_mcp.tools.results._output import Many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Mode
    from tests.fleet import Fleet, ToolCaller
    from viam_mcp.sandbox import Sandbox

SMALL = 2_048

# A list in one piece; a list of the service's own pages; two lists in one.
LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "robots": ("list_robots", {"location_id": ("locations", "Warehouse 1")}),
    "keys": ("list_keys", {"org_id": ("organizations", TIDEWATER)}),
    "members and invites": ("list_organization_members", {"org_id": ("organizations", TIDEWATER)}),
    "history of a part": ("get_robot_part_history", {"robot_part_id": ("parts", "picker-01-main"), "page_limit": 4}),
    "history of a fragment": ("get_fragment_history", {"id": ("fragments", "picker-base"), "page_limit": 2}),
    "logs": ("get_robot_part_logs", {"robot_part_id": ("parts", HOSTILE_PART), "num_log_entries": 0}),
    "oldest logs first": (
        "get_robot_part_logs",
        {"robot_part_id": ("parts", HOSTILE_PART), "num_log_entries": 0, "order": "ascending", "range": "2d"},
    ),
}


def query(fleet: Fleet, name: str) -> tuple[str, dict[str, Any]]:
    """The tool and the arguments that give a list."""
    tool, arguments = LISTS[name]
    return tool, {key: fleet.id(*value) if isinstance(value, tuple) else value for key, value in arguments.items()}


async def pages(call_tool: ToolCaller, tool: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
    """Every piece of a list."""
    while True:
        page = await call_tool(tool, **arguments)
        yield page
        if "next_cursor" not in page:
            return
        assert arguments.get("cursor") != page["next_cursor"]
        arguments["cursor"] = page["next_cursor"]


def items(page: dict[str, Any]) -> list[str]:
    """What tells the items of a page apart. How long ago a machine was seen changes while the test runs."""
    passing = ("last_access", "seconds_since_online")
    lists = [value for key, value in page.items() if isinstance(value, list) and key != "warnings"]
    return [
        json.dumps({key: value for key, value in item.items() if key not in passing})
        for values in lists
        for item in values
    ]


@pytest.fixture
async def cut(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Fleet]:
    """The same fleet behind a server whose results are small."""
    folder = tmp_path / "small"
    folder.mkdir()
    async with connected_to(sandbox, mode=mode, folder=folder, max_result_bytes=SMALL) as fleet:
        yield fleet


@pytest.fixture
async def wide(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Fleet]:
    """The same fleet behind a server whose results may be large."""
    folder = tmp_path / "large"
    folder.mkdir()
    async with connected_to(sandbox, mode=mode, folder=folder, max_result_bytes=1 << 24) as fleet:
        yield fleet


@pytest.mark.parametrize("name", LISTS)
async def test_pages_hold_every_item_once_and_in_order(wide: Fleet, name: str) -> None:
    tool, arguments = query(wide, name)
    whole = [item async for page in pages(wide.call, tool, **arguments, limit=1_000) for item in items(page)]
    assert len(whole) > 2
    for limit in (1, 3, 7) if len(whole) < 50 else (60, 250):
        taken = [page async for page in pages(wide.call, tool, **arguments, limit=limit)]
        assert [item for page in taken for item in items(page)] == whole
        assert all(len(items(page)) <= limit for page in taken)


@pytest.mark.parametrize("name", LISTS)
async def test_results_are_cut_at_an_item_and_go_on_where_they_were_cut(wide: Fleet, cut: Fleet, name: str) -> None:
    tool, arguments = query(wide, name)
    whole = [item async for page in pages(wide.call, tool, **arguments) for item in items(page)]
    taken = [page async for page in pages(cut.call, tool, **arguments)]
    got = [item for page in taken for item in items(page)]
    assert len(got) == len(whole)
    # What is larger than a whole result by itself is cut, and says so.
    fits = [item for item in whole if len(item) < SMALL - 700]
    assert [item for item in got if item in fits] == fits
    for page in taken:
        assert len(to_json(page)) <= SMALL
        assert bool(page.get("warnings")) is ("next_cursor" in page or not {*items(page)} <= {*whole})


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("limit", [None, 6])
async def test_logs_that_go_on_being_written_shift_no_page(
    wide: Fleet, cut: Fleet, order: str, limit: int | None
) -> None:
    part_id = wide.id("parts", HOSTILE_PART)
    arguments = {"robot_part_id": part_id, "num_log_entries": 40, "order": order}
    before = items(await wide.call("get_robot_part_logs", **arguments))
    got = []
    async for page in pages(cut.call, "get_robot_part_logs", **arguments, **({"limit": limit} if limit else {})):
        got += items(page)
        cut.sandbox.emit(part_id, *(LogEntry(level="info", message=f"new {number}") for number in range(3)))
        if order == "ascending":
            # As time goes by, the oldest entries leave the window that the service looks back over.
            oldest = "SELECT seq FROM logs WHERE part_id = ? AND time > ? ORDER BY time LIMIT 2"
            cut.sandbox.store.run(f"DELETE FROM logs WHERE seq IN ({oldest})", part_id, now() - 86_400_000_000_000)
    fits = [item for item in before if len(item) < SMALL - 700]
    assert [item for item in got if item in fits] == fits


@pytest.mark.parametrize("name", ["keys", "oldest logs first"])
@pytest.mark.parametrize("remainder", [0, 1])
async def test_what_a_caller_may_not_see_costs_no_item_of_those_that_it_may(
    fleet: Fleet, name: str, remainder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scope hides every other item, so that a page of the service has fewer items than were asked for."""
    kind, arguments = query(fleet, name)

    async def given(limit: int, cursor: str, hidden: list[Any], budget: int = 1 << 24) -> tuple[list[Any], str]:
        tool = TOOLS[kind].model_validate({**arguments, "limit": limit, "cursor": cursor})
        assert isinstance(tool, ListTool)
        assert isinstance(tool.spec.returns, Many)

        whole = TOOLS[kind].page  # type: ignore[attr-defined]

        async def part(self: ListTool, app: Any, token: str, asked: int) -> Page[Any]:
            found = await whole(self, app, token, asked)
            return Page([item for item in found if item not in hidden], found.next_page_token)

        with monkeypatch.context() as patch:
            patch.setattr(TOOLS[kind], "page", part)
            page = await collect(tool, fleet.app, reveal=False, budget=budget)
        (items,) = (page[listed] for listed in tool.spec.returns.lists)
        return items, page.get("next_cursor", "")

    first = TOOLS[kind].model_validate(arguments)
    assert isinstance(first, ListTool)
    items = (await first.page(fleet.app, "", 9))[:9]
    seen = (await given(9, "", []))[0][remainder::2]
    assert len(seen) > 1
    cut = max(len(to_json(item)) for item in seen) + 650  # so that a result is cut after one item or two
    hidden = [item for place, item in enumerate(items) if place % 2 != remainder]
    for limit, budget in ((1, 1 << 24), (2, 1 << 24), (3, 1 << 24), (9, cut)):
        found, cursor = await given(limit, "", hidden, budget)
        while len(found) < len(seen):
            more, cursor = await given(limit, cursor, hidden, budget)
            found += more
        assert found[: len(seen)] == seen


async def test_a_page_is_no_longer_than_what_was_asked_for_in_all(fleet: Fleet) -> None:
    arguments = {"robot_part_id": fleet.id("parts", NOISY_PART), "num_log_entries": 25, "fields": ["time"]}
    sizes = [len(page["entries"]) async for page in pages(fleet.call, "get_robot_part_logs", **arguments, limit=10)]
    assert sizes == [10, 10, 5]


async def test_the_service_is_asked_for_no_more_than_is_wanted(fleet: Fleet) -> None:
    arguments = {"robot_part_id": fleet.id("parts", NOISY_PART), "fields": ["time"]}
    await fleet.call("get_robot_part_logs", **arguments, num_log_entries=300)
    assert fleet.sandbox.calls["GetRobotPartLogs"] == 1


async def test_fields_are_the_only_ones_of_each_item(fleet: Fleet) -> None:
    answer = await fleet.call("list_organizations", fields=["id", "name"])
    assert [item.keys() for item in answer["organizations"]] == [{"id", "name"}] * 2


async def test_an_unknown_field_is_named_with_those_that_there_are(fleet: Fleet) -> None:
    error = await fleet.call.error("get_robot_parts", robot_id=fleet.id("robots", "picker-01"), fields=["id", "nmae"])
    assert "'nmae'" in error
    assert "name" in error
    assert "robot_config_json" not in error  # which a result never holds


async def test_a_cursor_belongs_to_its_query(fleet: Fleet) -> None:
    org_id, other = fleet.id("organizations", TIDEWATER), fleet.id("organizations", KESTREL)
    cursor = (await fleet.call("list_locations", org_id=org_id, limit=2))["next_cursor"]
    for tool, arguments in (("list_locations", {"org_id": other}), ("list_keys", {"org_id": org_id})):
        assert "another query" in await fleet.call.error(tool, **arguments, cursor=cursor)
    # How much of it, and which fields, may change on the way.
    answer = await fleet.call("list_locations", org_id=org_id, cursor=cursor, limit=1, fields=["name"])
    assert len(answer["locations"]) == 1


def forged(*content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "=" * 9,
        "AAAA",
        forged(),
        forged("q", "", -1, 0),
        forged("q", "", 0, 1.5),
        forged("q", None, 0, 0),
        forged("q", "", True, 0),
        forged({"query": "q"}),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
        base64.urlsafe_b64encode(b'["q","",' + b"9" * 5_000 + b",0]").decode(),
        base64.urlsafe_b64encode(b'["q","",Infinity,0]').decode(),
    ],
    ids=lambda cursor: cursor[:12],
)
async def test_what_is_no_cursor_is_refused(call_tool: ToolCaller, cursor: str) -> None:
    assert (await call_tool.error("list_organizations", cursor=cursor)).startswith("cursor: this is not one")


async def test_an_empty_cursor_starts_over(call_tool: ToolCaller) -> None:
    assert await call_tool("list_organizations", cursor="") == await call_tool("list_organizations")


async def test_a_list_that_has_shrunk_ends(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    cursor = (await fleet.call("list_organization_members", org_id=org_id, limit=6))["next_cursor"]
    fleet.sandbox.store.run("DELETE FROM members WHERE org_id = ?", org_id)
    fleet.sandbox.store.run("DELETE FROM invites WHERE org_id = ?", org_id)
    answer = await fleet.call("list_organization_members", org_id=org_id, cursor=cursor)
    assert answer == {"members": [], "invites": []}
