"""`viam-mcp sandbox` as a process."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import COMMAND, Running, ended, running, variables
from viam_mcp.app import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def sandbox(
    *arguments: str, env: dict[str, str], cwd: Path | None = None
) -> AsyncIterator[tuple[Running, dict[str, str]]]:
    """The process, and what it printed."""
    async with running(*COMMAND, "sandbox", "--port", "0", *arguments, env=env, cwd=cwd) as process:
        yield process, variables("".join([await process.line() for _ in range(3)]))


async def organizations(printed: dict[str, str]) -> set[str]:
    async with connect(
        printed["VIAM_MCP_APP_URL"], api_key_id=printed["VIAM_API_KEY_ID"], api_key=printed["VIAM_API_KEY"]
    ) as app:
        return {organization.name for organization in await app.list_organizations()}


def files(*folders: Path) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_prints_what_a_shell_can_evaluate_and_serves_until_a_signal(
    env: dict[str, str], number: signal.Signals
) -> None:
    async with sandbox(env=env) as (process, printed):
        names = ["VIAM_MCP_APP_URL", "VIAM_API_KEY_ID", "VIAM_API_KEY"]
        assert list(printed) == names
        script = "\n".join([f"{name}={value}" for name, value in printed.items()] + [f"echo ${name}" for name in names])
        async with running("sh", "-c", script, env=env) as shell:
            assert (await shell.end()).stdout.splitlines() == list(printed.values())
        assert await organizations(printed) == {"Tidewater Robotics", "Kestrel Integration"}
        process.signal(number)
        end = await process.end(close=False)
        assert (end.code, end.stdout, end.stderr) == (0, "", "")


async def test_a_state_file_keeps_the_fleet_and_its_key_across_a_restart(env: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "fleet.sqlite"
    async with sandbox("--state", str(state), env=env) as (process, first):
        async with connect(
            first["VIAM_MCP_APP_URL"], api_key_id=first["VIAM_API_KEY_ID"], api_key=first["VIAM_API_KEY"]
        ) as app:
            await app.create_organization("Kept")
        process.signal(signal.SIGTERM)
        assert (await process.end(close=False)).code == 0
    async with sandbox("--state", str(state), env=env) as (_, second):
        assert second["VIAM_API_KEY"] == first["VIAM_API_KEY"]
        assert "Kept" in await organizations({**second, "VIAM_API_KEY_ID": first["VIAM_API_KEY_ID"]})


async def test_what_was_answered_survives_a_kill(env: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "fleet.sqlite"
    async with sandbox("--state", str(state), env=env) as (process, printed):
        async with connect(
            printed["VIAM_MCP_APP_URL"], api_key_id=printed["VIAM_API_KEY_ID"], api_key=printed["VIAM_API_KEY"]
        ) as app:
            await app.create_organization("Kept")
        process.signal(signal.SIGKILL)
        assert (await process.end(close=False)).code == -signal.SIGKILL
    async with sandbox("--state", str(state), env=env) as (_, printed):
        assert "Kept" in await organizations(printed)


async def test_without_a_state_file_nothing_is_written(env: dict[str, str], tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    before = files(tmp_path)
    async with sandbox(env=env, cwd=work) as (process, printed):
        async with connect(
            printed["VIAM_MCP_APP_URL"], api_key_id=printed["VIAM_API_KEY_ID"], api_key=printed["VIAM_API_KEY"]
        ) as app:
            await app.create_organization("Gone")
            assert files(tmp_path) == before
        process.signal(signal.SIGTERM)
        await process.end(close=False)
    assert files(tmp_path) == before


async def test_a_port_that_is_taken_is_said_in_one_sentence(env: dict[str, str], printed: dict[str, str]) -> None:
    port = printed["VIAM_MCP_APP_URL"].rpartition(":")[2]
    end = await ended("sandbox", "--port", port, env=env)
    assert end.code == 1
    assert end.stdout == ""
    assert end.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in end.stderr


async def test_a_state_file_that_is_none_is_said_in_one_sentence(env: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "notes.txt"
    state.write_text("not a database, and nobody may overwrite it")
    end = await ended("sandbox", "--state", str(state), env=env)
    assert end.code == 1
    assert end.stdout == ""
    assert end.stderr.count("\n") == 1
    assert str(state) in end.stderr
    assert state.read_text() == "not a database, and nobody may overwrite it"
