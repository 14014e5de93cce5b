"""Many clients of the 2026 era at once, each with a connection of its own and nothing in between.

The SDK's client costs more than the servers that are compared, so this one writes bytes and reads bytes.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VERSION = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True)
class Address:
    """Where a server is reached."""

    host: str
    port: int


@dataclass(frozen=True)
class Load:
    """What came of a load.

    Attributes:
        seconds: From the first call to the last answer.
        latencies: Of each call, in seconds.
    """

    seconds: float
    latencies: Sequence[float]

    @property
    def per_call(self) -> float:
        """Seconds of the server for one call: the reverse of its throughput."""
        return self.seconds / len(self.latencies)

    @property
    def p99(self) -> float:
        """What one call in a hundred takes or more."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


@contextmanager
def http_server(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Address]:
    """An MCP server over HTTP in a process of its own, which prints its URL when it listens.

    Raises:
        RuntimeError: It ended before that; what it wrote to stderr is there to read.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            if "//" not in line:
                said = f"printed {line!r} in place of its URL" if line else f"ended with {process.wait()}"
                raise RuntimeError(f"the server {shlex.join(command)!r} did not start: it {said}; stderr says why.")
            host, _, port = line.split("//", 1)[1].partition("/")[0].partition(":")
            yield Address(host, int(port))
        finally:
            process.terminate()


def request(address: Address, tool: str, **arguments: object) -> bytes:
    """The bytes of a call."""
    params = {"name": tool, "arguments": arguments, "_meta": _META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: {VERSION}\r\n"
        f"Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(address: Address, question: bytes, callers: int, calls: int) -> Load:
    """Let some callers make so many calls together, one after the other each."""
    return asyncio.run(_load(address, question, callers, calls))


def answer(address: Address, question: bytes) -> Any:
    """The result of one call.

    Raises:
        RuntimeError: It is an error.
    """

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        found = await _ask(reader, writer, question)
        writer.close()
        return found

    result = json.loads(asyncio.run(ask()))
    if "result" not in result or result["result"].get("isError"):
        raise RuntimeError(f"the call failed: {result}")
    return result["result"]


async def _load(address: Address, question: bytes, callers: int, calls: int) -> Load:
    connections = [await asyncio.open_connection(address.host, address.port) for _ in range(callers)]
    latencies: list[float] = []

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(calls // callers):
            begun = time.perf_counter()
            found = await _ask(reader, writer, question)
            latencies.append(time.perf_counter() - begun)
            if b'"isError":true' in found.replace(b" ", b"") or b'"error"' in found:
                raise RuntimeError(f"a call failed under load: {found[:500]!r}")
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(call(*connection) for connection in connections))
    return Load(time.perf_counter() - begun, latencies)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> bytes:
    writer.write(question)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    if not length:
        raise RuntimeError(f"an answer without a length: {head!r}")
    return await reader.readexactly(int(length))
