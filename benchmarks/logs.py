"""What live logs cost."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from mcp import Client, StdioServerParameters

from benchmarks.harness import Ratio
from benchmarks.log_source import PART, Flow, number_of, running_source
from viam_mcp.app import connect
from viam_mcp.logs import Query, Tails
from viam_mcp.proto.app import TailRobotPartLogsRequest
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

KEY = {"VIAM_API_KEY_ID": "11111111-2222-4333-8444-555555555555", "VIAM_API_KEY": "a key"}
_POLL = 0.05


def logs(fleet: Mapping[str, str], runs: int) -> Iterator[Ratio]:
    """The tails alone, then a whole server that has subscribers."""
    with running_source() as url:
        for batch, seconds, goal in ((10, 10.0, 3.0), (100, 5.0, None)):
            flow = Flow(10_000, seconds, batch)
            spent: dict[Any, list[float]] = {_drained: [], _polled: []}
            for _ in range(runs):
                for work, taken in spent.items():
                    taken.append(asyncio.run(work(url, flow)) / flow.entries)
            yield Ratio(
                f"CPU per entry of {flow.rate:,}/s for {seconds:g} s, {batch} a message, read by cursor every "
                f"{_POLL * 1e3:g} ms, against draining it with grpclib",
                median(spent[_polled]),
                median(spent[_drained]),
                goal,
            )
        busy = Flow(10_000, 10.0, 10)
        many, one = (median(asyncio.run(_watched(url, busy, number)) for _ in range(runs)) for number in (100, 1))
        yield Ratio("CPU of a server with 100 subscribers to one part that logs 10,000/s, against 1", many, one, 2.0)
        late = asyncio.run(_told(url, Flow(50, 10.0, 1)))
        p99 = quantiles(late, n=100)[98]
        yield Ratio("p99 from the sending of an entry to its notification over stdio, against 50 ms", p99, 0.05, 1.0)


async def _cpu(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.process_time()
    await work()
    return time.process_time() - begun


async def _drained(url: str, flow: Flow) -> float:
    """CPU seconds for taking the entries off the wire, and nothing else."""
    async with connect(url, api_key_id=KEY["VIAM_API_KEY_ID"], api_key=KEY["VIAM_API_KEY"]) as app:
        stub = AppServiceStub(app.session.channel)

        async def drain() -> None:
            seen = 0
            async with stub.TailRobotPartLogs.open() as stream:
                request = TailRobotPartLogsRequest(id=PART, errors_only=True, filter=str(flow))
                await stream.send_message(request, end=True)
                while seen < flow.entries:
                    message = await stream.recv_message()
                    assert message is not None
                    seen += len(message.logs)
                await stream.cancel()

        return await _cpu(drain)


async def _polled(url: str, flow: Flow) -> float:
    """CPU seconds for the same through a tail, by a reader that comes back with its cursor."""
    async with (
        connect(url, api_key_id=KEY["VIAM_API_KEY_ID"], api_key=KEY["VIAM_API_KEY"]) as app,
        Tails(app) as tails,
    ):
        entries: list[Any] = []

        async def read() -> None:
            cursor = None
            with tails.watch(Query(PART, filter=str(flow))) as tail:
                while len(entries) < flow.entries:
                    news = await tails.read([PART], filter=str(flow), cursor=cursor, limit=1_000)
                    (reading,) = news.readings
                    assert reading.gap is None
                    entries.extend(reading.entries)
                    cursor = news.cursor()
                    await asyncio.sleep(_POLL)
                assert len(list(tail.ring)) <= 10_000

        spent = await _cpu(read)
        assert [number_of(entry.message) for entry in entries] == list(range(flow.entries))
        return spent


class _Serving:
    """A server over stdio with clients that listen to one log, and its CPU time."""

    def __init__(self, url: str, *flags: str) -> None:
        self._before = _children()
        environment = {**KEY, "VIAM_MCP_APP_URL": url, "PATH": os.environ.get("PATH", "")}
        self.client = Client(
            StdioServerParameters(command=sys.executable, args=["-m", "viam_mcp", "serve", *flags], env=environment),
            mode="auto",
        )

    def cpu(self) -> float:
        """Seconds, of all threads."""
        (process,) = _children() - self._before
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def _uri(flow: Flow, number: int = 1) -> str:
    return f"viam://parts/{PART}/logs?filter={str(flow).replace(' ', '%20').replace('=', '%3D')}&limit={number}"


async def _watched(url: str, flow: Flow, subscribers: int) -> float:
    """CPU seconds of a server while its subscribers are told about a flow, for half of its time."""
    serving = _Serving(url)
    async with serving.client as client, AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(client.listen(resource_subscriptions=[_uri(flow, number + 1)]))
            for number in range(subscribers)
        ]
        told = [asyncio.create_task(_count(stream)) for stream in streams]
        begun = serving.cpu()
        await asyncio.sleep(flow.seconds / 2)
        spent = serving.cpu() - begun
        counts = [await _stopped(task) for task in told]
        assert min(counts) >= flow.seconds / 2, counts
        return spent


async def _told(url: str, flow: Flow) -> list[float]:
    """Seconds from the sending of an entry to the notification about it, with coalescing off."""
    serving = _Serving(url, "--notify-interval", "0")
    late: list[float] = []
    cursor, number = "", 0
    async with serving.client as client, client.listen(resource_subscriptions=[_uri(flow)]) as events:
        async for _ in events:
            now = time.monotonic()
            (content,) = (await client.read_resource(_uri(flow, 1_000) + cursor)).contents
            log = json.loads(getattr(content, "text", ""))
            cursor = f"&cursor={log['next_cursor']}"
            sent = [entry["message"].split() for entry in log["entries"]]
            if sent and number:
                # Those after the first may have come since.
                late.append(now - float(sent[0][-1]))
            number = int(sent[-1][-2]) if sent else number
            if number == flow.entries - 1:
                return late
    raise RuntimeError("the subscription ended before the flow did")


async def _count(events: Any) -> int:
    number = 0
    try:
        async for _ in events:
            number += 1
    except asyncio.CancelledError:
        return number
    return number


async def _stopped(task: asyncio.Task[int]) -> int:
    task.cancel()
    return await task
