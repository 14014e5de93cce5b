"""`viam-mcp call`, `tools` and what every command has in common, as processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import viam_mcp
from tests.e2e.processes import COMMAND, Ended, ended, running
from viam_mcp.calls import choose

if TYPE_CHECKING:
    from viam_mcp.sandbox.rows.store import FleetStore


def said_once(end: Ended, code: int = 1) -> str:
    """What a command that failed said on its standard error: one line, and nothing elsewhere."""
    assert end.code == code
    assert end.stdout == ""
    assert end.stderr.count("\n") == 1, end.stderr
    return end.stderr


async def test_a_call_prints_the_logs_of_a_part(fleet_env: dict[str, str], demo_fleet: FleetStore) -> None:
    # The demo fleet has the same ids every time.
    part_id = demo_fleet.value("SELECT id FROM parts WHERE name = 'picker-02-cameras'")
    arguments = json.dumps({"robot_part_id": part_id, "num_log_entries": 5})
    end = await ended("call", "get_robot_part_logs", arguments, env=fleet_env)
    assert (end.code, end.stderr) == (0, "")
    entries = json.loads(end.stdout)["entries"]
    assert len(entries) == 5
    assert {"time", "level", "message"} <= entries[0].keys()


async def test_tools_are_a_table_and_as_json_what_a_server_lists(env: dict[str, str]) -> None:
    table = await ended("tools", env=env)
    assert (table.code, table.stderr) == (0, "")
    assert [line.split()[0] for line in table.stdout.splitlines()[:-1]] == list(choose())
    listed = await ended("tools", "--json", env=env)
    assert (listed.code, listed.stderr) == (0, "")
    tools = json.loads(listed.stdout)
    assert [tool["name"] for tool in tools] == list(choose())


async def test_a_reader_of_a_part_of_the_output_sees_no_error(env: dict[str, str]) -> None:
    script = f"{sys.executable} -m viam_mcp tools --json | head -n 1"
    async with running("sh", "-c", script, env=env) as shell:
        end = await shell.end()
    assert (end.stdout, end.stderr) == ("[\n", "")


async def test_the_installed_command_and_the_module_are_the_same(env: dict[str, str]) -> None:
    for command in ([str(Path(sys.executable).with_name("viam-mcp"))], [sys.executable, "-m", "viam_mcp"]):
        async with running(*command, "--version", env=env, fresh=True) as process:
            assert await process.end() == Ended(0, f"viam-mcp {viam_mcp.__version__}\n", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
async def test_what_a_terminal_cannot_show_does_not_turn_work_into_an_error(env: dict[str, str], encoding: str) -> None:
    env = {**env, "PYTHONIOENCODING": encoding}
    arguments = json.dumps({"name": "工場 \U0001f916"})
    create = ("call", "create_organization", arguments, "--sandbox")
    async with running(*COMMAND, *create, env=env, fresh=True) as process:
        end = await process.end()
    assert (end.code, end.stderr) == (0, "")
    assert json.loads(end.stdout)["organization"]["name"] == "工場 \U0001f916"
    async with running(*COMMAND, "audit", "show", env=env, fresh=True) as process:
        end = await process.end()
    assert (end.code, end.stderr) == (0, "")
    assert "create_organization" in end.stdout


async def test_a_call_whose_stdout_is_closed_is_no_error(fleet_env: dict[str, str]) -> None:
    script = f"{sys.executable} -m viam_mcp call list_organizations >&-"
    async with running("sh", "-c", script, env=fleet_env) as shell:
        assert await shell.end() == Ended(0, "", "")


@pytest.mark.parametrize("command", ["serve", "call list_organizations"])
async def test_without_credentials_both_ways_on_are_named(env: dict[str, str], command: str) -> None:
    said = said_once(await ended(*command.split(), env=env))
    for way in ("VIAM_API_KEY_ID", "VIAM_API_KEY", "--sandbox"):
        assert way in said


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["get_robots"], ["no tool", "get_robot"]),
        (["get_robot", "{"], ["not JSON"]),
        (["get_robot", '{"robot_id": []}'], ["robot_id", "a list"]),
        (["list_organizations", "--timeout", "soon"], ["--timeout", "soon"]),
        (["list_organizations", "--files-dir", "/no/such/folder"], ["/no/such/folder"]),
    ],
)
async def test_what_is_wrong_with_a_call_is_said_in_one_sentence(
    fleet_env: dict[str, str], arguments: list[str], words: list[str]
) -> None:
    said = said_once(await ended("call", *arguments, env=fleet_env))
    for word in words:
        assert word in said


async def test_a_command_that_is_none_is_refused_with_those_that_there_are(env: dict[str, str]) -> None:
    end = await ended("srve", env=env)
    assert (end.code, end.stdout) == (2, "")
    assert "serve" in end.stderr
    assert "Traceback" not in end.stderr
