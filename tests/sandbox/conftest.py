"""A bare client of a running sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.client import Calls, Client, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.sandbox import Sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A client with the sandbox's own key, owner of everything."""
    async with connected(sandbox) as connection:
        yield connection


@pytest.fixture
def call(client: Client) -> Calls:
    """`await call("GetRobot", id=...)`: the response, or a GRPCError."""
    return client
