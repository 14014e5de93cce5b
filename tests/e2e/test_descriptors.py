"""`viam-mcp serve` on whatever its stdin and stdout are: pipes, files, nothing, closed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import COMMAND, PATIENCE, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Running

SERVE = " ".join((*COMMAND, "serve"))
GREETING = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        },
    }
).encode()


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """A file with what a client says first. What is asked right before the end of the input may go unanswered."""
    path = tmp_path / "said.jsonl"
    path.write_bytes(GREETING + b"\n")
    return path


async def until(happened: asyncio.Future[None] | None, path: Path) -> str:
    raise NotImplementedError


@pytest.mark.parametrize("output", ["pipe", "file", "nothing"])
@pytest.mark.parametrize("source", ["file", "nothing"])
async def test_it_ends_with_its_input(
    fleet_env: dict[str, str], said: Path, tmp_path: Path, source: str, output: str
) -> None:
    answered = tmp_path / "answered.jsonl"
    sources = {"file": said, "nothing": os.devnull}
    outputs = {"pipe": "", "file": f"> {answered}", "nothing": f"> {os.devnull}"}
    async with running("sh", "-c", f"exec {SERVE} < {sources[source]} {outputs[output]}", env=fleet_env) as process:
        end = await process.end(close=False)
    assert (end.code, end.stderr) == (0, "")
    shown = answered.read_text() if output == "file" else end.stdout
    if source == "file" and output != "nothing":
        assert json.loads(shown)["result"]["serverInfo"]["name"] == "viam-mcp"
    else:
        assert shown == ""


async def seen(path: Path) -> str:
    """What is in a file once there is something."""
    async with asyncio.timeout(PATIENCE):
        while not (text := path.read_text()).endswith("\n"):
            await asyncio.sleep(0.01)
    return text


async def asleep(process: Running) -> None:
    """Return when the process waits for something to happen."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("output", ["file", "nothing"])
async def test_a_signal_ends_it_while_a_client_says_nothing(
    fleet_env: dict[str, str], tmp_path: Path, output: str, number: signal.Signals
) -> None:
    answered = tmp_path / "answered.jsonl"
    answered.touch()
    target = answered if output == "file" else os.devnull
    env = {**fleet_env, "VIAM_MCP_DEBUG": "1"}
    async with running("sh", "-c", f"exec {SERVE} > {target}", env=env) as process:
        await process.send(GREETING)
        async with asyncio.timeout(PATIENCE):
            async for line in process.stderr: print(line)
        process.signal(number)
        end = await process.end(close=False)
    assert end.code == 0


