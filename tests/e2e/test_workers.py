"""`viam-mcp serve --transport http --workers N`: processes that serve one address together."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.answers import text_in
from tests.e2e.processes import COMMAND, Running, ended, environment, running
from tests.pace import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

WORKERS = 2
SERVE = (*COMMAND, "serve", "--transport", "http", "--port", "0", "--workers", str(WORKERS))
CALLERS = 4


@pytest.fixture(scope="module")
def shared(printed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of workers that tests share which only call: each that is started takes a second."""
    env = environment(tmp_path_factory.mktemp("workers"), **printed)
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(PATIENCE) == 0


@asynccontextmanager
async def serving(env: dict[str, str], *options: str) -> AsyncIterator[tuple[Running, str]]:
    """Workers that serve, and the URL of their endpoint."""
    async with running(*SERVE, *options, env=env) as process:
        line = await process.line()
        assert line.startswith("viam-mcp serves http"), (line, (await process.end()).stderr)
        yield process, line.split()[-1]


def children(process: Running) -> list[int]:
    """The process ids of its workers."""
    identifier = process.pid
    return [int(child) for child in Path(f"/proc/{identifier}/task/{identifier}/children").read_text().split()]


def alive(workers: list[int]) -> list[int]:
    """Those of them that have not ended."""
    return [worker for worker in workers if Path(f"/proc/{worker}").exists()]


async def until(condition: Any) -> None:
    """Wait for something about other processes, which have no way to tell."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def client(url: str, mode: Any = "auto") -> AsyncIterator[Client]:
    # Each request is a connection of its own, so that any worker may get it.
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with (
        httpx2.AsyncClient(timeout=PATIENCE, limits=limits) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as connected,
    ):
        yield connected


async def count(url: str, sample: str) -> float:
    """One number of all workers together."""
    async with httpx2.AsyncClient() as http:
        text = (await http.get(url.replace("/mcp", "/metrics"))).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(sample))


async def test_calls_go_on_while_workers_are_killed_and_new_ones_come(fleet_env: dict[str, str]) -> None:
    async with serving(fleet_env, "--toolsets", "organizations") as (process, url):
        first = children(process)
        assert len(first) == WORKERS
        stop = asyncio.Event()
        done: list[str] = []

        async def call() -> None:
            while not stop.is_set():
                try:
                    async with client(url) as connected:
                        result = await connected.call_tool("list_organizations", {})
                        assert result.structured_content
                        names = {org["name"] for org in result.structured_content["organizations"]}
                        done.append("good" if names == {"Tidewater Robotics", "Kestrel Integration"} else str(names))
                except* (httpx2.HTTPError, MCPError):
                    done.append("cut off")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(CALLERS):
                tasks.create_task(call())
            for victim in first:
                before = len(done)
                await until(lambda before=before: len(done) > before + 5)
                os.kill(victim, signal.SIGKILL)
                await until(lambda victim=victim: victim not in children(process) and len(children(process)) == WORKERS)
            before = len(done)
            await until(lambda: done[before:].count("good") > 10)
            stop.set()
        assert set(done) <= {"good", "cut off"}
        # Only what was in the hands of a worker that was killed is lost.
        assert done.count("cut off") <= len(first) * CALLERS
        assert not set(first) & set(children(process))
        process.signal(signal.SIGTERM)
        end = await process.end(close=False)
    assert end.code == 0
    assert end.stderr.count("is started again") == len(first)


async def test_every_worker_takes_the_answer_to_anothers_question(shared: str) -> None:
    async with client(shared) as connected:
        organizations = (await connected.call_tool("list_organizations", {})).structured_content["organizations"]
        listed = await connected.call_tool("list_locations", {"org_id": organizations[0]["id"]})
        location = listed.structured_content["locations"][0]["id"]
        for number in range(4):
            made = await connected.call_tool("new_robot", {"name": f"doomed-{number}", "location_id": location})
            asked = await connected.call_tool("delete_robot", {"robot_id": made.structured_content["robot_id"]})
            text = text_in(asked)
            assert "confirm_operation" in text
            operation = text.rstrip().rpartition("\n")[2]
            answers = await asyncio.gather(
                *(connected.call_tool("confirm_operation", {"operation_id": operation}) for _ in range(4))
            )
            # It is good once, whichever of them gets it.
            assert [answer.is_error for answer in answers].count(False) == 1


async def test_clients_of_the_2025_era_are_served_without_a_session(shared: str) -> None:
    async with client(shared, "legacy") as connected:
        for _ in range(6):
            assert not (await connected.call_tool("list_organizations", {})).is_error


async def test_the_numbers_are_those_of_all_workers(shared: str) -> None:
    before = await count(shared, "viam_mcp_tool_calls_total{")
    async with client(shared) as connected:
        for _ in range(8):
            await connected.call_tool("list_organizations", {})
    for _ in range(4):
        assert await count(shared, "viam_mcp_tool_calls_total{") == before + 8


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_of_them(fleet_env: dict[str, str], number: signal.Signals) -> None:
    async with serving(fleet_env) as (process, _):
        workers = children(process)
        process.signal(number)
        end = await process.end(close=False)
    assert (end.code, end.stdout, end.stderr) == (0, "", "")
    assert not alive(workers)


async def test_workers_do_not_outlive_the_process_that_started_them(fleet_env: dict[str, str]) -> None:
    async with serving(fleet_env) as (process, _):
        workers = children(process)
        process.signal(signal.SIGKILL)
        await until(lambda: not alive(workers))


async def test_workers_that_cannot_begin_are_not_started_again(env: dict[str, str]) -> None:
    # Without credentials: each worker finds that out by itself.
    end = await ended("serve", "--transport", "http", "--port", "0", "--workers", "2", env=env)
    assert end.code == 1
    assert "There are no credentials" in end.stderr
    assert "before it served anybody" in end.stderr
    assert end.stdout == ""


async def test_workers_and_a_sandbox_in_each_are_refused(env: dict[str, str]) -> None:
    end = await ended("serve", "--transport", "http", "--sandbox", "--workers", "2", env=env)
    assert end.code == 1
    assert end.stderr.count("\n") == 1
    assert "each process would have a sandbox of its own" in end.stderr


async def test_logs_are_json_with_the_id_of_the_request_and_without_credentials(fleet_env: dict[str, str]) -> None:
    async with serving(fleet_env, "--log-format", "json") as (process, url):
        async with (
            httpx2.AsyncClient(headers={"x-request-id": "of-this-call"}) as http,
            Client(streamable_http_client(url, http_client=http), mode="auto") as connected,
        ):
            await connected.call_tool("list_organizations", {})
        process.signal(signal.SIGTERM)
        end = await process.end(close=False)
    entries = [json.loads(line) for line in end.stderr.splitlines()]
    (call,) = [entry for entry in entries if entry.get("tool")]
    assert (call["tool"], call["outcome"], call["request_id"]) == ("list_organizations", "ok", "of-this-call")
    assert fleet_env["VIAM_API_KEY"] not in end.stderr
