"""Two hundred callers at once on one server: keys of two organizations, tokens of two kinds, both eras."""

from __future__ import annotations

import asyncio
import json
import signal
from itertools import cycle
from typing import TYPE_CHECKING, Any

import httpx2
import mcp_types as types
import pytest

from tests.e2e.processes import COMMAND, running
from tests.pace import PATIENCE
from tests.server.serving import keys_of_two_organizations
from viam_mcp.app import connect
from viam_mcp.http import add

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.serving import Key

CALLERS = 200
SECONDS = 20.0
VERSIONS = ("2025-11-25", "2026-07-28")
SERVE = (*COMMAND, "serve", "--transport", "http", "--port", "0", "--max-waiting", "1024", "--credentials", "headers")


class Caller:
    """One of many, who knows what its answers have to be.

    Args:
        number: Which one, from 0.
        token: Lets it in; one that only reads, if the number is even.
        key: Its key, of one organization.
        robots: The machines of that organization.
    """

    def __init__(self, number: int, token: str, key: Key, robots: list[str]) -> None:
        self._number = number
        self._key = key
        self._robot = robots[number % len(robots)]
        self._reads_only = number % 2 == 0
        self._version = VERSIONS[number // 4 % 2]
        self._headers = {
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {token}",
            "mcp-protocol-version": self._version,
            **key.headers,
        }
        self._checks = (self._own_organization, self._own_machine, self._own_words, self._own_rights)
        self._calls = 0

    async def call(self, http: httpx2.AsyncClient, url: str, seconds: float) -> None:
        """Call for so many seconds, each thing at least once, and check every answer."""
        if self._version == VERSIONS[0]:
            await self._open_session(http, url)
        end = asyncio.get_running_loop().time() + seconds
        for made, check in enumerate(cycle(self._checks)):
            if made >= len(self._checks) and asyncio.get_running_loop().time() >= end:
                break
            await check(http, url)
        if self._version == VERSIONS[0]:
            (await http.delete(url, headers=self._headers)).raise_for_status()

    async def _own_organization(self, http: httpx2.AsyncClient, url: str) -> None:
        found = await self._tool(http, url, "list_organizations", fields=["name"])
        assert [one["name"] for one in found["structuredContent"]["organizations"]] == [self._key.organization]

    async def _own_machine(self, http: httpx2.AsyncClient, url: str) -> None:
        found = await self._tool(http, url, "get_robot", robot_id=self._robot)
        assert found["structuredContent"]["robot"]["id"] == self._robot

    async def _own_words(self, http: httpx2.AsyncClient, url: str) -> None:
        echo = f"tool_{self._number}_{self._calls}"
        missing = await self._tool(http, url, echo)
        assert f"There is no tool '{echo}' here" in missing["content"][0]["text"]

    async def _own_rights(self, http: httpx2.AsyncClient, url: str) -> None:
        refused = (await self._tool(http, url, "delete_robot"))["content"][0]["text"]
        expected = "is not open to your credential" if self._reads_only else "arguments of delete_robot are not right"
        assert expected in refused

    async def _tool(self, http: httpx2.AsyncClient, url: str, name: str, **arguments: Any) -> Any:
        return await self._request(http, url, "tools/call", {"name": name, "arguments": arguments})

    async def _open_session(self, http: httpx2.AsyncClient, url: str) -> None:
        self._headers.pop("mcp-session-id", None)
        client = {"name": "raw", "version": "0"}
        hello = {"protocolVersion": self._version, "capabilities": {}, "clientInfo": client}
        await self._request(http, url, "initialize", hello)

    async def _request(self, http: httpx2.AsyncClient, url: str, method: str, params: dict[str, Any]) -> Any:
        self._calls += 1
        headers = self._headers
        if self._version != VERSIONS[0]:
            headers = {**headers, "mcp-method": method, "mcp-name": params["name"]}
            params["_meta"] = {
                types.PROTOCOL_VERSION_META_KEY: self._version,
                types.CLIENT_INFO_META_KEY: {"name": "raw", "version": "0"},
                types.CLIENT_CAPABILITIES_META_KEY: {},
            }
        body = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": params}
        answer = (await http.post(url, json=body, headers=headers)).raise_for_status()
        if session := answer.headers.get("mcp-session-id"):
            self._headers["mcp-session-id"] = session
        # JSON, or a stream of events of which the last is the answer.
        message = json.loads(answer.text.rpartition("data: ")[2])
        assert message["id"] == self._calls
        return message["result"]


async def all_call(callers: list[Caller], url: str, seconds: float) -> None:
    limits = httpx2.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    async with httpx2.AsyncClient(timeout=PATIENCE, limits=limits) as http, asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(caller.call(http, url, seconds))


async def robots_by_organization(fleet_env: dict[str, str]) -> list[tuple[Key, list[str]]]:
    """A key for each organization, and the ids of the machines that it reaches."""
    url, key_id, key = (fleet_env[name] for name in ("VIAM_MCP_APP_URL", "VIAM_API_KEY_ID", "VIAM_API_KEY"))
    async with connect(url, api_key_id=key_id, api_key=key) as app:
        ids = {organization.name: organization.id for organization in await app.list_organizations()}
        return [
            (
                key,
                [
                    robot.id
                    for location in await app.list_locations(ids[key.organization])
                    for robot in await app.list_robots(location.id)
                ],
            )
            for key in await keys_of_two_organizations(app)
        ]


@pytest.mark.slow
async def test_two_hundred_callers_for_twenty_seconds_are_not_mixed_up_and_leave_no_memory_behind(
    fleet_env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "tokens.toml"
    reached = await robots_by_organization(fleet_env)
    assert all(len(robots) > 1 for _, robots in reached)
    callers = []
    for number in range(CALLERS):
        scopes = ["viam:read"] if number % 2 == 0 else None
        token = add(file, f"caller-{number}", scopes=scopes, toolsets=["machines", "organizations"])
        callers.append(Caller(number, token, *reached[number // 2 % 2]))
    async with running(*SERVE, "--auth", f"tokens:{file}", env=fleet_env) as process:
        url = (await process.line()).split()[-1]
        # What is imported and cached at the first calls is not what they leave behind.
        await all_call(callers, url, 0)
        before = process.memory()
        await all_call(callers, url, SECONDS)
        assert process.memory() - before < 16 * 2**20
        process.signal(signal.SIGTERM)
        assert (await process.end(close=False)).code == 0
