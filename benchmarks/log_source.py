"""A part that logs as it is told, in a process of its own: what it costs to log is not what is measured.

A tail's filter says what it brings, such as `rate=10000 seconds=10 batch=10`. Every entry's message ends with
its number and the moment at which it was sent, by the clock that all processes of a computer share.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message_factory import GetMessageClass
from grpclib.const import Cardinality, Handler
from grpclib.server import Server

from tests.ports import port_of
from viam_mcp.proto import POOL
from viam_mcp.proto.app import GetRobotPartLogsResponse, ListOrganizationsResponse, TailRobotPartLogsResponse
from viam_mcp.proto.common import LogEntry
from viam_mcp.proto.proto.rpc.v1.auth_pb2 import AuthenticateResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grpclib.server import Stream

PART = "11111111-1111-4111-8111-111111111111"
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Flow:
    """How much is logged."""

    rate: int
    seconds: float
    batch: int

    def __str__(self) -> str:
        return f"rate={self.rate} seconds={self.seconds} batch={self.batch}"

    @classmethod
    def read(cls, text: str) -> Flow:
        """What a filter says."""
        given = dict(word.split("=") for word in text.split())
        return cls(int(given["rate"]), float(given["seconds"]), int(given["batch"]))

    @property
    def entries(self) -> int:
        """How many entries there are in all."""
        return int(self.rate * self.seconds)


def number_of(message: str) -> int:
    """Which entry of its flow a message is of."""
    return int(message.split()[-2])


@contextmanager
def running_source() -> Iterator[str]:
    """The URL of a source that runs inside the block."""
    command = [sys.executable, "-m", "benchmarks.log_source"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class _Source:
    def __init__(self) -> None:
        self._logged: dict[str, list[LogEntry]] = {}

    def __mapping__(self) -> dict[str, Handler]:
        answers = {
            "viam.app.v1.AppService": {
                "TailRobotPartLogs": self._tail,
                "GetRobotPartLogs": self._get,
                "ListOrganizations": self._organizations,
            },
            "proto.rpc.v1.AuthService": {"Authenticate": self._authenticate},
        }
        mapping = {}
        for service, handlers in answers.items():
            for name, handle in handlers.items():
                method = POOL.FindServiceByName(service).methods_by_name[name]
                kind = Cardinality.UNARY_STREAM if method.server_streaming else Cardinality.UNARY_UNARY
                types = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
                mapping[f"/{service}/{name}"] = Handler(handle, kind, *types)
        return mapping

    async def _authenticate(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await stream.send_message(AuthenticateResponse(access_token="token"))

    async def _organizations(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await stream.send_message(ListOrganizationsResponse())

    async def _get(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        assert request is not None
        logged = self._logged.get(request.filter, [])
        start = request.start.seconds * _SECOND + request.start.nanos
        first = next((at for at, entry in enumerate(logged) if _time(entry) >= start), len(logged))
        begin = max(first, int(request.page_token or 0))
        page = logged[begin : begin + request.limit]
        token = str(begin + len(page)) if begin + len(page) < len(logged) else ""
        await stream.send_message(GetRobotPartLogsResponse(logs=page, next_page_token=token))

    async def _tail(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        assert request is not None
        flow = Flow.read(request.filter)
        logged = self._logged[request.filter] = []
        begun = time.monotonic()
        while len(logged) < flow.entries:
            due = begun + (len(logged) + flow.batch) / flow.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            batch = [_entry(len(logged) + number) for number in range(flow.batch)]
            logged += batch
            await stream.send_message(TailRobotPartLogsResponse(logs=batch))
        await asyncio.Event().wait()


def _time(entry: LogEntry) -> int:
    return int(entry.time.seconds * _SECOND + entry.time.nanos)


def _entry(number: int) -> LogEntry:
    entry = LogEntry(
        host="rover-1-main",
        level="error",
        logger_name="rdk.resource_manager",
        message=f"motor 'left' draws 2.7 A and is stopped {number} {time.monotonic()}",
    )
    entry.caller.update({"File": "motor/gpio/controller.go", "Line": 212})
    entry.time.seconds, entry.time.nanos = divmod(time.time_ns(), _SECOND)
    return entry


async def _serve() -> None:
    server = Server([_Source()])
    await server.start("127.0.0.1", 0)
    print(f"http://127.0.0.1:{port_of(server)}", flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_serve())
