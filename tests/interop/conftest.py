from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.driving import Cloud, signed_in
from tests.sandbox.client import named
from viam_mcp.sandbox import Sandbox, fleet, open_fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from viam_mcp.sandbox.store import Store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def demo_fleet() -> Iterator[Store]:
    store = open_fleet()
    yield store
    store.close()


@pytest.fixture
async def sandbox(demo_fleet: Store) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(demo_fleet.copy()) as running:
        yield running


@pytest.fixture
async def cloud(sandbox: Sandbox) -> AsyncIterator[Cloud]:
    client = await signed_in(sandbox, sandbox.api_key_id, sandbox.api_key)
    yield Cloud(client.app_client)
    client.close()


@pytest.fixture
def tidewater(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.TIDEWATER)


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)
