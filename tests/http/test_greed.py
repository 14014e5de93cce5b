"""Clients who want more than their share: others are served all the same."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.version import LATEST_MODERN_VERSION

from tests.http.certificate import make_certificate
from tests.http.site import Site, request, serving
from tests.pace import PATIENCE
from viam_mcp.calls import Kind, Limits
from viam_mcp.http import build_app, tls_context, transport_security
from viam_mcp.http import by_tokens as by_token_file
from viam_mcp.http._connections import room_for_connections
from viam_mcp.server._request_limit import limit_requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import httpx2

    from tests.http.conftest import Served
    from viam_mcp.assembly.options import Auth

META = {
    PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
    CLIENT_INFO_META_KEY: {"name": "greedy", "version": "0"},
    CLIENT_CAPABILITIES_META_KEY: {},
}


@pytest.fixture
def bob(new_token: Callable[..., str]) -> str:
    return new_token("bob")


class Holding:
    """An MCP server that answers what is asked by name once it may.

    Attributes:
        begun: Has an item for each request that began.
        release: Lets them end.
    """

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.release = asyncio.Event()
        self.server: Server[Any] = Server("holding", on_list_prompts=self._list, on_get_prompt=self._get)

    @asynccontextmanager
    async def served(self, token_file: Path, **options: Any) -> AsyncIterator[Site]:
        security = transport_security("127.0.0.1", authenticated=True)
        async with serving(build_app(self.server, security, by_token_file(token_file), **options)) as site:
            try:
                yield site
            finally:
                self.release.set()

    async def _list(self, ctx: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[])

    async def _get(self, ctx: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        self.begun.put_nowait(params.name)
        await self.release.wait()
        return types.GetPromptResult(messages=[])


@pytest.fixture
def holding() -> Holding:
    return Holding()


def modern(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the headers of a request of the 2026 era."""
    body = request(method, _meta=META | params.pop("meta", {}), **params)
    headers = {"mcp-protocol-version": LATEST_MODERN_VERSION, "mcp-method": method}
    return body, headers | ({"mcp-name": params["name"]} if "name" in params else {})


async def ask(site: Site, token: str, method: str, **params: Any) -> httpx2.Response:
    return await site.post(token, *modern(method, **params))


def raw(token: str, method: str, **params: Any) -> bytes:
    """The same as bytes."""
    body, headers = modern(method, **params)
    data = json.dumps(body).encode()
    lines = [
        "POST /mcp HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        f"content-length: {len(data)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def within(awaitable: Any, seconds: float = PATIENCE) -> Any:
    async with asyncio.timeout(seconds):
        return await awaitable


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def asked(site: Site, message: bytes, times: int) -> AsyncIterator[list[asyncio.Task[bytes]]]:
    """The beginnings of the answers to a message, sent on so many connections at once."""
    async with AsyncExitStack() as stack:
        connections = [await site.connect() for _ in range(times)]
        answers = []
        for reader, writer in connections:
            stack.push_async_callback(closed, writer)
            writer.write(message)
            answers.append(asyncio.create_task(reader.readuntil(b"\r\n")))
        try:
            yield answers
        finally:
            for answer in answers:
                answer.cancel()
            await asyncio.wait(answers)


# Bodies


async def test_a_body_gives_its_room_to_others_once_it_is_parsed(
    holding: Holding, token_file: Path, alice: str
) -> None:
    padding = {"padding": "x" * 60_000}
    async with (
        holding.served(token_file, limits=Limits().with_limit(Kind.ARRIVING_BYTES, in_all=100_000)) as site,
        asyncio.TaskGroup() as tasks,
    ):
        waiting = []
        for n in range(4):
            waiting.append(tasks.create_task(ask(site, alice, "prompts/get", name=str(n), meta=padding)))
            await within(holding.begun.get())
        holding.release.set()
    assert [one.result().status_code for one in waiting] == [200] * 4


async def test_a_caller_whose_requests_are_large_leaves_room_for_others(
    holding: Holding, token_file: Path, alice: str, bob: str
) -> None:
    padding, limits = {"padding": "x" * 60_000}, Limits().with_limit(Kind.HELD_BYTES, each=100_000)
    async with holding.served(token_file, limits=limits) as site, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ask(site, alice, "prompts/get", name="first", meta=padding))
        await within(holding.begun.get())
        refused = await ask(site, alice, "prompts/get", name="second", meta=padding)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "too large together" in refused.json()["error"]
        other = tasks.create_task(ask(site, bob, "prompts/get", name="third", meta=padding))
        await within(holding.begun.get())
        holding.release.set()
    assert [one.result().status_code for one in (first, other)] == [200, 200]


@pytest.mark.parametrize("values", [[[]] * 150_000, {str(n): 0 for n in range(250_000)}], ids=["lists", "members"])
async def test_a_body_of_too_many_values_is_not_parsed(site: Site, alice: str, values: Any) -> None:
    refused = await ask(site, alice, "prompts/list", meta={"values": values})
    assert refused.status_code == 413
    assert "more than 200000 values" in refused.json()["error"]


async def test_a_large_configuration_is_none_of_too_many_values(site: Site, alice: str) -> None:
    component = {"name": "arm", "attributes": {"pins": [1, 2, 3], "note": "x" * 100}, "depends_on": ["a", "b"]}
    answer = await ask(site, alice, "prompts/list", meta={"components": [component] * 5_000})
    assert answer.status_code == 200


async def test_others_are_answered_between_two_large_bodies(site: Site, alice: str, bob: str) -> None:
    large = raw(alice, "prompts/list", meta={"values": [1] * 190_000})
    async with asked(site, large, 8) as answers:
        await asyncio.wait(answers, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert (await ask(site, bob, "prompts/list")).status_code == 200
        assert any(answer.done() for answer in answers)
        assert not all(answer.done() for answer in answers)
        await asyncio.wait(answers, timeout=PATIENCE)
        assert {answer.result().split()[1] for answer in answers} == {b"200"}


# Requests that are no calls


async def test_others_are_answered_among_many_lists_of_one_caller(site: Site, alice: str, bob: str) -> None:
    async with asked(site, raw(alice, "tools/list"), 100) as answers:
        await asyncio.wait(answers, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert (await ask(site, bob, "prompts/list")).status_code == 200
        assert sum(answer.done() for answer in answers) < 75
        await asyncio.wait(answers, timeout=PATIENCE)
        assert {answer.result().split()[1] for answer in answers} == {b"200"}


async def test_so_many_requests_of_a_caller_are_in_at_once_and_the_others_wait(
    holding: Holding, token_file: Path, alice: str, bob: str
) -> None:
    holding.server.middleware.append(limit_requests(Limits().with_limit(Kind.REQUESTS, each=2)))
    async with holding.served(token_file) as site, asyncio.TaskGroup() as tasks:
        async with asked(site, raw(alice, "prompts/get", name="gone"), 2) as gone:
            for _ in gone:
                await within(holding.begun.get())
            waiting = [tasks.create_task(ask(site, alice, "prompts/get", name=f"alice {n}")) for n in range(3)]
            other = tasks.create_task(ask(site, bob, "prompts/get", name="bob"))
            assert await within(holding.begun.get()) == "bob"
        # A client that leaves makes room, and so does a request that is answered.
        for _ in range(2):
            assert (await within(holding.begun.get())).startswith("alice")
        holding.release.set()
    assert [one.result().status_code for one in (*waiting, other)] == [200] * 4


# Connections


async def test_a_client_that_never_reads_is_hung_up_on(served: Served, by_tokens: Auth, alice: str) -> None:
    loop = asyncio.get_running_loop()
    async with served(by_tokens, server={"stall_seconds": 0.2}) as site:
        with unread(site) as client, pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await loop.sock_sendall(client, raw(alice, "tools/list"))


def is_paused(protocol: Any) -> bool:
    """Whether uvicorn waits for the client of a connection to read."""
    return bool(protocol.flow.write_paused)


async def test_a_client_that_never_reads_does_not_hold_the_end_up(served: Served, by_tokens: Auth, alice: str) -> None:
    async with served(by_tokens, server={"stall_seconds": 2.0, "grace_seconds": 600}) as site:
        with unread(site) as client:
            await asyncio.get_running_loop().sock_sendall(client, raw(alice, "tools/list") * 200)
            async with asyncio.timeout(PATIENCE):
                # It is uvicorn that knows, and it tells nobody.
                while not any(is_paused(one) for one in site.server.server_state.connections):  # noqa: ASYNC110
                    await asyncio.sleep(0)
            site.server.stop()
            await within(asyncio.shield(site.running))


async def test_a_client_that_reads_what_it_gets_is_not_hung_up_on(served: Served, by_tokens: Auth, alice: str) -> None:
    async with served(by_tokens, server={"stall_seconds": 1.0}) as site:
        reader, writer = await site.connect()
        message = raw(alice, "tools/list")
        writer.write(message * 100 + message.replace(b"host:", b"connection: close\r\nhost:"))
        assert (await within(reader.read())).count(b"HTTP/1.1 200 ") == 101
        await closed(writer)


async def test_connections_that_there_is_no_room_for_are_closed(served: Served) -> None:
    async with (
        served(server={"limits": Limits().with_limit(Kind.CONNECTIONS, in_all=2)}) as site,
        AsyncExitStack() as stack,
    ):
        both = [await site.connect() for _ in range(2)]
        reader, writer = await site.connect()
        with suppress(ConnectionError):
            assert await within(reader.read()) == b""
        await closed(writer)
        for one, other in both:
            stack.push_async_callback(closed, other)
            other.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in await within(one.readuntil(b"\r\n"))
        both[0][1].write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await within(both[0][0].read())
        assert (await site.post()).status_code == 200


async def test_a_handshake_that_does_not_come_is_not_waited_for(served: Served, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    tls = tls_context(made.certificate, made.key)
    async with served(server={"tls": tls, "head_seconds": 0.2}) as site:
        reader, writer = await site.connect()
        with suppress(ConnectionError):
            assert await within(reader.read(), PATIENCE / 2) == b""
        await closed(writer)


def test_the_process_may_open_as_many_files_as_it_is_allowed_to() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        room = room_for_connections()
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert raised == (16_640 if hard == resource.RLIM_INFINITY else min(hard, 16_640))
        assert 0 < room < raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def unread(site: Site) -> socket.socket:
    """A connection with little room for what comes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    client.connect(("127.0.0.1", site.port))
    client.setblocking(False)
    return client
