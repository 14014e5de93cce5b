"""`viam-mcp call` asks the person at its terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import COMMAND
from tests.pace import PATIENCE
from viam_mcp.store import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.sandbox.rows.store import FleetStore

# A terminal becomes a process's own when it is the first that the process opens as leader of a session.
OWN_TERMINAL = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDWR)); os.execv(sys.argv[2], sys.argv[2:])"


class Session:
    """A command at a terminal of its own, with its output in a pipe."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self._process = process
        self._terminal = terminal

    async def until(self, text: str) -> str:
        """What the terminal shows up to a text."""
        seen = ""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while text not in seen:
                seen += (await loop.run_in_executor(None, os.read, self._terminal, 4_096)).decode()
        return seen.replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    async def ended(self) -> tuple[int, str, str]:
        """Code, standard output and standard error."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self._process.communicate()
        return self._process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def at_terminal(*words: str, env: dict[str, str]) -> AsyncIterator[Session]:
    ours, theirs = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OWN_TERMINAL, os.ttyname(theirs), *COMMAND, *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, env=env,
        )  # fmt: skip
        try:
            yield Session(process, ours)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.fixture
def delete_a_robot(demo_fleet: FleetStore) -> tuple[str, ...]:
    # The demo fleet has the same ids every time.
    robot_id = demo_fleet.value("SELECT id FROM robots WHERE name = 'picker-01'")
    return "call", "--sandbox", "delete_robot", json.dumps({"robot_id": robot_id})


def outcomes(env: dict[str, str]) -> list[str]:
    """What the audit in the state folder says happened."""
    store = open_store(environment=env)
    try:
        return store.read(lambda tx: [line.entry["outcome"] for line in tx.audit.oldest()])
    finally:
        store.close()


async def test_yes_at_the_terminal_does_it_and_is_on_record(
    env: dict[str, str], delete_a_robot: tuple[str, ...]
) -> None:
    async with at_terminal(*delete_a_robot, env=env) as session:
        assert "machine 'picker-01'" in await session.until("Type yes: ")
        session.type("yes\n")
        code, out, err = await session.ended()
    assert (code, err) == (0, "")
    assert json.loads(out)["done"].startswith("Deleted machine 'picker-01'")
    assert outcomes(env) == ["asked", "started", "done"]


async def test_anything_else_does_nothing(env: dict[str, str], delete_a_robot: tuple[str, ...]) -> None:
    async with at_terminal(*delete_a_robot, env=env) as session:
        await session.until("Type yes: ")
        session.type("y\n")
        assert await session.ended() == (1, "", "delete_robot was not done: it was declined.\n")


async def test_an_interrupt_at_the_question_ends_the_command_at_once(
    env: dict[str, str], delete_a_robot: tuple[str, ...]
) -> None:
    async with at_terminal(*delete_a_robot, env=env) as session:
        await session.until("Type yes: ")
        session.type("\x03")
        code, out, _ = await session.ended()
    assert (code, out) == (130, "")
    assert outcomes(env) == ["asked", "lost"]


async def test_without_a_terminal_nobody_is_asked_and_nothing_done(
    env: dict[str, str], delete_a_robot: tuple[str, ...]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *delete_a_robot, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, env=env,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate(b"yes\nyes\n")
    assert (process.returncode, out) == (1, b"")
    assert b"There is no terminal to ask on." in err
    assert b"was not done" in err
