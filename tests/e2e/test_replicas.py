"""Several `viam-mcp serve --transport http` over one PostgreSQL server, alone and behind nginx and HAProxy."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.answers import text_in
from tests.e2e.processes import COMMAND, ended, environment, running, variables
from tests.pace import PATIENCE
from tests.store.server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

REPLICAS, CALLERS = 3, 4
SAMPLES = Path(__file__).parents[2] / "deploy"
pytestmark = pytest.mark.slow


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of replicas: a fleet of their own, one store, one key."""
    server = PostgresServer()
    home = environment(tmp_path)
    with subprocess.Popen([*COMMAND, "sandbox", "--port", "0"], stdout=subprocess.PIPE, env=home, text=True) as sandbox:
        assert sandbox.stdout
        fleet = variables("".join(sandbox.stdout.readline() for _ in range(3)))
        yield {**home, **fleet, "VIAM_MCP_STORE": server.url(), "VIAM_MCP_STATE_KEYS": "5a" * 32}
        sandbox.terminate()
    server.close()


@asynccontextmanager
async def replicas(env: dict[str, str], number: int = REPLICAS) -> AsyncIterator[tuple[list[str], list[str]]]:
    """Replicas, each with a state folder of its own; their URLs, and callers' tokens."""
    tokens = Path(env["HOME"]) / "tokens.toml"
    callers = []
    for name in range(CALLERS):
        end = await ended("token", "new", f"caller{name}", "--file", str(tokens), env=env)
        callers.append(end.stdout.strip())
    flags = ("--transport", "http", "--port", "0", "--auth", f"tokens:{tokens}", "--allowed-hosts", "127.0.0.1")
    urls = []
    async with AsyncExitStack() as stack:
        for replica in range(number):
            own = {**env, "XDG_STATE_HOME": f"{env['HOME']}/{replica}"}
            process = await stack.enter_async_context(running(*COMMAND, "serve", *flags, env=own))
            line = await process.line()
            assert line.startswith("viam-mcp serves http"), (line, (await process.end()).stderr)
            urls.append(line.split()[-1])
        yield urls, callers


@asynccontextmanager
async def connected(url: str, token: str, mode: Any, person: Any = None) -> AsyncIterator[Client]:
    # Each request is a connection of its own, so that a balancer may send it anywhere.
    limits = httpx2.Limits(max_keepalive_connections=0)
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE, limits=limits) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, elicitation_callback=person) as client,
    ):
        yield client


async def agrees(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"confirm": True})


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert result.structured_content is not None, text_in(result)
    return result.structured_content


async def new_machine(client: Client, name: str) -> str:
    organizations = await call(client, "list_organizations")
    locations = await call(client, "list_locations", org_id=organizations["organizations"][0]["id"])
    made = await call(client, "new_robot", name=name, location_id=locations["locations"][0]["id"])
    return str(next(iter(made.values())))


async def asked(client: Client, machine: str) -> str:
    """The id of the operation that a call leads to."""
    result = await client.call_tool("delete_robot", {"robot_id": machine})
    found = re.search(r"op-[0-9a-z]{4}-[0-9a-z]{4}", text_in(result))
    assert found, text_in(result)
    return found[0]


async def audit(env: dict[str, str], *words: str) -> list[Any]:
    end = await ended("audit", "export", *words, env=env)
    assert end.code == 0, end.stderr
    return [json.loads(line) for line in end.stdout.splitlines()]


async def test_what_is_asked_on_one_is_answered_on_another_and_runs_once(env: dict[str, str]) -> None:
    async with replicas(env) as (urls, callers), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(url, callers[0], "auto")) for url in urls]
        stranger = await stack.enter_async_context(connected(urls[1], callers[1], "auto"))
        machine = await new_machine(clients[0], "asked-on-one")
        operation = await asked(clients[0], machine)
        refused = await stranger.call_tool("confirm_operation", {"operation_id": operation})
        assert refused.is_error
        answers = await asyncio.gather(
            *(
                client.call_tool("confirm_operation", {"operation_id": operation})
                for client in clients
                for _ in range(3)
            )
        )
        assert [answer.is_error for answer in answers].count(False) == 1, [text_in(answer) for answer in answers]
    lines = await audit(env, "--operation", operation)
    assert [line["outcome"] for line in lines if line["outcome"] != "wrong answer"] == ["asked", "started", "done"]
    check = await ended("audit", "verify", env=env)
    assert check.code == 0, check.stdout


async def test_a_budget_is_one_for_all_replicas(env: dict[str, str], tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('confirm_via = "deny"\n[defaults]\ndestructive = "allow"\n[budget]\ndestructive_per_hour = 2\n')
    async with replicas({**env, "VIAM_MCP_POLICY": str(policy)}) as (urls, callers), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(url, callers[0], "auto")) for url in urls]
        outcomes = []
        for number, client in enumerate(clients):
            machine = await new_machine(client, f"machine-{number}")
            outcomes.append((await client.call_tool("delete_robot", {"robot_id": machine})).is_error)
    assert outcomes == [False, False, True]


@pytest.mark.parametrize("balancer", ["nginx", "haproxy"])
async def test_behind_a_balancer_clients_of_both_eras_have_everything(
    env: dict[str, str], tmp_path: Path, balancer: str
) -> None:
    if shutil.which(balancer, path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip(f"{balancer} is not installed")
    async with replicas(env) as (urls, callers), balanced(balancer, urls, tmp_path) as url:

        async def confirms(number: int, token: str, mode: Any, person: Any) -> None:
            async with connected(url, token, mode, person) as client:
                machine = await new_machine(client, f"machine-{number}-{mode}-{person is None}")
                if person is None:
                    operation = await asked(client, machine)
                    result = await client.call_tool("confirm_operation", {"operation_id": operation})
                else:
                    result = await client.call_tool("delete_robot", {"robot_id": machine})
                assert not result.is_error, text_in(result)

        ways = (("legacy", agrees), ("legacy", None), ("auto", agrees), ("auto", None))
        await asyncio.gather(
            *(confirms(number, token, mode, person) for number, token in enumerate(callers) for mode, person in ways)
        )
    done = [line for line in await audit(env, "--tool", "delete_robot") if line["outcome"] == "done"]
    assert len(done) == CALLERS * len(ways)
    check = await ended("audit", "verify", env=env)
    assert check.code == 0, check.stdout


@asynccontextmanager
async def balanced(balancer: str, urls: list[str], folder: Path) -> AsyncIterator[str]:
    """A balancer before the replicas, with the sample of `deploy/`; the URL that it serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (_nginx if balancer == "nginx" else _haproxy)(urls, port, folder)
    path = f"{os.environ['PATH']}:/usr/sbin"
    with (folder / "balancer.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env={"PATH": path})
    try:
        async with asyncio.timeout(PATIENCE), httpx2.AsyncClient() as http:
            while True:
                try:
                    if (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                        break
                except httpx2.HTTPError:
                    assert process.returncode is None, (folder / "balancer.log").read_text()
                await asyncio.sleep(0.02)
            assert (await http.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


def _nginx(urls: list[str], port: int, folder: Path) -> list[str]:
    sample = (SAMPLES / "nginx-replicas.conf").read_text()
    for number, url in enumerate(urls, start=1):
        sample = sample.replace(f"10.0.0.{number}:8000", _host(url))
    sample = re.sub(r"(?m)^ *ssl_.*\n", "", sample).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    assert "10.0.0" not in sample
    user = "user root;\n" if not os.geteuid() else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\n{sample}\n}}\n"
    )
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"]


def _haproxy(urls: list[str], port: int, folder: Path) -> list[str]:
    sample = (SAMPLES / "haproxy-replicas.cfg").read_text()
    for number, url in enumerate(urls, start=1):
        sample = sample.replace(f"10.0.0.{number}:8000", _host(url))
    sample = re.sub(r"bind :443 ssl crt \S+", f"bind 127.0.0.1:{port}", sample)
    assert "10.0.0" not in sample
    (folder / "haproxy.cfg").write_text(sample)
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


def _host(url: str) -> str:
    return url.removeprefix("http://").removesuffix("/mcp")
