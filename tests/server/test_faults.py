"""What goes wrong between the server and the fleet, as an MCP client sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from mcp import Client

from tests.sandbox.client import named
from tests.stores import store_in
from viam_mcp.app import connect
from viam_mcp.calls import Pipeline
from viam_mcp.policy import Gate, Policy
from viam_mcp.sandbox import Fault
from viam_mcp.server import build_server
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Mode
    from viam_mcp.sandbox import Sandbox

TIMEOUT = 0.5


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backs off as always, a hundred times faster."""
    monkeypatch.setattr("viam_mcp.app.transport._session._FIRST_BACKOFF", 0.002)


@pytest.fixture
async def client(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Client]:
    """A client in the middle of a session: the server has a connection and a token."""
    async with connect(sandbox.url, api_key_id=sandbox.api_key_id, api_key=sandbox.api_key, timeout=TIMEOUT) as app:
        with store_in(tmp_path) as store:
            calls = Pipeline(TOOLS, app, Gate(Policy(), app, store))
            async with Client(build_server(calls).mcp, mode=mode) as client:
                await answer(client, "list_organizations")
                sandbox.calls.clear()
                yield client


async def answer(client: Client, tool: str, **arguments: Any) -> Any:
    """What a call that has to succeed answers."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def error(client: Client, tool: str, **arguments: Any) -> str:
    """What a call that has to fail says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return str(result.content[0].text)  # type: ignore[union-attr]


@pytest.fixture
def robot(sandbox: Sandbox) -> dict[str, str]:
    return {"robot_id": named(sandbox, "robots", "picker-01")}


@pytest.fixture
def new_robot(sandbox: Sandbox) -> dict[str, str]:
    return {"name": "fault-01", "location_id": named(sandbox, "locations", "Test Lab")}


def made(sandbox: Sandbox) -> int:
    return int(sandbox.store.value("SELECT count(*) FROM robots WHERE name = 'fault-01'"))


async def test_a_token_that_expires_is_renewed_unseen(client: Client, sandbox: Sandbox, robot: dict[str, str]) -> None:
    sandbox.tokens.expire()
    assert (await answer(client, "get_robot", **robot))["robot"]["name"] == "picker-01"
    assert sandbox.calls == {"GetRobot": 2, "Authenticate": 1}


async def test_a_write_with_a_token_that_expired_is_done_once(
    client: Client, sandbox: Sandbox, new_robot: dict[str, str]
) -> None:
    sandbox.tokens.expire()
    await answer(client, "new_robot", **new_robot)
    assert made(sandbox) == 1


async def test_a_key_that_is_gone_says_to_check_it(client: Client, sandbox: Sandbox, robot: dict[str, str]) -> None:
    with sandbox.store.transaction():
        sandbox.store.run("UPDATE api_keys SET key = 'rotated' WHERE id = ?", sandbox.api_key_id)
    said = await error(client, "get_robot", **robot)
    assert "UNAUTHENTICATED" in said
    assert "Check the API key" in said
    assert sandbox.api_key not in said


async def test_a_fleet_that_is_unavailable_twice_is_asked_a_third_time(
    client: Client, sandbox: Sandbox, robot: dict[str, str]
) -> None:
    sandbox.faults.add("GetRobot", Fault(times=2, status=Status.UNAVAILABLE))
    assert (await answer(client, "get_robot", **robot))["robot"]["name"] == "picker-01"
    assert sandbox.calls["GetRobot"] == 3


async def test_a_fleet_that_stays_unavailable_is_given_up(
    client: Client, sandbox: Sandbox, robot: dict[str, str]
) -> None:
    sandbox.faults.add("GetRobot", Fault(times=None, status=Status.UNAVAILABLE, message="down for repairs"))
    said = await error(client, "get_robot", **robot)
    assert "UNAVAILABLE" in said
    assert "down for repairs" in said
    assert "try again" in said
    assert 1 < sandbox.calls["GetRobot"] <= 5


async def test_a_connection_cut_in_a_read_is_made_again(
    client: Client, sandbox: Sandbox, robot: dict[str, str]
) -> None:
    sandbox.faults.add("GetRobot", Fault(cut=True))
    assert (await answer(client, "get_robot", **robot))["robot"]["name"] == "picker-01"
    assert sandbox.calls["GetRobot"] == 2


@pytest.mark.parametrize("executed", [False, True], ids=["before it was done", "after it was done"])
async def test_a_connection_cut_in_a_write_is_not_followed_by_a_second_write(
    client: Client, sandbox: Sandbox, new_robot: dict[str, str], executed: bool
) -> None:
    sandbox.faults.add("NewRobot", Fault(cut=True, executed=executed))
    said = await error(client, "new_robot", **new_robot)
    assert "UNAVAILABLE" in said
    assert "may have happened" in said
    assert "look at the current state" in said
    assert sandbox.calls["NewRobot"] == 1
    assert made(sandbox) == executed
    await answer(client, "list_organizations")


async def test_a_write_that_the_fleet_puts_off_is_not_repeated(
    client: Client, sandbox: Sandbox, new_robot: dict[str, str]
) -> None:
    sandbox.faults.add("NewRobot", Fault(status=Status.UNAVAILABLE))
    assert "UNAVAILABLE" in await error(client, "new_robot", **new_robot)
    assert sandbox.calls["NewRobot"] == 1


@pytest.mark.parametrize("tool", ["get_robot", "new_robot"])
async def test_a_fleet_that_hangs_is_given_up_within_the_deadline_and_the_next_call_works(
    client: Client, sandbox: Sandbox, robot: dict[str, str], new_robot: dict[str, str], tool: str
) -> None:
    rpc, arguments, advice = {
        "get_robot": ("GetRobot", robot, "allow a longer timeout"),
        "new_robot": ("NewRobot", new_robot, "look at the current state"),
    }[tool]
    sandbox.faults.add(rpc, Fault(hang=True))
    said = await error(client, tool, **arguments)
    assert "DEADLINE_EXCEEDED" in said
    assert f"{TIMEOUT} s" in said
    assert advice in said
    assert sandbox.calls[rpc] == 1
    await answer(client, "list_organizations")


async def test_a_refusal_carries_its_status_and_what_to_try(client: Client, robot: dict[str, str]) -> None:
    said = await error(client, "get_robot", robot_id="00000000-0000-4000-8000-000000000000")
    assert "NOT_FOUND" in said
    assert "Check the id" in said
