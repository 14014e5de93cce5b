"""`viam-mcp serve --transport http` as a process, and the tokens for it."""

from __future__ import annotations

import asyncio
import json
import signal
import tomllib
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.processes import COMMAND, Running, ended, running
from tests.pace import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.sandbox.rows.store import FleetStore

SERVE = (*COMMAND, "serve", "--transport", "http", "--port", "0")


@asynccontextmanager
async def served(env: dict[str, str], *flags: str) -> AsyncIterator[tuple[Running, str]]:
    """The process, and the URL that it says it serves."""
    async with running(*SERVE, *flags, env=env) as process:
        said = await process.line()
        assert said.startswith("viam-mcp serves http://127.0.0.1:")
        yield process, said.split()[-1]


async def new_token(env: dict[str, str], *arguments: str) -> str:
    end = await ended("token", "new", *arguments, env=env)
    assert end.code == 0, end.stderr
    return end.stdout.strip()


def default_file(env: dict[str, str]) -> Path:
    return Path(env["XDG_STATE_HOME"]) / "viam-mcp" / "tokens.toml"


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@asynccontextmanager
async def connected(url: str, token: str, mode: Any) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def posting(http: httpx2.AsyncClient, url: str, session: str, method: str, **params: Any) -> Any:
    """A request of the 2025 era, whose answer is a stream."""
    headers = {"accept": "application/json, text/event-stream", **({"mcp-session-id": session} if session else {})}
    body = {"jsonrpc": "2.0", "id": method, "method": method, "params": params}
    async with http.stream("POST", url, json=body, headers=headers) as stream:
        yield stream


def message_in(body: bytes) -> Any:
    lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: ")]
    return json.loads(lines[-1])


async def test_a_token_is_printed_once_and_lets_its_holder_in(fleet_env: dict[str, str]) -> None:
    end = await ended("token", "new", "alice", "--scopes", "viam:read", "--toolsets", "organizations", env=fleet_env)
    file = default_file(fleet_env)
    token = end.stdout.strip()
    assert end.stdout == f"{token}\n"
    assert token not in end.stderr
    assert f"--auth tokens:{file}" in end.stderr
    assert mode_of(file) == 0o600
    async with served(fleet_env, "--auth", f"tokens:{file}") as (process, url):
        async with connected(url, token, "auto") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "list_organizations" in names
            assert "list_robots" not in names
            assert not (await client.call_tool("list_organizations", {})).is_error
        process.signal(signal.SIGTERM)
        end = await process.end(close=False)
    assert (end.code, end.stdout, end.stderr) == (0, "", "")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_no_credential_is_in_the_log_that_debugging_writes(
    fleet_env: dict[str, str], demo_fleet: FleetStore, tmp_path: Path, mode: Any
) -> None:
    part = demo_fleet.value("SELECT id FROM parts WHERE name = 'picker-01-main'")
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rules]]\ntools = ["get_robot_part"]\naction = "allow"\nsecrets = "reveal"\n')
    token = await new_token(fleet_env, "alice")
    flags = ("--debug", "--policy", str(policy), "--auth", f"tokens:{default_file(fleet_env)}")
    async with served(fleet_env, *flags) as (process, url):
        async with connected(url, token, mode) as client:
            await client.list_tools()
            answer = await client.call_tool("get_robot_part", {"robot_part_id": part})
            secret = answer.structured_content["part"]["robot_config"]["cloud"]["secret"]
            assert secret != "[redacted]"
        process.signal(signal.SIGTERM)
        end = await process.end(close=False)
    assert "viam_mcp.server: 'tools/call'" in end.stderr, "it was to log more than usual"
    for credential in (secret, token, fleet_env["VIAM_API_KEY"]):
        assert credential not in end.stderr


@pytest.mark.parametrize(
    "flag", ["--file", "--scopes", "--toolsets", "--policy", "--api-key-id", "--api-key-env", "--api-key-file"]
)
@pytest.mark.parametrize("value", ["", " "])
async def test_a_value_that_a_shell_left_empty_makes_no_token(env: dict[str, str], flag: str, value: str) -> None:
    await refused_token(env, flag, value, reason=f"{flag} is empty: give ")


@pytest.mark.parametrize("flag", ["--scopes", "--toolsets"])
@pytest.mark.parametrize("value", [",", "viam:read,,", ",machines"])
async def test_a_list_with_a_name_missing_makes_no_token(env: dict[str, str], flag: str, value: str) -> None:
    await refused_token(env, flag, value, reason=f"{flag}: expected names separated by commas, got {value!r}.")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", ".a", "a/b", "ä", "a" * 65])
async def test_a_token_for_no_name_says_what_a_name_looks_like(env: dict[str, str], name: str) -> None:
    end = await ended("token", "new", "--", name, env=env)
    expected = "expected 1 to 64 letters, digits and any of . _ @ - with a letter or digit first.\n"
    assert (end.code, end.stdout, end.stderr) == (1, "", f"viam-mcp token: the new token: name: {expected}")
    assert not default_file(env).exists()


async def refused_token(env: dict[str, str], *flags: str, reason: str) -> None:
    """A token is not made: one sentence says why, and nothing is written."""
    end = await ended("token", "new", "bob", *flags, env=env)
    assert (end.code, end.stdout, end.stderr.count("\n")) == (1, "", 1)
    assert end.stderr.startswith(f"viam-mcp token: {reason}")
    assert not default_file(env).exists()


async def test_a_token_has_all_that_it_was_given(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('confirm_via = "deny"\n')
    flags = {
        "--file": "team.toml",
        "--scopes": "viam:read",
        "--toolsets": "machines,parts",
        "--policy": "policy.toml",
        "--api-key-id": "id-of-a-key",
        "--api-key-file": "alice.key",
    }
    words = [word for pair in flags.items() for word in pair]
    end = await ended("token", "new", "alice", *words, env=env, cwd=tmp_path)
    assert end.code == 0, end.stderr
    (entry,) = tomllib.loads((tmp_path / "team.toml").read_text())["tokens"]
    assert entry == {
        "name": "alice",
        "sha256": sha256(end.stdout.strip().encode()).hexdigest(),
        "scopes": ["viam:read"],
        "toolsets": ["machines", "parts"],
        "policy": str(tmp_path / "policy.toml"),
        "api_key_id": "id-of-a-key",
        "api_key_file": str(tmp_path / "alice.key"),
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well_with_a_call_that_runs_and_clients_that_wait(
    fleet_env: dict[str, str], number: signal.Signals
) -> None:
    async with served(fleet_env) as (process, url), httpx2.AsyncClient(timeout=PATIENCE) as http:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}
        async with posting(http, url, "", "initialize", **hello) as opened:
            session = opened.headers["mcp-session-id"]
            await opened.aread()
        part = await some_part(http, url, session)
        call = {
            "name": "tail_robot_part_logs",
            "arguments": {"robot_part_id": part, "wait_seconds": 2, "filter": "nothing says this"},
        }
        async with (
            connected(url, "nobody-asks", "auto") as client,
            client.listen(resource_subscriptions=[f"viam://parts/{part}/logs?filter=nothing%20says%20this"]) as events,
            http.stream("GET", url, headers={"accept": "text/event-stream", "mcp-session-id": session}) as standing,
            posting(http, url, session, "tools/call", **call) as calling,
        ):
            assert (standing.status_code, calling.status_code) == (200, 200)
            process.signal(number)
            async with asyncio.timeout(PATIENCE):
                # Each has its proper end: one that was cut off would raise something else.
                with pytest.raises(StopAsyncIteration):
                    await anext(events)
                assert await standing.aread() == b""
                assert message_in(await calling.aread())["result"]["isError"] is False
        end = await process.end(close=False)
    assert (end.code, end.stdout, end.stderr) == (0, "", "")


async def some_part(http: httpx2.AsyncClient, url: str, session: str) -> str:
    async def call(name: str, **arguments: Any) -> Any:
        async with posting(http, url, session, "tools/call", name=name, arguments=arguments) as stream:
            return message_in(await stream.aread())["result"]["structuredContent"]

    for organization in (await call("list_organizations"))["organizations"]:
        for location in (await call("list_locations", org_id=organization["id"]))["locations"]:
            for robot in (await call("list_robots", location_id=location["id"]))["robots"]:
                return str((await call("get_robot_parts", robot_id=robot["id"]))["parts"][0]["id"])
    raise AssertionError("the demo fleet has no machine")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--host", "0.0.0.0"), "give --allowed-hosts"),
        (("--allowed-hosts", "fleet.example.com"), "--auth none lets in everybody who reaches it"),
        (("--auth", "oauth"), "--auth oauth needs --oauth-issuer"),
        (("--auth", "tokens:missing.toml"), "missing.toml cannot be read"),
        (("--allowed-hosts", ","), "--allowed-hosts: expected names separated by commas, got ','"),
        (("--toolsets", ","), "--toolsets: expected names separated by commas, got ','"),
        (("--auth", "basic"), "--auth: expected none, tokens:FILE or oauth, got 'basic'"),
        (("--tls-cert", "missing.pem"), "missing.pem"),
        (("--policy", "missing.toml"), "missing.toml"),
        (("--store", "/dev"), "--store: /dev cannot be written: Is a directory."),
        (("--store", "/"), "names no file"),
        (("--store", "/dev/null/state.db"), "cannot be written: Not a directory."),
        (("--store", "mysql://me:hush@host/db"), "the address of the store cannot be used"),
        (("--audit-log", "https://host/"), "goes to a file or to -"),
        (("--files-dir", "/nowhere"), "/nowhere"),
        (("--credentials", "viam-cli"), "is the login of one person"),
        (("--toolsets", "nosuch"), "There is no toolset 'nosuch'"),
    ],
)
async def test_what_cannot_be_served_stops_the_start_with_one_sentence(
    fleet_env: dict[str, str], flags: tuple[str, ...], reason: str
) -> None:
    await refused_start(fleet_env, *flags, reason=reason)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"VIAM_API_KEY": "", "VIAM_API_KEY_ID": ""}, "There are no credentials"),
        ({"VIAM_MCP_STATE_KEYS": "abcd"}, "fewer than 32 bytes"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "install viam-mcp[otel]"),
    ],
)
async def test_variables_that_cannot_be_used_stop_the_start_with_one_sentence(
    fleet_env: dict[str, str], variables: dict[str, str], reason: str
) -> None:
    await refused_start({**fleet_env, **variables}, reason=reason)


async def refused_start(env: dict[str, str], *flags: str, reason: str) -> None:
    """A server does not start: one sentence says why, and nobody is told that it serves."""
    end = await ended("serve", "--transport", "http", "--port", "0", *flags, env=env)
    assert (end.code, end.stdout, end.stderr.count("\n")) == (1, "", 1)
    assert reason in end.stderr
