"""`viam-mcp serve` as an MCP client starts it: a process with pipes."""

from __future__ import annotations

import json
import re
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters

from tests.e2e.processes import COMMAND, Running, ended, running
from viam_mcp.calls import choose

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVE = (*COMMAND, "serve")


@asynccontextmanager
async def served(env: dict[str, str], *command: str) -> AsyncIterator[Running]:
    """A server that has shaken hands."""
    async with running(*(command or SERVE), env=env) as process:
        await process.initialize()
        yield process


async def some_part(process: Running) -> tuple[str, str]:
    """The ids of a machine and of its main part."""
    organizations = (await process.call("list_organizations"))["structuredContent"]["organizations"]
    (tidewater,) = [org["id"] for org in organizations if org.get("public_namespace") == "tidewater"]
    locations = (await process.call("list_locations", org_id=tidewater))["structuredContent"]["locations"]
    (location,) = [location["id"] for location in locations if location["name"] == "Warehouse 1"]
    robots = (await process.call("list_robots", location_id=location))["structuredContent"]["robots"]
    robot = robots[0]["id"]
    parts = (await process.call("get_robot_parts", robot_id=robot))["structuredContent"]["parts"]
    return robot, parts[0]["id"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_lists_tools_and_reads_a_machine_and_its_logs(
    fleet_env: dict[str, str], mode: Any
) -> None:
    server = StdioServerParameters(command=SERVE[0], args=list(SERVE[1:]), env=fleet_env)
    async with Client(server, mode=mode) as client:
        # This client cannot ask its user, so it is given the tool that others confirm with.
        assert [tool.name for tool in (await client.list_tools()).tools] == [*choose(), "confirm_operation"]

        async def call(name: str, **arguments: str | int) -> Any:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            return result.structured_content

        (org,) = [
            o for o in (await call("list_organizations"))["organizations"] if o["public_namespace"] == "tidewater"
        ]
        places = (await call("list_locations", org_id=org["id"]))["locations"]
        (place,) = [place for place in places if place["name"] == "Warehouse 1"]
        machine = (await call("list_robots", location_id=place["id"]))["robots"][0]
        assert (await call("get_robot", robot_id=machine["id"]))["robot"]["name"] == machine["name"]
        part = (await call("get_robot_parts", robot_id=machine["id"]))["parts"][0]
        logs = await call("get_robot_part_logs", robot_part_id=part["id"], range="10d", limit=5)
        assert len(logs["entries"]) == 5


async def test_it_ends_well_when_the_client_closes_its_input(fleet_env: dict[str, str]) -> None:
    async with served(fleet_env) as process:
        await process.call("list_organizations")
        end = await process.end()
    assert (end.code, end.stdout, end.stderr) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_well_at_a_signal_while_the_client_is_still_there(
    fleet_env: dict[str, str], number: signal.Signals
) -> None:
    async with served(fleet_env) as process:
        process.signal(number)
        end = await process.end(close=False)
    assert (end.code, end.stdout, end.stderr) == (0, "", "")


async def test_a_signal_ends_it_in_the_middle_of_a_call(fleet_env: dict[str, str]) -> None:
    async with served(fleet_env) as process:
        _, part = await some_part(process)
        tail = {"name": "tail_robot_part_logs", "arguments": {"robot_part_id": part, "wait_seconds": 50}}
        await process.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tail}).encode())
        await process.request("ping")
        process.signal(signal.SIGTERM)
        end = await process.end(close=False)
    assert (end.code, end.stderr) == (0, "")


async def test_a_store_that_was_named_and_cannot_be_written_stops_the_start(fleet_env: dict[str, str]) -> None:
    end = await ended("serve", "--store", "/dev", env=fleet_env)
    assert (end.code, end.stdout) == (1, "")
    assert end.stderr == "viam-mcp serve: --store: /dev cannot be written: Is a directory.\n"


async def test_without_a_state_folder_there_is_still_what_can_be_read(fleet_env: dict[str, str]) -> None:
    async with served({**fleet_env, "XDG_STATE_HOME": "/dev/null"}) as process:
        assert not (await process.call("list_organizations"))["isError"]
        refused = await process.call("create_organization", name="nobody's")
        assert refused["isError"]
        assert "create_organization was not done" in refused["content"][0]["text"]
        assert "set XDG_STATE_HOME" in refused["content"][0]["text"]
        assert "--store" in refused["content"][0]["text"]


ENVELOPE = {
    types.PROTOCOL_VERSION_META_KEY: "2026-07-28",
    types.CLIENT_INFO_META_KEY: {"name": "test", "version": "0"},
    types.CLIENT_CAPABILITIES_META_KEY: {},
}
CREATE = b'"method": "tools/call", "params": {"name": "create_organization", "arguments": {"name": '
BEGUN = b'{"jsonrpc": "2.0", "id": 7, ' + CREATE
ENDED = b'}}, "jsonrpc": "2.0", "id": "seven"}'
DEEP = b"[" * 5_000 + b"]" * 5_000


def malformed() -> dict[str, tuple[bytes, int, int | str | None]]:
    """What is no message, by what is wrong with it: the line, and the code and the id of its answer."""
    return {
        "a word": (b"hello", types.PARSE_ERROR, None),
        "a line that is not JSON": (b"{not json", types.PARSE_ERROR, None),
        "a request that is cut off": (BEGUN + b'"a', types.PARSE_ERROR, 7),
        "a request with a text that is not UTF-8": (BEGUN + b'"caf\xe9"}}}', types.PARSE_ERROR, 7),
        "one whose id is at the end": (b"{" + CREATE + b'"caf\xe9"' + ENDED, types.PARSE_ERROR, "seven"),
        "a line that is not UTF-8": (b'{"jsonrpc": "2.0", \xff\xfe"method": "ping"}', types.PARSE_ERROR, None),
        "a response that is cut off": (b'{"jsonrpc": "2.0", "id": 7, "result": {', types.PARSE_ERROR, None),
        "an id inside a request that is cut off": (
            b"{" + CREATE + b'{"jsonrpc": "2.0", "a": 1, "id": 7}',
            types.PARSE_ERROR,
            None,
        ),
        "a deeply nested request": (BEGUN + DEEP + b"}}}", types.PARSE_ERROR, 7),
        "deeply nested JSON": (b"[" * 100_000, types.PARSE_ERROR, None),
        "a line of 100 MB": (b'"' + b"x" * 100_000_000 + b'"', types.PARSE_ERROR, None),
        "a request of 100 MB": (BEGUN + b'"' + b"x" * 100_000_000 + b'"}}}', types.PARSE_ERROR, 7),
        "JSON that is no object": (b'["jsonrpc"]', types.INVALID_REQUEST, None),
        "params that are no object": (
            b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": [1]}',
            types.INVALID_REQUEST,
            7,
        ),
        "a response without a result": (b'{"jsonrpc": "2.0", "id": 7}', types.INVALID_REQUEST, None),
    }


@pytest.mark.parametrize("era", ["2025", "2026"])
async def test_what_is_no_message_is_answered_with_an_error_and_the_next_request_is_served(
    fleet_env: dict[str, str], era: str
) -> None:
    async with running(*SERVE, env=fleet_env) as process:
        # Before any message, too.
        await process.send(b"hello")
        assert json.loads(await process.line())["error"]["code"] == types.PARSE_ERROR
        if era == "2025":
            await process.initialize()
        for what, (line, code, request_id) in malformed().items():
            await process.send(b"", line)
            answer = json.loads(await process.line())
            assert (answer["error"]["code"], answer["id"]) == (code, request_id), what
            assert len(answer["error"]["message"]) < 300
            assert "result" in await process.request("tools/list", _meta=ENVELOPE if era == "2026" else {}), what
        end = await process.end()
    assert (end.code, end.stdout, end.stderr) == (0, "", "")


async def test_a_text_that_is_not_utf8_is_not_written_to_the_fleet(fleet_env: dict[str, str]) -> None:
    async with served(fleet_env) as process:
        before = await process.call("list_organizations")
        await process.send(BEGUN + b'"caf\xe9"}}}')
        assert json.loads(await process.line())["id"] == 7
        assert await process.call("list_organizations") == before


async def test_an_argument_of_10_mb_is_refused_by_name_and_the_next_call_works(fleet_env: dict[str, str]) -> None:
    async with served(fleet_env) as process:
        refused = await process.call("get_robot", robot_id="x" * 10_000_000)
        assert refused["isError"]
        assert "robot_id" in refused["content"][0]["text"]
        assert len(refused["content"][0]["text"]) < 2_000
        assert not (await process.call("list_organizations"))["isError"]


NOISY = """
import os, subprocess, sys
from viam_mcp.app import AppClient
from viam_mcp.cli import main
quiet = AppClient.get_organization
async def loud(self, org_id):
    print("print", flush=True)
    sys.__stdout__.write("the original"); sys.__stdout__.flush()
    os.write(1, b"the descriptor")
    subprocess.run(["sh", "-c", "echo a child; cat"])
    return await quiet(self, org_id)
AppClient.get_organization = loud
sys.exit(main(["serve"]))
"""


async def test_what_is_printed_in_the_process_does_not_reach_the_client(fleet_env: dict[str, str]) -> None:
    async with served(fleet_env, sys.executable, "-c", NOISY) as process:
        organizations = (await process.call("list_organizations"))["structuredContent"]["organizations"]
        answer = await process.call("get_organization", org_id=organizations[0]["id"])
        assert answer["structuredContent"]["organization"]["id"] == organizations[0]["id"]
        end = await process.end()
    assert (end.code, end.stdout) == (0, "")
    for noise in ("print", "the original", "the descriptor", "a child"):
        assert noise in end.stderr


async def test_it_ends_when_nobody_reads_its_answers(fleet_env: dict[str, str]) -> None:
    async with served(fleet_env) as process:
        process.stop_reading()
        await process.send(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}')
        end = await process.end(close=False)
    assert (end.code, end.stderr) == (0, "")


async def test_no_credential_is_ever_shown(fleet_env: dict[str, str], printed: dict[str, str]) -> None:
    async with served({**fleet_env, "VIAM_MCP_DEBUG": "1"}) as process:
        robot, part = await some_part(process)
        answers = [
            await process.call("get_robot_api_keys", robot_id=robot),
            await process.call("get_robot_part", robot_part_id=part),
            await process.call("get_robot", robot_id=part),
        ]
        end = await process.end()
    shown = json.dumps(answers) + end.stdout + end.stderr
    assert "viam_mcp.app" in end.stderr, "it was to log more than usual"
    assert printed["VIAM_API_KEY"] not in shown
    assert not re.search(r"Bearer [\w-]+", shown)


async def test_an_operation_outlasts_the_process_that_asked_about_it(fleet_env: dict[str, str]) -> None:
    # Some hosts start a process for each call.
    async with served(fleet_env) as process:
        robot, _ = await some_part(process)
        asked = await process.call("delete_robot", robot_id=robot)
        assert asked["isError"]
        operation = asked["content"][0]["text"].splitlines()[-1]
        await process.end()
    for done in (True, False):
        async with served(fleet_env) as process:
            answer = await process.call("confirm_operation", operation_id=operation)
            assert answer["isError"] is not done
            await process.end()
    assert "was used before" in answer["content"][0]["text"]
