"""Logs as resources: read by cursor, subscribed to in both eras, released when the client is gone."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import mcp_types as types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage

from tests.answers import uri_of
from tests.pace import PATIENCE
from tests.sandbox.client import named
from tests.stores import store_in
from viam_mcp.calls import Kind, Limits, Pipeline, choose
from viam_mcp.logs import Options, Tails
from viam_mcp.policy import RECHECK_SECONDS, Gate, Policy, parse
from viam_mcp.proto.common import LogEntry
from viam_mcp.server import build_server
from viam_mcp.server._log_resource import URI
from viam_mcp.server.subscriptions._legacy import PING_SECONDS
from viam_mcp.tools import no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Mode
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox
    from viam_mcp.server import FleetServer

# The client warns that this method is gone from later protocols.
pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")

MOST_URIS = Limits().table[Kind.URIS].each or 0
NOBODY = "00000000-0000-4000-8000-000000000000"


class Watched:
    """A server over the sandbox, and what opens clients that count their notifications."""

    def __init__(self, sandbox: Sandbox, server: FleetServer, calls: Pipeline, mode: Mode) -> None:
        self.sandbox = sandbox
        self.server = server
        self.calls = calls
        self.mode = mode
        self.part = named(sandbox, "parts", "picker-01-main")
        self.uri = f"viam://parts/{self.part}/logs?errors_only=false"

    def log(self, *messages: str, part: str | None = None, level: str = "info") -> None:
        self.sandbox.emit(part or self.part, *(LogEntry(level=level, message=message) for message in messages))

    @asynccontextmanager
    async def client(self, *uris: str) -> AsyncIterator[Watcher]:
        watcher = Watcher(self.mode)
        async with Client(self.server.mcp, mode=self.mode, message_handler=watcher.heard) as client:
            watcher.client = client
            async with watcher.watching(*uris):
                yield watcher


class Watcher:
    """A client, and the URIs that it was told about."""

    client: Client

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.told: list[str] = []
        self.news = asyncio.Condition()

    async def heard(self, message: Any) -> None:
        # What a client of 2026-07-28 listens to comes as events as well.
        if self.mode == "legacy" and isinstance(message, types.ResourceUpdatedNotification):
            await self.tell(str(message.params.uri))

    async def tell(self, uri: str) -> None:
        async with self.news:
            self.told.append(uri)
            self.news.notify_all()

    async def until_told(self, times: int) -> None:
        async with self.news, asyncio.timeout(PATIENCE):
            await self.news.wait_for(lambda: len(self.told) >= times)

    @asynccontextmanager
    async def watching(self, *uris: str) -> AsyncIterator[None]:
        if self.mode == "legacy":
            for uri in uris:
                await self.client.subscribe_resource(uri)
            yield
            return
        async with self.client.listen(resource_subscriptions=list(uris)) as events:

            async def listen() -> None:
                async for event in events:
                    await self.tell(uri_of(event))

            listening = asyncio.create_task(listen())
            yield
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def read(self, uri: str) -> Any:
        (content,) = (await self.client.read_resource(uri)).contents
        assert isinstance(content, types.TextResourceContents)
        return json.loads(content.text)


Serve = "Callable[..., AbstractAsyncContextManager[Watched]]"


@pytest.fixture
def serve(sandbox: Sandbox, app: AppClient, mode: Mode, tmp_path: Path) -> Any:
    """`async with serve(policy=..., interval=..., linger=...) as watched`."""

    @asynccontextmanager
    async def serving(*, policy: str = "", interval: float = 0.0, **options: Any) -> AsyncIterator[Watched]:
        rules = parse(policy, "policy.toml") if policy else Policy()
        with store_in(tmp_path) as store:
            async with Tails(app, Options(**{"linger": 0.0, **options})) as tails:
                calls = Pipeline(choose(), app, Gate(rules, app, store), tails=tails)
                yield Watched(sandbox, build_server(calls, notify_interval=interval), calls, mode)

    return serving


@pytest.fixture
async def watched(serve: Any) -> AsyncIterator[Watched]:
    async with serve() as made:
        yield made


async def test_a_log_is_read_by_its_uri_and_on_from_its_cursor(watched: Watched) -> None:
    watched.log("one", "two")
    async with watched.client() as watcher:
        first = await watcher.read(f"{watched.uri}&limit=2")
        assert [entry["message"] for entry in first["entries"]] == ["one", "two"]
        assert first["upstream"]["state"] == "live"
        cursor = quote(first["next_cursor"])
        async with watcher.watching(watched.uri):
            watched.log("three")
            await watcher.until_told(1)
        second = await watcher.read(f"{watched.uri}&cursor={cursor}")
        assert [entry["message"] for entry in second["entries"]] == ["three"]
        cursor = quote(second["next_cursor"])
        assert (await watcher.read(f"{watched.uri}&cursor={cursor}"))["entries"] == []


async def test_errors_and_text_are_chosen_in_the_uri(watched: Watched) -> None:
    watched.log("needle fine")
    watched.log("needle broke", "other broke", level="error")
    async with watched.client() as watcher:
        log = await watcher.read(f"viam://parts/{watched.part}/logs?filter=needle&limit=1")
        assert [entry["message"] for entry in log["entries"]] == ["needle broke"]


async def test_the_template_is_listed_and_its_part_completed_by_name(watched: Watched) -> None:
    async with watched.client() as watcher:
        templates = (await watcher.client.list_resource_templates()).resource_templates
        assert URI in [template.uri_template for template in templates]
        reference = types.ResourceTemplateReference(uri=URI)
        found = await watcher.client.complete(reference, {"name": "robot_part_id", "value": "picker-01-main"})
        assert watched.part in found.completion.values


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("errors_only=maybe", "errors_only: expected true or false"),
        ("limit=0", "limit: expected a number from 1 to 1000"),
        ("limit=ten", "limit: expected a number"),
        ("cursor=nonsense", "cursor: this is not one"),
    ],
)
async def test_a_malformed_uri_of_a_log_is_an_error_that_names_what_is_wrong(
    watched: Watched, query: str, said: str
) -> None:
    async with watched.client() as watcher:
        with pytest.raises(MCPError, match=said):
            await watcher.read(f"viam://parts/{watched.part}/logs?{query}")


async def test_a_watcher_is_told_of_new_entries_and_not_of_others(watched: Watched) -> None:
    other = named(watched.sandbox, "parts", "picker-01-arm")
    async with watched.client(watched.uri) as watcher:
        await watched.sandbox.hub.until(1)
        watched.log("elsewhere", part=other)
        watched.log("here")
        await watcher.until_told(1)
        log = await watcher.read(watched.uri)
        assert log["entries"][-1]["message"] == "here"
        watched.log("again")
        await watcher.until_told(2)
        assert watcher.told == [watched.uri] * 2


async def test_two_watchers_share_one_upstream(watched: Watched) -> None:
    async with watched.client(watched.uri) as first, watched.client(f"{watched.uri}&limit=5") as second:
        watched.log("for both")
        await first.until_told(1)
        await second.until_told(1)
        assert second.told[0].endswith("&limit=5")
        assert watched.sandbox.calls["TailRobotPartLogs"] == 1
        assert watched.sandbox.hub.tails == 1


async def test_a_client_that_is_gone_releases_its_log(watched: Watched) -> None:
    async with watched.client(watched.uri), asyncio.timeout(PATIENCE):
        await watched.sandbox.hub.until(1)
        assert watched.calls.active == 1
    async with asyncio.timeout(PATIENCE):
        await watched.sandbox.hub.until(0)
    assert watched.calls.active == 0
    assert watched.calls.tails.open == 0


async def test_unsubscribing_releases_the_log(watched: Watched) -> None:
    async with asyncio.timeout(PATIENCE), watched.client() as watcher:
        async with watcher.watching(watched.uri):
            await watched.sandbox.hub.until(1)
            if watched.mode == "legacy":
                await watcher.client.unsubscribe_resource(watched.uri)
        await watched.sandbox.hub.until(0)


async def test_notifications_come_at_once_and_then_no_more_often_than_the_interval(serve: Any) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds != 0.25:
            await asyncio.sleep(seconds)
            return
        begun.set()
        await over.wait()

    async with (
        serve(interval=0.25, pause=pause) as watched,
        watched.client(watched.uri) as watcher,
        asyncio.timeout(PATIENCE),
    ):
        await watched.sandbox.hub.until(1)
        watched.log("first")
        await watcher.until_told(1)
        await begun.wait()
        for number in range(20):
            watched.log(f"more {number}")
        await watcher.read(watched.uri)
        assert len(watcher.told) == 1
        over.set()
        await watcher.until_told(2)


@pytest.mark.parametrize("mode", ["legacy"], indirect=True)
async def test_a_client_that_does_not_read_is_told_once(watched: Watched) -> None:
    async with watched.client(watched.uri) as sleeper, watched.client(watched.uri) as reader:
        await watched.sandbox.hub.until(1)
        for number in range(5):
            watched.log(f"entry {number}")
            await reader.until_told(number + 1)
            await reader.read(watched.uri)
        assert len(sleeper.told) == 1
        await sleeper.read(watched.uri)
        watched.log("after reading")
        await sleeper.until_told(2)


async def test_nobody_watches_more_than_so_many_uris_at_once(watched: Watched) -> None:
    uris = [f"{watched.uri}&limit={number}" for number in range(1, MOST_URIS + 2)]
    async with watched.client() as watcher:
        with pytest.raises(MCPError, match=f"{MOST_URIS} resources are all that"):
            async with watcher.watching(*uris):
                pass
    async with watched.client(*uris[:-1]):
        assert watched.calls.active == MOST_URIS


async def test_what_the_policy_refuses_cannot_be_watched(serve: Any, sandbox: Sandbox) -> None:
    other = sandbox.store.value("SELECT location_id FROM robots WHERE name = 'hauler-01'")
    async with serve(policy=f'[scope]\nlocations = ["{other}"]\n') as watched:
        async with watched.client() as watcher:
            with pytest.raises(MCPError, match="outside of what this server is limited to"):
                async with watcher.watching(watched.uri):
                    pass
        assert sandbox.calls["TailRobotPartLogs"] == 0


def move(sandbox: Sandbox, robot: str, location: str) -> None:
    """Somebody else moves a machine."""
    sql = "UPDATE robots SET location_id = ? WHERE name = ?"
    sandbox.store.run(sql, named(sandbox, "locations", location), robot)


async def test_a_log_that_leaves_the_scope_is_watched_no_more(serve: Any, sandbox: Sandbox) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds == RECHECK_SECONDS:
            begun.set()
            await over.wait()
        else:
            await asyncio.sleep(seconds)

    scope = f'[scope]\nlocations = ["{named(sandbox, "locations", "Warehouse 1")}"]\n'
    async with (
        serve(policy=scope, pause=pause) as watched,
        watched.client(watched.uri) as watcher,
        asyncio.timeout(PATIENCE),
    ):
        await sandbox.hub.until(1)
        await begun.wait()
        watched.log("before")
        await watcher.until_told(1)
        move(sandbox, "picker-01", "Warehouse 2")
        over.set()
        await sandbox.hub.until(0)
        assert watched.calls.active == 0
        with pytest.raises(MCPError, match="outside of what this server is limited to"):
            await watcher.read(watched.uri)


async def test_a_tail_that_waits_ends_when_its_part_leaves_the_scope(
    sandbox: Sandbox, app: AppClient, tmp_path: Path
) -> None:
    scope = f'[scope]\nlocations = ["{named(sandbox, "locations", "Warehouse 1")}"]\n'
    with store_in(tmp_path) as store:
        gate = Gate(parse(scope, "policy.toml"), app, store)
        gate._boundary._recheck = 0.01
        async with Tails(app, Options(linger=0.0)) as tails, asyncio.timeout(PATIENCE):
            calls = Pipeline(choose(), app, gate, tails=tails)
            arguments = {"robot_part_id": named(sandbox, "parts", "picker-01-main"), "wait_seconds": 45}
            tail = asyncio.create_task(calls.call("tail_robot_part_logs", arguments, no_progress))
            await sandbox.hub.until(1)
            move(sandbox, "picker-01", "Warehouse 2")
            result = await tail
            assert result.data is None
            assert "has left what this server is limited to" in result.text
            await sandbox.hub.until(0)


async def test_a_part_that_does_not_exist_cannot_be_watched(watched: Watched) -> None:
    async with watched.client() as watcher:
        with pytest.raises(MCPError, match="NOT_FOUND"):
            async with watcher.watching(f"viam://parts/{NOBODY}/logs"):
                pass


@pytest.mark.parametrize("mode", ["legacy"], indirect=True)
async def test_only_logs_can_be_subscribed_to(watched: Watched) -> None:
    async with watched.client() as watcher:
        with pytest.raises(MCPError, match="only the logs of parts can"):
            async with watcher.watching("viam://organizations"):
                pass


@pytest.mark.parametrize("mode", ["auto"], indirect=True)
async def test_a_server_that_stops_ends_the_streams_of_those_who_listen(watched: Watched) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        Client(watched.server.mcp, mode="auto") as client,
        client.listen(resource_subscriptions=[watched.uri]) as events,
    ):
        watched.server.subscriptions.close()
        assert [event async for event in events] == []
        await watched.sandbox.hub.until(0)


async def test_several_parts_outside_of_the_scope_are_not_followed(serve: Any, sandbox: Sandbox) -> None:
    inside = sandbox.store.value("SELECT location_id FROM robots WHERE name = 'picker-01'")
    outside = named(sandbox, "parts", "hauler-01-main")
    async with serve(policy=f'[scope]\nlocations = ["{inside}"]\n') as watched, watched.client() as watcher:
        watched.log("here", level="error")
        call = watcher.client.call_tool
        for arguments in ({"robot_part_ids": [watched.part]}, {"location_id": inside}):
            result = await call("tail_logs", {**arguments, "backlog": 1, "wait_seconds": 0})
            assert not result.is_error, result.content
        for part_ids in ([outside], [watched.part, outside]):
            result = await call("tail_logs", {"robot_part_ids": part_ids, "wait_seconds": 0})
            assert result.is_error
            assert "outside of what this server is limited to" in str(result.content)
    assert sandbox.calls["TailRobotPartLogs"] > 0


class Pings:
    """Lets the time between two pings of a client pass when a test says so."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self._over = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        if seconds != PING_SECONDS:
            await asyncio.sleep(seconds)
            return
        self.waiting.set()
        await self._over.wait()

    async def elapse(self) -> None:
        """Have one ping sent, and wait until the time to the next one runs."""
        async with asyncio.timeout(PATIENCE):
            await self.waiting.wait()
            self.waiting.clear()
            over, self._over = self._over, asyncio.Event()
            over.set()


@asynccontextmanager
async def session(watched: Watched) -> AsyncIterator[Session]:
    """A bare client of the 2025 era that has shaken hands and subscribed."""
    async with create_client_server_memory_streams() as ((source, sink), streams), asyncio.TaskGroup() as tasks:
        server = watched.server.mcp
        serving = tasks.create_task(server.run(*streams, server.create_initialization_options()))
        one = Session(source, sink)
        information = {"name": "test", "version": "0"}
        await one.request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=information)
        await one.send({"method": "notifications/initialized"})
        await one.request("resources/subscribe", uri=watched.uri)
        yield one
        serving.cancel()


class Session:
    """Messages as they travel."""

    def __init__(self, source: Any, sink: Any) -> None:
        self._source = source
        self._sink = sink

    async def send(self, message: dict[str, Any]) -> None:
        parsed = types.jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **message})
        await self._sink.send(SessionMessage(parsed))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message = (await self._source.receive()).message
        found: dict[str, Any] = message.model_dump(by_alias=True, exclude_none=True)
        return found

    async def request(self, method: str, **params: Any) -> None:
        await self.send({"id": 1, "method": method, "params": params})
        assert "result" in await self.receive()


@pytest.mark.parametrize("mode", ["legacy"], indirect=True)
async def test_a_client_that_answers_no_ping_any_more_releases_its_log(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viam_mcp.server.subscriptions._legacy._PING_TIMEOUT", 0.05)
    pings = Pings()
    async with serve(pause=pings.pause) as watched, session(watched) as client, asyncio.timeout(PATIENCE):
        await watched.sandbox.hub.until(1)
        await pings.elapse()
        assert (await client.receive())["method"] == "ping"
        await watched.sandbox.hub.until(0)
        assert watched.calls.active == 0


@pytest.mark.parametrize("mode", ["legacy"], indirect=True)
async def test_a_client_that_answers_pings_is_told_of_what_it_has_not_been_told(serve: Any) -> None:
    pings = Pings()
    async with serve(pause=pings.pause) as watched, session(watched) as client, asyncio.timeout(PATIENCE):
        await watched.sandbox.hub.until(1)
        # Another client's notifications show that this one's would have been sent by then.
        async with watched.client(watched.uri) as reader:
            for number in range(3):
                watched.log(str(number))
                await reader.until_told(number + 1)
                await reader.read(watched.uri)
        assert (await client.receive())["method"] == "notifications/resources/updated"
        await pings.elapse()
        ping = await client.receive()
        assert ping["method"] == "ping"
        await client.send({"id": ping["id"], "result": {}})
        assert (await client.receive())["method"] == "notifications/resources/updated"
        assert watched.sandbox.hub.tails == 1
