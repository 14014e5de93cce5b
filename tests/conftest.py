"""What tests of several folders share: the demo fleet, and tools called through a real MCP client."""

from __future__ import annotations

import gc
import json
import os
from contextlib import AsyncExitStack
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Literal

import httpcore2
import pytest
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator

from tests.fleet import Fleet, connected_to
from tests.kinds import kind_of, table
from viam_mcp.app import connect
from viam_mcp.sandbox import Sandbox, open_fleet
from viam_mcp.sandbox.rows.store import FleetStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.fleet import ToolCaller
    from viam_mcp.app import AppClient

Mode = Literal["legacy", "auto"]
MODES: tuple[Mode, ...] = ("legacy", "auto")

# That a machine is busy is no failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("unhurried"), max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unhurried"))

SERVED = ("e2e", "http", "interop", "operations")
"""The folders of the tests that start processes or HTTP servers."""
_NO_PARAMETERS = SimpleNamespace(params={})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests the markers that follow from their folder and their parameters."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.relative_to(folder).parts[0] in SERVED:
            item.add_marker(pytest.mark.served)
        if isinstance(item, pytest.Function) and "legacy" in getattr(item, "callspec", _NO_PARAMETERS).params.values():
            item.add_marker(pytest.mark.legacy)
        if (kind := kind_of(item.path, item.name)) is not None:
            item.user_properties.append(("kind", kind))  # goes with the report from a worker to who counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of each kind of hole how many cases were tried and whether all of them held."""
    reports = [one for outcome in ("passed", "failed", "error") for one in terminalreporter.getreports(outcome)]
    kinds = [(str(value), one.outcome) for one in reports for name, value in one.user_properties if name == "kind"]
    if kinds:
        terminalreporter.write_sep("-", "what a confirmation could miss")
        for line in table(kinds):
            terminalreporter.write_line(line)


def pytest_collection_finish() -> None:
    """Leave all that was imported out of the search for garbage, and search seldom: both took a quarter of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """Have done once what every client would do anew: checking the schema of a tool, reading whom to trust with TLS."""
    check = Draft202012Validator.check_schema
    checked = cache(lambda text: check(json.loads(text)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", lambda schema: checked(json.dumps(schema)))
        patch.setattr(httpcore2, "default_ssl_context", cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session")
def demo_fleet() -> Iterator[FleetStore]:
    """The demo fleet, made once; tests get copies, which are quicker from its bytes than from its pages."""
    store = open_fleet()
    store.copy = partial(in_memory, store._db.serialize())  # type: ignore[method-assign]
    yield store
    store.close()


def in_memory(fleet: bytes) -> FleetStore:
    store = FleetStore()
    store._db.deserialize(fleet)
    return store


@pytest.fixture
async def sandbox(demo_fleet: FleetStore) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(demo_fleet.copy()) as running:
        yield running


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Which of the protocol's two eras the MCP client speaks: 2025-11-25 or 2026-07-28."""
    chosen: Mode = request.param
    return chosen


@pytest.fixture
async def fleet(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Fleet]:
    """The demo fleet behind an MCP server that allows every tool, in both eras of the protocol."""
    async with connected_to(sandbox, mode=mode, folder=tmp_path) as fleet:
        yield fleet


@pytest.fixture(scope="module")
async def fleets(demo_fleet: FleetStore, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[Mode, Fleet]]:
    """The same behind a client of each era, for a module whose tests only read."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox.start(demo_fleet.copy()))
        yield {
            mode: await stack.enter_async_context(
                connected_to(sandbox, mode=mode, folder=tmp_path_factory.mktemp(mode))
            )
            for mode in MODES
        }


@pytest.fixture
def call_tool(fleet: Fleet) -> ToolCaller:
    """`await call_tool(name, **arguments)`: the result, validated against the tool's output schema."""
    return fleet.call


@pytest.fixture
async def app(sandbox: Sandbox) -> AsyncIterator[AppClient]:
    """A client of the sandbox."""
    async with connect(sandbox.url, api_key_id=sandbox.api_key_id, api_key=sandbox.api_key) as client:
        yield client
