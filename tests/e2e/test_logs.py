"""Live logs over real pipes: `viam-mcp logs`, and a server whose client subscribes and goes away."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters

from tests.answers import uri_of
from tests.e2e.processes import COMMAND, ended, running
from tests.pace import PATIENCE
from tests.sandbox.client import named
from viam_mcp.proto.common import LogEntry

if TYPE_CHECKING:
    from viam_mcp.sandbox import Sandbox

SERVE = (*COMMAND, "serve")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z (debug|info|warn|error) \S+ .+")


@pytest.fixture
def live_env(env: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    """The environment for a fleet that this test can make log something."""
    return {
        **env,
        "VIAM_MCP_APP_URL": sandbox.url,
        "VIAM_API_KEY_ID": sandbox.api_key_id,
        "VIAM_API_KEY": sandbox.api_key,
    }


@pytest.fixture
def part(sandbox: Sandbox) -> str:
    return named(sandbox, "parts", "picker-01-main")


def logged(message: str, level: str = "error") -> LogEntry:
    return LogEntry(level=level, logger_name="rdk", message=message)


async def test_the_latest_entries_are_printed_oldest_first(
    live_env: dict[str, str], sandbox: Sandbox, part: str
) -> None:
    sandbox.emit(part, logged("one"), logged("two", "info"), logged("three"))
    end = await ended("logs", "picker-01-main", "-n", "3", env=live_env, fresh=True)
    assert (end.code, end.stderr) == (0, "")
    lines = end.stdout.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert [line.split()[-1] for line in lines] == ["one", "two", "three"]
    end = await ended("logs", part, "-n", "9", "--level", "error", "--grep", "t", env=live_env)
    assert end.stdout.splitlines()[-1].endswith(" error rdk three")
    assert " info " not in end.stdout


async def test_colors_are_for_terminals_unless_asked_for(live_env: dict[str, str], sandbox: Sandbox, part: str) -> None:
    sandbox.emit(part, logged("red \x1b[5mand calm"))
    plain = await ended("logs", part, "-n", "1", env=live_env)
    assert "\x1b" not in plain.stdout
    colored = await ended("logs", part, "-n", "1", "--color", "always", env=live_env)
    assert re.fullmatch(r"\x1b\[31m[^\x1b]* red and calm\x1b\[0m\n", colored.stdout)


@pytest.mark.parametrize("level", ["debug", "warn", "error"])
async def test_following_prints_what_is_logged_from_now_on(
    live_env: dict[str, str], sandbox: Sandbox, part: str, level: str
) -> None:
    sandbox.emit(part, logged("before"))
    async with (
        asyncio.timeout(PATIENCE),
        running(*COMMAND, "logs", part, "-f", "-n", "1", "--level", level, env=live_env) as process,
    ):
        assert (await process.line()).endswith(" error rdk before\n")
        sandbox.emit(part, logged("quiet", "info"), logged("loud"))
        if level == "debug":
            assert (await process.line()).endswith(" info rdk quiet\n")
        assert (await process.line()).endswith(" error rdk loud\n")
        await sandbox.hub.until(1)
        sandbox.emit(part, logged("again"))
        assert (await process.line()).endswith(" error rdk again\n")
    await sandbox.hub.until(0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "There is no part 'nobody'"),
        (("00000000-0000-4000-8000-000000000000",), "NOT_FOUND"),
        (("picker-01-main", "-n", "0"), "expected a number from 1 to 1000"),
        (("picker-01-main", "--level", "loud"), "invalid choice: 'loud'"),
        (("picker-01-main", "--grep", "x" * 10_001), "filter: expected text"),
    ],
    ids=["name", "id", "lines", "level", "text"],
)
async def test_what_cannot_be_printed_is_said_on_stderr(
    live_env: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    end = await ended("logs", *words, env=live_env)
    assert end.code != 0
    assert end.stdout == ""
    assert said in end.stderr
    assert "Traceback" not in end.stderr


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")
async def test_a_client_is_told_over_its_pipe_and_leaving_releases_the_log(
    live_env: dict[str, str], sandbox: Sandbox, part: str, mode: Any
) -> None:
    uri = f"viam://parts/{part}/logs"
    told = asyncio.Event()

    async def heard(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            assert str(message.params.uri) == uri
            told.set()

    server = StdioServerParameters(command=SERVE[0], args=list(SERVE[1:]), env=live_env)
    async with asyncio.timeout(PATIENCE):
        async with Client(server, mode=mode, message_handler=heard) as client:
            if mode == "legacy":
                await client.subscribe_resource(uri)
                await sandbox.hub.until(1)
                sandbox.emit(part, logged("here"))
                await told.wait()
            else:
                async with client.listen(resource_subscriptions=[uri]) as events:
                    await sandbox.hub.until(1)
                    sandbox.emit(part, logged("here"))
                    assert uri_of(await anext(aiter(events))) == uri
            (content,) = (await client.read_resource(uri)).contents
            assert isinstance(content, types.TextResourceContents)
            assert json.loads(content.text)["entries"][-1]["message"] == "here"
        await sandbox.hub.until(0)
    assert sandbox.calls["TailRobotPartLogs"] == 1
