"""Whatever a client sends: a result or an error result, in time, and never a call that the client did not ask for."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from grpclib.events import SendMessage, listen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.answers import text_of
from tests.conftest import MODES
from tests.fleet import connected_to
from tests.pace import PATIENCE
from tests.tools.arguments import broken, fitting
from viam_mcp.app.records._struct import to_plain
from viam_mcp.calls._absent import without_absent
from viam_mcp.proto.google.protobuf.struct_pb2 import Struct
from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
from viam_mcp.sandbox import Sandbox, open_fleet
from viam_mcp.tools import TOOLS, definition
from viam_mcp.tools.results._encode import enum_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal
    from google.protobuf.message import Message
    from mcp_types import CallToolResult

    from tests.conftest import Mode
    from tests.fleet import Fleet
    from viam_mcp.sandbox.rows.store import FleetStore

# Arguments of the tool that are no arguments of the rpc: how much comes back at once, and what becomes of it.
NOT_SENT = {
    "limit", "cursor", "fields", "dest", "indent", "overwrite", "file", "num_log_entries", "wait_seconds", "backlog",
    "path",
}  # fmt: skip
# Left out, they mean a wait of ten seconds, and the present time as a key's name.
ALWAYS_GIVEN = {"wait_seconds": 0, "name": "key"}
# The wire has a role and what it is of in one word, `location_owner`.
NO_WORDS = {"owner", "operator"}
# What `AppClient` says besides: the wire's own words for a role, and for who holds it.
SAID_BESIDES = {"role", "api-key", "private", "public"} | {
    f"{resource}_{role}" for resource in ("organization", "location", "robot") for role in ("owner", "operator")
}


class Recorder:
    """The requests that go to the fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.requests: list[Message] = []
        listen(fleet.channel, SendMessage, self._record)

    async def _record(self, event: SendMessage) -> None:
        if type(event.message).__name__ != "AuthenticateRequest":
            self.requests.append(event.message)

    def own(self, name: str) -> list[Message]:
        """Those of a tool's own rpc: the others only look up what things are called."""
        rpc = TOOLS[name].spec.rpc
        return [request for request in self.requests if rpc and rpc.input_type == request.DESCRIPTOR]


@cache
def known() -> list[str]:
    """Ids and names of the demo fleet."""
    store = open_fleet()
    tables = ("organizations", "locations", "robots", "parts", "fragments", "users", "api_keys", "secrets")
    ids = [row["id"] for table in tables for row in store.all(f"SELECT id FROM {table} ORDER BY id LIMIT 4")]
    items = [f"tidewater:{row['name']}" for row in store.all("SELECT name FROM registry_items LIMIT 4")]
    store.close()
    return [*ids, *items, "10m", "1d", "a@b.example", "1.2.3", "linux/amd64"]


class Eras:
    """The same fleet behind a client of each of the protocol's eras.

    They live in a thread of their own: an example that hypothesis gives up ends with an exception that an event
    loop does not outlive.
    """

    def __init__(self, portal: BlockingPortal, fleets: dict[str, Fleet]) -> None:
        self._portal = portal
        self._fleets = fleets
        self._recorders = {mode: Recorder(fleet) for mode, fleet in fleets.items()}

    def call(self, mode: str, name: str, arguments: dict[str, Any]) -> tuple[CallToolResult, Recorder]:
        """The result of a call, and what it sent to the fleet."""
        recorder = self._recorders[mode]
        recorder.requests.clear()
        return self._portal.call(self._call, self._fleets[mode], name, arguments), recorder

    async def _call(self, fleet: Fleet, name: str, arguments: dict[str, Any]) -> CallToolResult:
        with anyio.fail_after(PATIENCE):
            return await fleet.call.result(name, arguments)


@asynccontextmanager
async def both_eras(store: FleetStore, folder: Path) -> AsyncIterator[dict[str, Fleet]]:
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox.start(store))
        fleets: dict[str, Fleet] = {}
        for mode in MODES:
            (folder / mode).mkdir()
            fleets[mode] = await stack.enter_async_context(connected_to(sandbox, mode=mode, folder=folder / mode))
        yield fleets


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def store(portal: BlockingPortal) -> Iterator[FleetStore]:
    """The demo fleet once more: only the thread that has made it can use it."""
    store = portal.call(open_fleet)
    yield store
    portal.call(store.close)


@pytest.fixture
def eras(portal: BlockingPortal, store: FleetStore, tmp_path: Path) -> Iterator[Eras]:
    with portal.wrap_async_context_manager(both_eras(portal.call(store.copy), tmp_path)) as fleets:
        yield Eras(portal, fleets)


# The jitter of what goes on in the other thread looks to hypothesis as if its strategies were random.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of the strategies, to warn so
@pytest.mark.parametrize("name", TOOLS)
def test_any_arguments_lead_to_an_answer_and_to_no_other_call_than_was_asked_for(eras: Eras, name: str) -> None:
    schema = definition(TOOLS[name])["inputSchema"]
    validator = Draft202012Validator(schema)

    @settings(max_examples=8, suppress_health_check=[*HealthCheck])
    @given(arguments=fitting(schema, known()) | broken(schema, known()), mode=st.sampled_from(MODES))
    def check(arguments: dict[str, Any], mode: Mode) -> None:
        for argument, value in ALWAYS_GIVEN.items():
            if argument in schema["properties"].keys() - {*schema.get("required", ())}:
                arguments.setdefault(argument, value)
        result, recorder = eras.call(mode, name, arguments)
        (content,) = result.content
        if result.is_error:
            text = text_of(content)
            assert "inside this server" not in text
            assert "internal error" not in text
            assert len(text) < 5_000
        given = without_absent(TOOLS[name], arguments)
        if not validator.is_valid(given):
            assert result.is_error
            assert recorder.requests == []
        for request in recorder.own(name):
            asked = {key: value for key, value in given.items() if key not in NOT_SENT}
            changes = asked.pop("property_changes", {})
            words, said = {*words_asked(asked, schema), *changes}, set(words_said(request))
            assert words <= said
            # The value of a changed property travels in a message of its own.
            assert changes or said <= words | SAID_BESIDES
            for field in request.DESCRIPTOR.fields:
                if isinstance(asked.get(field.name), bool | int | float):
                    assert getattr(request, field.name) == asked[field.name]

    check()


def words_said(message: Message) -> Iterator[Any]:
    """What a request says: its texts, enums by short name, times and configurations, wherever they stand in it."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else [value]:
            if isinstance(item, Timestamp):
                yield item.ToDatetime(tzinfo=UTC)
            elif isinstance(item, Struct):
                yield canonical(to_plain(item))
            elif field.message_type is not None:
                yield from words_said(item)
            elif field.enum_type is not None:
                yield enum_names(field.enum_type)[item]
            elif isinstance(item, str) and item:
                yield item


def words_asked(value: Any, schema: Any) -> Iterator[Any]:
    """The same of arguments."""
    if schema["type"] == "array":
        for item in value:
            yield from words_asked(item, schema["items"])
    elif schema["type"] == "object" and "properties" in schema:
        for name, item in value.items():
            yield from words_asked(item, schema["properties"][name])
    elif schema["type"] == "object":
        yield canonical(value)
    elif schema.get("format") == "date-time":
        yield datetime.fromisoformat(value).astimezone(UTC)
    elif schema["type"] == "string" and value and value not in NO_WORDS:
        # Ids go out in small letters. What has a colon is a name, of an item in the registry.
        yield value.lower() if "pattern" in schema and ":" not in value else value


def canonical(value: Any) -> str:
    """A configuration as text. JSON has one kind of number."""
    return json.dumps(json.loads(json.dumps(value), parse_int=float), sort_keys=True).replace("-0.0", "0.0")
