"""`viam-mcp serve` on whatever its stdin and stdout are: pipes, files, nothing, closed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import COMMAND, running
from tests.pace import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

SERVE = (*COMMAND, "serve")
IN_SHELL = " ".join(SERVE)
DEVNULL = Path(os.devnull)
CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
HELLO = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT}).encode()
"""What is asked right before the end of the input may go unanswered, but not this."""


def is_answer(line: str) -> bool:
    return bool(json.loads(line)["result"]["serverInfo"]["name"] == "viam-mcp")


@pytest.mark.parametrize("output", ["pipe", "file", "nothing"])
@pytest.mark.parametrize("source", ["file", "nothing"])
async def test_it_ends_with_its_input(fleet_env: dict[str, str], tmp_path: Path, source: str, output: str) -> None:
    said, answered = tmp_path / "said.jsonl", tmp_path / "answered.jsonl"
    said.write_bytes(b"hello\n" + HELLO + b"\n")
    with (
        (said if source == "file" else DEVNULL).open("rb") as stdin,
        (answered if output == "file" else DEVNULL).open("wb") as stdout,
    ):
        instead = {0: stdin.fileno(), 1: stdout.fileno()}
        if output == "pipe":
            del instead[1]
        async with running(*SERVE, env=fleet_env, instead=instead) as process:
            end = await process.end(close=False)
    assert (end.code, end.stderr) == (0, "")
    lines = (answered.read_text() if output == "file" else end.stdout).splitlines()
    if source == "nothing" or output == "nothing":
        assert lines == []
    else:
        refused, answer = lines
        assert json.loads(refused)["error"]["code"] == -32700
        assert is_answer(answer)


async def until(text: str, lines: AsyncIterable[str]) -> None:
    """Read until a line has this text."""
    async with asyncio.timeout(PATIENCE):
        async for line in lines:
            if text in line:
                return
    raise AssertionError(f"no line has {text!r}")


async def growing(path: Path) -> AsyncIterator[str]:
    """The lines of a file that somebody else writes."""
    with path.open() as file:
        while True:
            if line := file.readline():
                yield line
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("output", ["file", "nothing"])
async def test_a_signal_ends_it_while_the_client_says_nothing(
    fleet_env: dict[str, str], tmp_path: Path, output: str, number: signal.Signals
) -> None:
    answered = tmp_path / "answered.jsonl"
    with (answered if output == "file" else DEVNULL).open("wb") as stdout:
        async with running(*SERVE, "--debug", env=fleet_env, instead={1: stdout.fileno()}) as process:
            await process.send(HELLO)
            if output == "file":
                await until("serverInfo", growing(answered))
            else:
                await until("viam_mcp.server: 'initialize'", process.errors())
            process.signal(number)
            end = await process.end(close=False)
    assert end.code == 0
    assert "Traceback" not in end.stderr


@pytest.mark.parametrize(("redirection", "name"), [("<&-", "stdin"), (">&-", "stdout"), ("<&- >&-", "stdin")])
async def test_what_is_closed_is_named_in_one_sentence(fleet_env: dict[str, str], redirection: str, name: str) -> None:
    async with running("sh", "-c", f"exec {IN_SHELL} {redirection}", env=fleet_env) as process:
        end = await process.end(close=False)
    assert (end.code, end.stdout) == (1, "")
    assert end.stderr.startswith(f"viam-mcp serve: {name} is closed")
    assert end.stderr.count("\n") == 1


async def test_it_serves_without_a_stderr(fleet_env: dict[str, str]) -> None:
    async with running("sh", "-c", f"exec {IN_SHELL} 2>&-", env=fleet_env) as process:
        await process.initialize()
        assert not (await process.call("list_organizations"))["isError"]
        end = await process.end()
    assert (end.code, end.stdout) == (0, "")
