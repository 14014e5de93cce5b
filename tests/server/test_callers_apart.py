"""Two callers over HTTP, on two organizations: what one has, waits for or breaks is nothing to the other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import mcp_types as types
import pytest

from tests.server.serving import client, running
from viam_mcp.assembly.options import Auth
from viam_mcp.calls._breaker import FAILURES
from viam_mcp.http import add
from viam_mcp.sandbox import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from tests.http.site import Site
    from tests.server.serving import Key
    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.sandbox import Sandbox


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # What is sealed for one can be opened for another, so that nothing but the caller decides.
    monkeypatch.setenv("VIAM_MCP_STATE_KEYS", "ab" * 32)


async def said(connected: Client, tool: str, **arguments: Any) -> str:
    result = await connected.call_tool(tool, arguments)
    assert result.content[0].type == "text"
    return result.content[0].text


async def agree(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"confirm": True})


async def test_the_state_of_ones_question_is_no_answer_of_anothers(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    alice, bob = add(tokens, "alice"), add(tokens, "bob")
    told = replace(
        settings,
        credentials="env",
        auth=Auth("tokens", tokens),
        api_key_id=sandbox.api_key_id,
        api_key=sandbox.api_key,
    )
    call = ("delete_robot", {"robot_id": str(sandbox.store.value("SELECT id FROM robots WHERE name = 'picker-01'"))})
    yes = {"confirm": types.ElicitResult(action="accept", content={"confirm": True})}
    async with (
        running(told) as (site, _),
        client(site, "auto", {"authorization": f"Bearer {alice}"}, elicitation_callback=agree) as asking,
        client(site, "auto", {"authorization": f"Bearer {bob}"}, elicitation_callback=agree) as taking,
    ):
        asked = await asking.session.call_tool(*call, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        answer: dict[str, Any] = {"request_state": asked.request_state, "input_responses": yes}
        stolen = await taking.session.call_tool(*call, allow_input_required=True, **answer)
        assert isinstance(stolen, types.CallToolResult)
        assert "There is no operation of that id" in str(stolen.content)
        assert sandbox.calls["DeleteRobot"] == 0
        own = await asking.session.call_tool(*call, allow_input_required=True, **answer)
        assert isinstance(own, types.CallToolResult)
        assert not own.is_error


async def test_the_cursor_of_ones_list_leads_nowhere_in_anothers(
    settings: Settings, keys: list[Key], app: AppClient
) -> None:
    ids = {organization.name: organization.id for organization in await app.list_organizations()}
    mine, theirs = (ids[key.organization] for key in keys)
    await app.create_location(mine, "One more")
    await app.create_location(theirs, "One more")
    async with (
        running(settings) as (site, _),
        client(site, "auto", keys[0].headers) as one,
        client(site, "auto", keys[1].headers) as other,
    ):
        first = await one.call_tool("list_locations", {"org_id": mine, "limit": 1})
        assert first.structured_content
        cursor = first.structured_content["next_cursor"]
        assert "cursor" in await said(other, "list_locations", org_id=theirs, limit=1, cursor=cursor)
        refused = await other.call_tool("list_locations", {"org_id": mine, "limit": 1, "cursor": cursor})
        assert refused.is_error
        assert not (await one.call_tool("list_locations", {"org_id": mine, "limit": 1, "cursor": cursor})).is_error


async def test_a_caller_with_its_share_of_calls_holds_up_its_own_alone(
    settings: Settings, keys: list[Key], sandbox: Sandbox
) -> None:
    location = str(sandbox.store.value("SELECT id FROM locations LIMIT 1"))
    hanging = sandbox.faults.add("GetLocation", Fault(times=None, latency=60))
    told = replace(settings, max_calls=4, max_calls_per_caller=1)
    async with (
        running(told) as (site, _),
        client(site, "auto", keys[0].headers) as greedy,
        client(site, "auto", keys[1].headers) as modest,
    ):
        waiting = [asyncio.create_task(said(greedy, "get_location", location_id=location)) for _ in range(3)]
        await hanging.struck.wait()
        assert not (await modest.call_tool("list_organizations", {})).is_error
        assert sandbox.calls["GetLocation"] == 1
        sandbox.faults.clear()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_does_not_answer_one_caller_is_still_asked_for_another(
    settings: Settings, keys: list[Key], sandbox: Sandbox
) -> None:
    location = str(sandbox.store.value("SELECT id FROM locations LIMIT 1"))
    sandbox.faults.add("GetLocation", Fault(times=None, latency=60))
    async with (
        running(replace(settings, timeout=0.1)) as (site, _),
        client(site, "auto", keys[0].headers) as unlucky,
        client(site, "auto", keys[1].headers) as lucky,
    ):
        for _ in range(FAILURES):
            assert "DEADLINE_EXCEEDED" in await said(unlucky, "get_location", location_id=location)
        assert "so it is not asked for a while" in await said(unlucky, "get_location", location_id=location)
        before = sandbox.calls["GetLocation"]
        assert "DEADLINE_EXCEEDED" in await said(lucky, "get_location", location_id=location)
        assert sandbox.calls["GetLocation"] > before
        assert not (await unlucky.call_tool("list_organizations", {})).is_error


async def numbers(site: Site) -> str:
    async with httpx2.AsyncClient() as http:
        return (await http.get(f"{site.base}/metrics")).text


async def test_the_logs_that_are_followed_are_counted(settings: Settings, keys: list[Key], sandbox: Sandbox) -> None:
    tables = "parts JOIN robots ON robots.id = robot_id JOIN locations ON locations.id = location_id"
    where = "org_id = (SELECT id FROM organizations WHERE name = ?) AND online"
    part = str(sandbox.store.value(f"SELECT parts.id FROM {tables} WHERE {where}", keys[0].organization))
    async with running(settings) as (site, _), client(site, "auto", keys[0].headers) as connected:
        assert "viam_mcp_tails_open 0.0" in await numbers(site)
        tail = {"robot_part_id": part, "errors_only": False, "wait_seconds": 0}
        assert not (await connected.call_tool("tail_robot_part_logs", tail)).is_error
        # It is followed for a while longer, for a client that comes back with the cursor.
        assert "viam_mcp_tails_open 1.0" in await numbers(site)
