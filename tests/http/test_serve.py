"""The web server itself: its end, clients that take their time, and TLS."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from tests.http.certificate import make_certificate
from tests.http.site import JSON_HEADERS, Site, serving
from tests.pace import PATIENCE
from viam_mcp.calls import Kind, Limits
from viam_mcp.http import HttpError, build_app, listen, tls_context, transport_security

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.conftest import Mode
    from tests.http.conftest import Served
    from viam_mcp.sandbox import Sandbox

HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"


class Waiting:
    """An MCP server whose one tool waits until it may return.

    Attributes:
        began: Set when a call has begun.
        release: Lets calls return.
        ended: How calls ended.
    """

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.release = asyncio.Event()
        self.ended: list[str] = []
        self.server: Server[Any] = Server(
            "waiting",
            on_list_tools=self._list,
            on_call_tool=self._call,
            get_tool_input_schema=lambda name: {"type": "object"},
        )

    @asynccontextmanager
    async def served(
        self, *, body_seconds: float = 30, arriving_bytes: int = 2**27, **options: Any
    ) -> AsyncIterator[Site]:
        security = transport_security("127.0.0.1", authenticated=False)
        limits = Limits().with_limit(Kind.ARRIVING_BYTES, in_all=arriving_bytes)
        front = build_app(self.server, security, body_seconds=body_seconds, limits=limits)
        async with serving(front, on_stop=[front.close], **options) as site:
            yield site

    async def _list(self, ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="wait", input_schema={"type": "object"})])

    async def _call(self, ctx: Any, params: Any) -> types.CallToolResult:
        self.began.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            self.ended.append("cancelled")
            raise
        self.ended.append("returned")
        return types.CallToolResult(content=[types.TextContent(text="waited")])


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


async def refusing(site: Site) -> None:
    """Wait until nothing listens any more."""
    while True:
        try:
            _, writer = await site.connect()
        except ConnectionRefusedError:
            return
        except ConnectionError:
            continue  # it closes just now
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def within(seconds: float, awaitable: Any) -> Any:
    async with asyncio.timeout(seconds):
        return await awaitable


# The end


async def test_a_running_call_finishes_after_the_server_is_told_to_stop(waiting: Waiting, mode: Mode) -> None:
    async with waiting.served() as site, site.client(mode) as client:
        # The client reads the tool's schema first, or it would want to do so once it has the answer.
        await client.list_tools()
        call = asyncio.create_task(client.call_tool("wait", {}))
        await within(PATIENCE, waiting.began.wait())
        site.server.stop()
        await within(PATIENCE, refusing(site))
        assert not call.done()
        waiting.release.set()
        (content,) = (await within(PATIENCE, call)).content
        assert content.text == "waited"
        await within(PATIENCE, asyncio.shield(site.running))
    assert waiting.ended == ["returned"]


async def test_a_call_that_outlasts_the_grace_is_cancelled_and_the_server_ends(waiting: Waiting, mode: Mode) -> None:
    async with waiting.served(grace_seconds=1) as site, site.client(mode) as client:
        call = asyncio.create_task(client.call_tool("wait", {}))
        await within(PATIENCE, waiting.began.wait())
        site.server.stop()
        await within(PATIENCE, asyncio.shield(site.running))
        assert waiting.ended == ["cancelled"]
        call.cancel()
        await asyncio.wait({call})


async def test_told_twice_the_server_does_not_wait_for_calls(waiting: Waiting, mode: Mode) -> None:
    async with waiting.served(grace_seconds=600) as site, site.client(mode) as client:
        call = asyncio.create_task(client.call_tool("wait", {}))
        await within(PATIENCE, waiting.began.wait())
        site.server.stop()
        site.server.stop()
        await within(PATIENCE, asyncio.shield(site.running))
        assert waiting.ended == ["cancelled"]
        call.cancel()
        await asyncio.wait({call})


async def test_a_subscription_is_ended_and_not_cut_off(served: Served, sandbox: Sandbox) -> None:
    part = sandbox.store.value("SELECT id FROM parts LIMIT 1")
    async with served(server={"grace_seconds": 600}) as site, site.client("auto") as client:
        async with client.listen(resource_subscriptions=[f"viam://parts/{part}/logs"]) as events:
            site.server.stop()
            # An end that was not said would raise something else.
            with pytest.raises(StopAsyncIteration):
                await within(PATIENCE, anext(events))
        await within(PATIENCE, asyncio.shield(site.running))


async def test_an_open_tail_answers_when_the_server_is_told_to_stop(
    served: Served, sandbox: Sandbox, mode: Mode
) -> None:
    part = sandbox.store.value("SELECT id FROM parts LIMIT 1")
    arguments = {"robot_part_id": part, "wait_seconds": 50, "filter": "nothing says this"}
    async with served(server={"grace_seconds": 600}) as site, site.client(mode) as client:
        await client.list_tools()
        tail = asyncio.create_task(client.call_tool("tail_robot_part_logs", arguments))
        async with asyncio.timeout(PATIENCE):
            while not sandbox.calls["TailRobotPartLogs"]:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        site.server.stop()
        result = await within(PATIENCE / 2, tail)
        assert not result.is_error
        assert result.structured_content["next_cursor"]
        await within(PATIENCE, asyncio.shield(site.running))


async def test_a_subscription_that_comes_while_the_server_stops_is_refused(served: Served) -> None:
    async with served(server={"grace_seconds": 600}) as site, site.client("auto") as client:
        site.server.stop()
        with pytest.raises(MCPError, match="This server stops"):
            async with client.listen(tools_list_changed=True):
                pass
        await within(PATIENCE, asyncio.shield(site.running))


async def test_the_stream_that_a_client_of_the_2025_era_waits_on_is_ended_and_not_cut_off(served: Served) -> None:
    async with (
        served(server={"grace_seconds": 600}) as site,
        httpx2.AsyncClient(timeout=PATIENCE) as http,
    ):
        session = {"mcp-session-id": (await site.post()).headers["mcp-session-id"]}
        async with http.stream("GET", site.url, headers={**JSON_HEADERS, **session}) as stream:
            assert stream.status_code == 200
            site.server.stop()
            # A body without its end would raise.
            assert await within(PATIENCE, stream.aread()) == b""
        await within(PATIENCE, asyncio.shield(site.running))


async def test_connections_that_nothing_is_asked_on_do_not_hold_the_end_up(served: Served) -> None:
    async with served(server={"grace_seconds": 600}) as site, httpx2.AsyncClient() as http:
        await http.get(site.base)
        reader, writer = await site.connect()
        site.server.stop()
        assert await within(PATIENCE, reader.read()) == b""
        await within(PATIENCE, asyncio.shield(site.running))
        writer.close()
        await writer.wait_closed()


# Clients that take their time


async def dripping(writer: asyncio.StreamWriter, answer: asyncio.Task[bytes], drops: Iterator[bytes]) -> bytes:
    """What a server answers before it closes the connection of a client that sends a little now and then."""
    async with asyncio.timeout(PATIENCE):
        while not answer.done():
            with suppress(ConnectionError):
                writer.write(next(drops))
                await writer.drain()
            await asyncio.wait({answer}, timeout=0.02)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return answer.result()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    data = b""
    with suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            data += chunk
    return data


def endless(data: bytes) -> Iterator[bytes]:
    while True:
        yield data


async def test_a_connection_on_which_no_request_arrives_is_closed(served: Served) -> None:
    async with served(server={"head_seconds": 0.2}) as site:
        reader, writer = await site.connect()
        assert await within(PATIENCE, reader.read()) == b""
        writer.close()
        await writer.wait_closed()


async def test_a_head_that_drips_is_not_waited_for(served: Served) -> None:
    async with served(server={"head_seconds": 0.2}) as site:
        reader, writer = await site.connect()
        writer.write(HEAD)
        assert await dripping(writer, asyncio.create_task(all_of(reader)), endless(b"X: y\r\n")) == b""


async def test_the_head_of_a_second_request_is_not_waited_for_either(served: Served) -> None:
    async with served(server={"head_seconds": 0.2}) as site:
        reader, writer = await site.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"404" in await within(PATIENCE, reader.readuntil(b"\r\n\r\n"))
        assert b"HTTP" not in await dripping(writer, asyncio.create_task(all_of(reader)), endless(b"X"))


@pytest.mark.parametrize("method", [b"POST", b"GET", b"DELETE"])
async def test_a_body_that_drips_is_refused(waiting: Waiting, method: bytes) -> None:
    async with waiting.served(body_seconds=0.2) as site:
        reader, writer = await site.connect()
        writer.write(HEAD.replace(b"POST", method) + JSON + b"Content-Length: 100000\r\n\r\n")
        answer = await dripping(writer, asyncio.create_task(all_of(reader)), endless(b" "))
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_the_body_of_a_caller_who_is_not_let_in_is_not_waited_for(site: Site) -> None:
    # The limit on heads counts from the answer on, which comes at once.
    reader, writer = await site.connect()
    writer.write(HEAD + JSON + b"Content-Length: 100000\r\n\r\n")
    assert b" 401 " in await within(PATIENCE, reader.readuntil(b"\r\n"))
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_connection_whose_body_nobody_reads_is_closed(served: Served) -> None:
    async with served(server={"head_seconds": 0.2}) as site:
        reader, writer = await site.connect()
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        answer = await dripping(writer, asyncio.create_task(all_of(reader)), endless(b" "))
        assert answer.startswith(b"HTTP/1.1 404 ")


async def test_bodies_that_there_is_no_room_for_are_refused_until_others_are_done(waiting: Waiting) -> None:
    async with waiting.served(arriving_bytes=100_000) as site, AsyncExitStack() as stack:
        answers = []
        for _ in range(2):
            reader, writer = await site.connect()
            stack.push_async_callback(closed, writer)
            # The last byte of each is never sent.
            writer.write(HEAD + JSON + b"Content-Length: 60001\r\n\r\n" + b" " * 60_000)
            answers.append(asyncio.create_task(reader.readuntil(b"\r\n")))
        # Which of them came too late is not said; the other one waits on.
        done, (other,) = await asyncio.wait(answers, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert [b" 503 " in answer.result() for answer in done] == [True]
        assert (await site.post()).status_code == 200
        other.cancel()
        await asyncio.wait({other})
    async with waiting.served(arriving_bytes=100_000) as site:
        for _ in range(3):
            answer = await site.post(body={"no": "request", "padding": " " * 60_000})
            assert answer.status_code == 400


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_call_may_take_longer_than_its_request_may(waiting: Waiting, mode: Mode) -> None:
    async with waiting.served(head_seconds=0.2, body_seconds=0.2) as site, site.client(mode) as client:
        call = asyncio.create_task(client.call_tool("wait", {}))
        await within(PATIENCE, waiting.began.wait())
        # By the time that these are over, both limits have passed for the call as well.
        reader, writer = await site.connect()
        assert await within(PATIENCE, reader.read()) == b""
        slow_reader, slow_writer = await site.connect()
        slow_writer.write(HEAD + JSON + b"Content-Length: 100000\r\n\r\n")
        assert b" 408 " in await within(PATIENCE, slow_reader.readuntil(b"\r\n"))
        waiting.release.set()
        assert not (await within(PATIENCE, call)).is_error
        for one in (writer, slow_writer):
            one.close()
            with suppress(ConnectionError):
                await one.wait_closed()


async def test_a_client_that_leaves_has_its_call_cancelled(waiting: Waiting) -> None:
    async with waiting.served() as site:
        async with site.client("auto") as client:
            call = asyncio.create_task(client.call_tool("wait", {}))
            await within(PATIENCE, waiting.began.wait())
            call.cancel()
            await asyncio.wait({call})
        site.server.stop()
        await within(PATIENCE, asyncio.shield(site.running))
    assert waiting.ended == ["cancelled"]


# Addresses and TLS


def test_an_address_that_is_taken_is_said_in_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HttpError, match=rf"^cannot listen on 127\.0\.0\.1 port {port}: Address already in use\.$"):
            listen("127.0.0.1", port)


def test_an_address_of_another_computer_is_not_listened_on() -> None:
    with pytest.raises(HttpError, match=r"^cannot listen on 203\.0\.113\.1 port 0: Cannot assign"):
        listen("203.0.113.1", 0)


async def test_tls_is_spoken_with_the_certificate_that_was_given(served: Served, tmp_path: Path, mode: Mode) -> None:
    made = make_certificate(tmp_path)
    async with served(server={"tls": tls_context(made.certificate, made.key)}) as site:
        assert site.base.startswith("https://")
        async with site.client(mode, verify=made.trusted()) as client:
            assert not (await client.call_tool("list_organizations", {})).is_error
        async with httpx2.AsyncClient() as distrustful:
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await distrustful.get(site.url)
            with pytest.raises(httpx2.HTTPError):
                await distrustful.get(site.url.replace("https:", "http:"))


def test_a_key_in_the_certificates_file_is_found(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
    assert tls_context(both, None) is not None


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_context(None, None) is None


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        (None, "server.key", r"--tls-key needs --tls-cert"),
        ("missing.pem", "server.key", r"missing\.pem.*: No such file or directory"),
        ("server.pem", "missing.key", r"missing\.key: No such file or directory"),
        ("server.pem", None, r"not PEM, or a key with a passphrase|PEM lib"),
        ("server.pem", "other.key", r"KEY_VALUES_MISMATCH|key values mismatch"),
        ("server.key", "server.key", r"--tls-cert .*server\.key"),
        ("locked.pem", "locked.key", r"--tls-cert .*locked\.pem"),
    ],
)
def test_a_certificate_that_cannot_be_used_stops_the_start(
    tmp_path: Path, certificate: str | None, key: str | None, reason: str
) -> None:
    make_certificate(tmp_path)
    make_certificate(tmp_path, "other")
    make_certificate(tmp_path, "locked", b"secret")
    files = [None if name is None else tmp_path / name for name in (certificate, key)]
    with pytest.raises(HttpError, match=reason):
        tls_context(*files)
