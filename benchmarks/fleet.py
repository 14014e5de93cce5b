"""The fleet that everything is measured on: the demo fleet and a thousand machines more.

It runs in a process of its own, and answers what it was asked before with the bytes that it answered
then: its own work is the same for everybody and would only hide the differences.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler
from grpclib.encoding.base import CodecBase
from grpclib.server import Server

from tests.ports import port_of
from viam_mcp.sandbox import Sandbox, open_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grpclib.server import Stream

    from viam_mcp.sandbox.rows.store import FleetStore

MACHINES = 1_000
LOCATION = "Thousand Machines"


@contextmanager
def running_fleet() -> Iterator[Mapping[str, str]]:
    """The fleet served inside the block; the variables that a client needs."""
    command = [sys.executable, "-m", "benchmarks.fleet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield dict(process.stdout.readline().rstrip().split("=", 1) for _ in range(3))
        finally:
            process.terminate()


class _Bytes(CodecBase):
    """Messages as they travel."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: type) -> bytes:
        return message

    def decode(self, data: bytes, message_type: type) -> bytes:
        return data


class _Replay:
    """Every unary rpc of a fleet, asked once for each request and answered from memory after that."""

    def __init__(self, sandbox: Sandbox) -> None:
        address = urlsplit(sandbox.url)
        self._channel = Channel(address.hostname, address.port, codec=_Bytes())
        self._paths = list(sandbox.__mapping__())
        self._answers: dict[tuple[str, bytes], bytes] = {}

    def __mapping__(self) -> dict[str, Handler]:
        return {path: Handler(self._handler(path), Cardinality.UNARY_UNARY, bytes, bytes) for path in self._paths}

    def _handler(self, path: str) -> Any:
        ask: UnaryUnaryMethod[bytes, bytes] = UnaryUnaryMethod(self._channel, path, bytes, bytes)

        async def handle(stream: Stream[bytes, bytes]) -> None:
            request = await stream.recv_message()
            assert request is not None
            answer = self._answers.get((path, request))
            if answer is None:
                answer = await ask(request, metadata=stream.metadata)
                self._answers[path, request] = answer
            await stream.send_message(answer)

        return handle

    def close(self) -> None:
        self._channel.close()


async def _serve() -> None:
    store = open_fleet()
    with store.transaction():
        _add_machines(store)
    async with Sandbox.start(store) as sandbox:
        replay = _Replay(sandbox)
        server = Server([replay], codec=_Bytes())
        await server.start("127.0.0.1", 0)
        print(f"VIAM_MCP_APP_URL=http://127.0.0.1:{port_of(server)}")
        print(f"VIAM_API_KEY_ID={sandbox.api_key_id}")
        print(f"VIAM_API_KEY={sandbox.api_key}", flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        server.close()
        replay.close()


def _add_machines(store: FleetStore) -> None:
    founded = store.one("SELECT id, created_on FROM organizations WHERE public_namespace = 'tidewater'")
    assert founded
    location_id, created_on = store.new_location_id(), founded["created_on"]
    store.insert("locations", id=location_id, org_id=founded["id"], name=LOCATION, created_on=created_on)
    for number in range(MACHINES):
        robot_id, name = store.new_uuid(), f"machine-{number:04}"
        store.insert("robots", id=robot_id, location_id=location_id, name=name, created_on=created_on + number)
        store.insert(
            "parts",
            id=store.new_uuid(),
            robot_id=robot_id,
            name=f"{name}-main",
            main=1,
            created_on=created_on,
            last_updated=created_on,
            last_access=created_on + number * 10**9,
            online=number % 2,
        )


if __name__ == "__main__":
    asyncio.run(_serve())
