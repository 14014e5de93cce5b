"""`viam-mcp demo`: the main job from start to end, narrated.

Everything in it is real: the sandbox is a process that speaks gRPC over a socket, the server is a process that speaks
MCP over pipes, the client is the official one. What the text claims is checked; where it is not so, the command fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import tempfile
import textwrap
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp import Client, StdioServerParameters

from viam_mcp.store import as_text, open_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

_DOOMED = "rental-rover"
_BOLD, _DIM, _PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")


class DemoError(Exception):
    """The demo did not go as it should. The message says where."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags: it has none of its own."""


def run(options: argparse.Namespace) -> int:
    """Run the demo, and return 0 if all of it worked."""
    asyncio.run(_demo())
    return 0


async def _demo() -> None:
    with tempfile.TemporaryDirectory(prefix="viam-mcp-demo-") as folder:
        _say("1. A fleet. No account is needed: this one is embedded, and speaks gRPC over a socket like Viam's cloud.")
        async with _sandbox(folder) as fleet:
            _detail(f"viam-mcp sandbox is at {fleet['VIAM_MCP_APP_URL']}")
            _say("2. A server. It is what an assistant starts: MCP over stdin and stdout.")
            answers = _Answers()
            async with Client(_server(folder, fleet), elicitation_callback=answers.elicit) as client:
                await _introduce(client)
                machines = await _look_around(client)
                await _why_offline(client, machines)
                await _watch(client, machines)
                await _delete(client, machines, answers)
                _audit(Path(folder))
    _say("That was all of it: nothing is left running, and nothing was written outside a temporary folder.")


@asynccontextmanager
async def _sandbox(folder: str) -> AsyncIterator[dict[str, str]]:
    """Start the sandbox as a process, and return the variables that reach it."""
    command = [sys.executable, "-m", "viam_mcp", "sandbox"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=_environment(folder))
    try:
        if process.stdout is None:
            raise DemoError("The sandbox has no output to read.")
        lines = [(await process.stdout.readline()).decode() for _ in range(3)]
        words = [word for line in lines for word in shlex.split(line)]
        if len(words) != len(lines):
            raise DemoError("The sandbox did not start; what it said is above.")
        yield dict(word.split("=", 1) for word in words)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _server(folder: str, fleet: dict[str, str]) -> StdioServerParameters:
    command = ["-m", "viam_mcp", "serve"]
    return StdioServerParameters(command=sys.executable, args=command, env=_environment(folder) | fleet)


def _environment(folder: str) -> dict[str, str]:
    """Return the variables of this process, with another state folder and without any that reach a real fleet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIAM_", "XDG_STATE_HOME"))}
    return kept | {"XDG_STATE_HOME": folder}


async def _introduce(client: Client) -> None:
    _expect("sandbox" in (client.instructions or ""), "the server says that it is connected to a sandbox")
    name = f"{client.server_info.name} {client.server_info.version}" if client.server_info else "the server"
    tools = (await client.list_tools()).tools
    reads = sum(bool(tool.annotations and tool.annotations.read_only_hint) for tool in tools)
    destructive = sum(bool(tool.annotations and tool.annotations.destructive_hint) for tool in tools)
    _detail(f"{name} speaks MCP {client.protocol_version} and offers {len(tools)} tools:")
    _detail(f"{reads} read, {destructive} can destroy, overwrite or grant something and wait for a person's yes.")


async def _look_around(client: Client) -> list[dict[str, Any]]:
    _say("3. “Which machines are there, and how are they?”")
    machines: list[dict[str, Any]] = []
    for organization in (await _call(client, "list_organizations"))["organizations"]:
        locations = (await _call(client, "list_locations", org_id=organization["id"]))["locations"]
        for location in locations:
            robots = (await _call(client, "list_robots", location_id=location["id"]))["robots"]
            known = {machine["id"] for machine in machines}
            machines += [{**robot, "place": location["name"]} for robot in robots if robot["id"] not in known]
    for machine in machines:
        seen = machine.get("last_access", "never seen")[:16].replace("T", " ")
        name = textwrap.shorten(machine["name"], 32, placeholder="…")
        _detail(f"{name:32}  {machine['place']:20}  {machine['online_state']:15}  {seen}")
    _expect(len(machines) == 12, "the demo fleet has 12 machines")
    return machines


async def _why_offline(client: Client, machines: list[dict[str, Any]]) -> None:
    _say("4. “Which machines went offline last night, and why?”")
    since = datetime.now(UTC) - timedelta(days=2)
    lost = [
        machine
        for machine in machines
        if machine["online_state"] == "offline" and datetime.fromisoformat(machine["last_access"]) > since
    ]
    _expect(bool(lost), "a machine went offline last night")
    for machine in lost:
        last = machine["last_access"]
        _detail(f"{_BOLD}{machine['name']}{_PLAIN} was last seen at {last[:16].replace('T', ' ')} UTC. Its last words:")
        parts = await _call(client, "get_robot_parts", robot_id=machine["id"], fields=["id", "name", "main_part"])
        main = next(part for part in parts["parts"] if part["main_part"])
        found = await _call(
            client,
            "get_robot_part_logs",
            robot_part_id=main["id"],
            log_levels=["warn", "error"],
            num_log_entries=4,
            start=(datetime.fromisoformat(last) - timedelta(hours=6)).isoformat(),
        )
        _expect(bool(found["entries"]), f"{machine['name']} left a warning or an error")
        for entry in reversed(found["entries"]):
            _log_line(entry)


async def _watch(client: Client, machines: list[dict[str, Any]]) -> None:
    machine = next(machine for machine in machines if machine["online_state"] == "online")
    _say(f"5. “What is {machine['name']} doing right now?” The next lines that it logs:")
    parts = await _call(client, "get_robot_parts", robot_id=machine["id"], fields=["id", "main_part"])
    main = next(part for part in parts["parts"] if part["main_part"])
    tail = {"robot_part_id": main["id"], "errors_only": False, "wait_seconds": 10}
    # A machine may have nothing to say for a while; for half a minute, this one never has.
    for _ in range(3):
        if entries := (await _call(client, "tail_robot_part_logs", **tail))["entries"]:
            break
    _expect(bool(entries), "a live machine logs something")
    for entry in entries[:3]:
        _log_line(entry)


async def _delete(client: Client, machines: list[dict[str, Any]], answers: _Answers) -> None:
    doomed = next(machine for machine in machines if machine["name"] == _DOOMED)
    _say(f"6. “Delete {_DOOMED}.” This cannot be undone, so the server shows what it would do, and asks:")
    answers.accept = False
    declined = await client.call_tool("delete_robot", {"robot_id": doomed["id"]})
    _detail(f"→ the person says no. {_text(declined)}")
    still = await _call(client, "get_robot", robot_id=doomed["id"])
    _expect(still["robot"]["name"] == _DOOMED, "a declined machine is still there")
    _detail(f"→ {_DOOMED} is still there. Asked again, the person says yes.")
    answers.accept, answers.quiet = True, True
    done = await _call(client, "delete_robot", robot_id=doomed["id"])
    _detail(f"→ {done['done']}")
    gone = await client.call_tool("get_robot", {"robot_id": doomed["id"]})
    _expect(bool(gone.is_error) and "NOT_FOUND" in _text(gone), "a deleted machine is gone")
    _expect(answers.asked == 2, "the server asked twice")


def _audit(folder: Path) -> None:
    _say("7. What was decided is on record, each line bound to the one before:")
    store = open_store(environment={"XDG_STATE_HOME": str(folder)})
    try:
        lines = store.read(lambda tx: [json.loads(as_text(line)) for line in tx.audit.oldest()])
    finally:
        store.close()
    _expect(bool(lines), "there are audit lines")
    for line in lines:
        shown = {name: line[name] for name in ("time", "tool", "decision", "outcome") if name in line}
        _detail(f"{_DIM}{json.dumps(shown)}{_PLAIN}")


class _Answers:
    """The person at the client, who sees the question and answers yes or no."""

    def __init__(self) -> None:
        self.accept = False
        self.quiet = False
        self.asked = 0

    async def elicit(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked += 1
        if not self.quiet:
            for line in params.message.splitlines():
                print(f"     {_DIM}│{_PLAIN} {line}")
        if not self.accept:
            return types.ElicitResult(action="decline")
        schema = params.requested_schema if isinstance(params, types.ElicitRequestFormParams) else {}
        return types.ElicitResult(action="accept", content=dict.fromkeys(schema.get("properties", {}), True))


async def _call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise DemoError(f"{tool} failed: {_text(result)}")
    data: dict[str, Any] = result.structured_content
    return data


def _text(result: types.CallToolResult) -> str:
    return " ".join(block.text for block in result.content if isinstance(block, types.TextContent))


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise DemoError(f"The demo expected that {what}, and it is not so.")


def _say(text: str) -> None:
    print(f"\n{_BOLD}{textwrap.fill(text, 100, subsequent_indent='   ')}{_PLAIN}", flush=True)


def _detail(text: str) -> None:
    print(f"   {text}", flush=True)


def _log_line(entry: dict[str, Any]) -> None:
    message = textwrap.shorten(entry["message"], 90, placeholder="…")
    _detail(f"{_DIM}{entry['time'][:19]}{_PLAIN}  {entry['level']:5}  {entry.get('logger_name', ''):24} {message}")
