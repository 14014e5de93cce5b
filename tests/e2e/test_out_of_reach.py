"""A fleet that refuses, is elsewhere, or does not answer: one sentence, within the deadline."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.processes import COMMAND, ended, running, variables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEADLINE = "2"
KEY = {"VIAM_API_KEY_ID": "11111111-2222-4333-8444-555555555555", "VIAM_API_KEY": "a-key-that-nobody-may-see"}


async def check_failure(env: dict[str, str], *words: str, deadline: str = DEADLINE, **variables: str) -> None:
    """Commands that cannot reach their fleet say so in one sentence with these words, though a client is there."""
    env = {**env, **variables}
    async with (
        running(*COMMAND, "serve", "--timeout", deadline, env=env) as server,
        running(*COMMAND, "call", "list_organizations", "--timeout", deadline, env=env) as call,
    ):
        ends = await asyncio.gather(server.end(close=False), call.end(close=False))
    for end in ends:
        assert (end.code, end.stdout) == (1, "")
        assert end.stderr.count("\n") == 1, end.stderr
        assert env["VIAM_API_KEY"] not in end.stderr
        for word in words:
            assert word in end.stderr


@asynccontextmanager
async def listener(answer: bytes | None) -> AsyncIterator[str]:
    """The URL of a server that says this to everybody and hangs up, or with None listens for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_refused_key_is_told_so(fleet_env: dict[str, str]) -> None:
    await check_failure(fleet_env, "UNAUTHENTICATED", "Check the API key", VIAM_API_KEY=KEY["VIAM_API_KEY"])


async def test_a_host_that_does_not_exist_is_named(env: dict[str, str]) -> None:
    url = "http://nowhere.invalid:1"
    await check_failure(env, url, "Check the network and the URL", **KEY, VIAM_MCP_APP_URL=url)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["HTTP/1.1", "nothing"])
async def test_a_port_that_speaks_something_else_is_named(env: dict[str, str], answer: bytes) -> None:
    async with listener(answer) as url:
        # A port that closes is tried again a few times, which fits into this deadline however busy the machine is.
        await check_failure(env, "UNAVAILABLE", url, deadline="30", **KEY, VIAM_MCP_APP_URL=url)


async def test_a_port_that_says_nothing_is_given_up(env: dict[str, str]) -> None:
    async with listener(None) as url:
        words = ("DEADLINE_EXCEEDED", f"{url} did not answer within {DEADLINE} s")
        await check_failure(env, *words, **KEY, VIAM_MCP_APP_URL=url)


async def test_tls_to_a_plain_server_says_what_to_write_instead(fleet_env: dict[str, str]) -> None:
    url = fleet_env["VIAM_MCP_APP_URL"].replace("http://", "https://")
    await check_failure(fleet_env, "http://host:port", VIAM_MCP_APP_URL=url)


async def test_a_fleet_that_stops_answering_makes_error_results_until_it_goes_on(env: dict[str, str]) -> None:
    async with running(*COMMAND, "sandbox", env=env) as fleet:
        printed = variables("".join([await fleet.line() for _ in range(3)]))
        async with running(*COMMAND, "serve", "--timeout", DEADLINE, env={**env, **printed}) as server:
            await server.initialize()
            assert not (await server.call("list_organizations"))["isError"]
            fleet.signal(signal.SIGSTOP)
            stuck = await server.call("list_organizations")
            assert stuck["isError"]
            assert "DEADLINE_EXCEEDED" in stuck["content"][0]["text"]
            assert "Try again" in stuck["content"][0]["text"]
            fleet.signal(signal.SIGCONT)
            assert not (await server.call("list_organizations"))["isError"]
            end = await server.end()
    assert (end.code, end.stderr) == (0, "")


async def test_a_fleet_that_is_gone_makes_error_results_until_it_is_back(env: dict[str, str], tmp_path: Path) -> None:
    arguments = ("sandbox", "--state", f"{tmp_path}/fleet.sqlite")
    async with running(*COMMAND, *arguments, env=env) as fleet:
        printed = variables("".join([await fleet.line() for _ in range(3)]))
        async with running(*COMMAND, "serve", "--timeout", DEADLINE, env={**env, **printed}) as server:
            await server.initialize()
            assert not (await server.call("list_organizations"))["isError"]
            fleet.signal(signal.SIGKILL)
            await fleet.end(close=False)
            gone = await server.call("list_organizations")
            assert gone["isError"]
            assert "UNAVAILABLE" in gone["content"][0]["text"]
            port = printed["VIAM_MCP_APP_URL"].rpartition(":")[2]
            async with running(*COMMAND, *arguments, "--port", port, env=env) as again:
                await again.line()
                assert not (await server.call("list_organizations"))["isError"]


async def test_debug_shows_the_traceback_that_is_hidden_otherwise(env: dict[str, str]) -> None:
    nowhere = {**env, **KEY, "VIAM_MCP_APP_URL": "http://127.0.0.1:1"}
    end = await ended("call", "list_organizations", "--timeout", DEADLINE, "--debug", env=nowhere)
    assert end.code == 1
    assert "Traceback" in end.stderr
    assert KEY["VIAM_API_KEY"] not in end.stderr
