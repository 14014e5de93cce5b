"""`viam-mcp serve` and a client that does not read, or that has gone without closing its pipes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.processes import COMMAND, Running, running
from tests.pace import PATIENCE
from viam_mcp.calls import Kind, table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVE = (*COMMAND, "serve")
MOST = table()[Kind.UNANSWERED].in_all or 0


def request(number: int, method: str = "tools/list", **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


@asynccontextmanager
async def unread(env: dict[str, str], *options: str, requests: int = 100) -> AsyncIterator[Running]:
    """A server whose client has sent requests, and reads none of the answers."""
    async with running(*SERVE, *options, env=env) as process:
        await process.initialize()
        with process.reading_paused():
            process.stdin.writelines(request(number) for number in range(requests))
            await process.until_stuck()
            yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_although_its_answers_are_not_read(
    fleet_env: dict[str, str], number: signal.Signals
) -> None:
    async with unread(fleet_env) as process:
        process.signal(number)
        assert await process.code() == 0


async def test_the_end_of_its_input_ends_it_although_its_answers_are_not_read(fleet_env: dict[str, str]) -> None:
    async with unread(fleet_env) as process:
        process.stdin.close()
        assert await process.code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_although_its_log_is_not_read_either(
    fleet_env: dict[str, str], number: signal.Signals
) -> None:
    async with unread(fleet_env, "--debug") as process:
        process.signal(number)
        assert await process.code() == 0


@pytest.mark.slow
async def test_further_requests_are_not_read_while_too_many_are_unanswered(fleet_env: dict[str, str]) -> None:
    async with running(*SERVE, env=fleet_env) as process:
        await process.initialize()
        before, total = process.memory(), 20_000
        with process.reading_paused():
            process.stdin.writelines(request(number) for number in range(total))
            await process.until_stuck()
        answer = await process.line()
        answered = {json.loads(answer)["id"]}
        while len(answered) < 2 * MOST:
            answered.add(json.loads(await process.line())["id"])
        # All answers together are ten times as large, as text, as what it has in memory.
        assert process.memory() - before < total * len(answer) / 10
        # None was forgotten, and none of the last was answered before the first.
        assert set(range(MOST)) <= answered <= set(range(4 * MOST))
        process.signal(signal.SIGKILL)


HOST = """
import subprocess, sys
server = subprocess.Popen([sys.executable, "-m", "viam_mcp", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
server.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\\n')
server.stdin.flush()
server.stdout.readline()
# Another process keeps the pipes open.
holder = subprocess.Popen(["sleep", "600"], stdin=server.stdout, stdout=server.stdin)
print(server.pid, holder.pid, flush=True)
sys.stdin.read()
"""


async def test_a_host_that_is_killed_leaves_no_orphan_although_its_pipes_stay_open(fleet_env: dict[str, str]) -> None:
    async with running(sys.executable, "-c", HOST, env=fleet_env) as host:
        server, holder = map(int, (await host.line()).split())
        descriptor = os.pidfd_open(server)
        try:
            host.signal(signal.SIGKILL)
            gone = asyncio.Event()
            asyncio.get_running_loop().add_reader(descriptor, gone.set)
            async with asyncio.timeout(PATIENCE):
                await gone.wait()
        finally:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
            for process in (server, holder):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


async def test_an_open_tail_answers_when_a_signal_ends_it(fleet_env: dict[str, str]) -> None:
    async with running(*SERVE, env=fleet_env) as process:
        await process.initialize()
        part = await quiet_part(process)
        arguments = {"robot_part_id": part, "wait_seconds": 50, "filter": "nothing says this"}
        await process.send(request(1, "tools/call", name="tail_robot_part_logs", arguments=arguments).strip())
        await process.request("ping")
        process.signal(signal.SIGTERM)
        answer = json.loads(await process.line())
        end = await process.end(close=False)
    assert answer["id"] == 1
    assert answer["result"]["structuredContent"]["entries"] == []
    assert answer["result"]["structuredContent"]["next_cursor"]
    assert (end.code, end.stdout, end.stderr) == (0, "", "")


async def quiet_part(process: Running) -> str:
    """The id of some part."""
    organizations = (await process.call("list_organizations"))["structuredContent"]["organizations"]
    (tidewater,) = [one["id"] for one in organizations if one.get("public_namespace") == "tidewater"]
    locations = (await process.call("list_locations", org_id=tidewater))["structuredContent"]["locations"]
    (location,) = [one["id"] for one in locations if one["name"] == "Warehouse 1"]
    robots = (await process.call("list_robots", location_id=location))["structuredContent"]["robots"]
    parts = (await process.call("get_robot_parts", robot_id=robots[0]["id"]))["structuredContent"]["parts"]
    return str(parts[0]["id"])
