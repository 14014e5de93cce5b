"""A running sandbox with the demo fleet, fresh for every test, and a bare client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.client import Calls, Client, connected
from viam_mcp.sandbox import Sandbox, open_fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from viam_mcp.sandbox.store import Store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def demo_fleet() -> Iterator[Store]:
    """The demo fleet, made once; tests get copies."""
    store = open_fleet()
    yield store
    store.close()


@pytest.fixture
async def sandbox(demo_fleet: Store) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(demo_fleet.copy()) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A client with the sandbox's own key, owner of everything."""
    async with connected(sandbox) as connection:
        yield connection


@pytest.fixture
def call(client: Client) -> Calls:
    """`await call("GetRobot", id=...)`: the response, or a GRPCError."""
    return client
