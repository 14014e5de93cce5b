"""MCP over a pair of pipes: what is read, what is written, and which era of the protocol is served."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
import pytest
from mcp.server.lowlevel import Server

from tests.pace import PATIENCE
from viam_mcp.calls import Kind, Limits
from viam_mcp.server.stdio import serve
from viam_mcp.server.stdio._lines import lines_from, writer_to
from viam_mcp.server.stdio._stdio import _Exchange, _Incoming, _Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENVELOPE = {
    types.PROTOCOL_VERSION_META_KEY: "2026-07-28",
    types.CLIENT_INFO_META_KEY: {"name": "test", "version": "0"},
    types.CLIENT_CAPABILITIES_META_KEY: {},
}
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}


class Piped:
    """A client at the other end of two pipes."""

    def __init__(self, reader: asyncio.StreamReader, sink: int) -> None:
        self.reader = reader
        self._sink = sink

    def request(self, number: int | str, method: str, **params: Any) -> None:
        self.write({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    def notify(self, method: str, **params: Any) -> None:
        self.write({"jsonrpc": "2.0", "method": method, "params": params})

    def write(self, message: dict[str, Any]) -> None:
        os.write(self._sink, json.dumps(message).encode() + b"\n")

    async def answer(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.reader.readline())

    def close(self) -> None:
        os.close(self._sink)
        self._sink = -1


class Counting:
    """An MCP server that counts the requests it began, and answers them with long texts when it may."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.release = asyncio.Event()
        self.mcp: Server[Any] = Server("counting", on_list_tools=self._list, on_get_prompt=self._get)

    async def _list(self, ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[])

    async def _get(self, ctx: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        self.begun.append(params.name)
        await self.release.wait()
        return types.GetPromptResult(description="x" * 100_000, messages=[])


@asynccontextmanager
async def piped(server: Server[Any], most: int = 100) -> AsyncIterator[tuple[Piped, asyncio.Task[None]]]:
    """A client of a server, and the task that serves it."""
    (source, to), (out, sink) = os.pipe(), os.pipe()
    limits = Limits().with_limit(Kind.UNANSWERED, in_all=most)

    async def run() -> None:
        async with writer_to(sink) as writer, lines_from(source) as lines:
            with anyio.CancelScope() as scope:
                exchange = _Exchange(lines, writer, limits, scope)
                await serve(server, _Incoming(exchange), _Outgoing(exchange))

    reader = asyncio.StreamReader(limit=2**20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(out, "rb", 0)
    )
    task = asyncio.create_task(run())
    client = Piped(reader, to)
    try:
        yield client, task
    finally:
        task.cancel()
        await asyncio.wait({task})
        transport.close()
        for descriptor in (source, sink, client._sink):
            with suppress(OSError):
                os.close(descriptor)
        assert limits.idle


async def settled() -> None:
    """Let the loop do what it can."""
    for _ in range(200):
        await asyncio.sleep(0)


async def shake_hands(client: Piped) -> Any:
    client.request("hello", "initialize", **HANDSHAKE)
    answer = await client.answer()
    client.notify("notifications/initialized")
    return answer


async def test_no_more_requests_are_begun_than_may_be_unanswered() -> None:
    server = Counting()
    async with piped(server.mcp, most=3) as (client, _):
        await shake_hands(client)
        for number in range(10):
            client.request(number, "prompts/get", name=str(number))
        await settled()
        assert server.begun == ["0", "1", "2"]
        server.release.set()
        answers = [await client.answer() for _ in range(10)]
        assert sorted(answer["id"] for answer in answers) == list(range(10))


async def test_an_answer_that_nobody_reads_counts_as_none() -> None:
    server = Counting()
    server.release.set()
    async with piped(server.mcp, most=3) as (client, _):
        await shake_hands(client)
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(10):
            client.request(number, "prompts/get", name=str(number))
        await settled()
        assert len(server.begun) == 3
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(10):
            await client.answer()


async def test_a_request_that_its_client_cancels_makes_room() -> None:
    server = Counting()
    async with piped(server.mcp, most=2) as (client, _):
        await shake_hands(client)
        for number in range(2):
            client.request(number, "prompts/get", name=str(number))
        await settled()
        client.notify("notifications/cancelled", requestId=0)
        client.request(2, "prompts/get", name="2")
        await settled()
        assert server.begun == ["0", "1", "2"]


async def test_the_end_of_the_input_counts_while_there_is_no_room() -> None:
    server = Counting()
    async with piped(server.mcp, most=1) as (client, task):
        await shake_hands(client)
        for number in range(3):
            client.request(number, "prompts/get", name=str(number))
        client.close()
        async with asyncio.timeout(PATIENCE):
            await task
    assert server.begun == ["0"]


async def test_a_handshake_after_probes_is_served_in_the_era_of_the_handshake() -> None:
    async with piped(Counting().mcp) as (client, _):
        for number in range(2):
            client.request(number, "server/discover", _meta=ENVELOPE)
            assert "2026-07-28" in str((await client.answer())["result"])
        assert (await shake_hands(client))["result"]["protocolVersion"] == "2025-11-25"
        client.request(2, "tools/list")
        assert (await client.answer())["result"]["tools"] == []


async def test_a_handshake_that_does_not_wait_for_the_answer_to_a_probe_is_served_after_it() -> None:
    async with piped(Counting().mcp) as (client, _):
        client.request(1, "server/discover", _meta=ENVELOPE)
        client.request(2, "initialize", **HANDSHAKE)
        first, second = [await client.answer() for _ in range(2)]
        assert (first["id"], second["id"]) == (1, 2)
        assert second["result"]["protocolVersion"] == "2025-11-25"


async def test_a_probe_that_is_refused_is_a_probe_too() -> None:
    async with piped(Counting().mcp) as (client, _):
        client.request(1, "server/discover", _meta={**ENVELOPE, types.PROTOCOL_VERSION_META_KEY: "2099-01-01"})
        assert "error" in await client.answer()
        assert "result" in await shake_hands(client)


async def test_a_probe_that_was_cancelled_does_not_hold_the_handshake_up() -> None:
    server = Counting()

    async def hang(ctx: Any, call_next: Any) -> Any:
        if ctx.method == "server/discover":
            await server.release.wait()
        return await call_next(ctx)

    server.mcp.middleware.append(hang)
    async with piped(server.mcp) as (client, _):
        client.request(1, "server/discover", _meta=ENVELOPE)
        client.notify("notifications/cancelled", requestId=1)
        assert (await shake_hands(client))["id"] == "hello"


async def test_after_probes_the_later_era_goes_on_as_well() -> None:
    async with piped(Counting().mcp) as (client, _):
        client.request(1, "server/discover", _meta=ENVELOPE)
        await client.answer()
        client.request(2, "tools/list", _meta=ENVELOPE)
        assert (await client.answer())["result"]["tools"] == []
        # It is decided now.
        client.request(3, "initialize", **HANDSHAKE)
        assert (await client.answer())["error"]["code"] == types.UNSUPPORTED_PROTOCOL_VERSION


async def test_a_handshake_without_probes_is_served_at_once() -> None:
    async with piped(Counting().mcp) as (client, _):
        assert (await shake_hands(client))["result"]["protocolVersion"] == "2025-11-25"
        client.request(1, "tools/list", _meta=ENVELOPE)
        assert (await client.answer())["error"]["code"] == types.INVALID_REQUEST


@pytest.mark.parametrize("identifier", [1, "1"])
async def test_an_answer_has_the_id_of_its_request(identifier: int | str) -> None:
    async with piped(Counting().mcp) as (client, _):
        await shake_hands(client)
        client.request(identifier, "tools/list")
        assert (await client.answer())["id"] == identifier
