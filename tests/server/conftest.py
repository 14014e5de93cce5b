"""A server over a running sandbox, offering what a test says under the policy that it says, and the official client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from mcp import Client

from tests.server.serving import keys_of_two_organizations
from tests.stores import store_in
from viam_mcp.assembly.settings import Settings
from viam_mcp.calls import Pipeline, choose
from viam_mcp.policy import Gate, Policy, parse
from viam_mcp.server import build_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.conftest import Mode
    from tests.server.serving import Key
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


class Connected(Protocol):
    """`async with connected(policy=..., exclude_tools=[...]) as client`."""

    def __call__(
        self, *, policy: str = ..., max_result_bytes: int = ..., **chosen: Any
    ) -> AbstractAsyncContextManager[Client]: ...


@pytest.fixture
def connected(app: AppClient, mode: Mode, tmp_path: Path) -> Connected:
    """Clients of servers over the sandbox."""

    @asynccontextmanager
    async def open_client(*, policy: str = "", max_result_bytes: int = 65_536, **chosen: Any) -> AsyncIterator[Client]:
        rules = parse(policy, "policy.toml") if policy else Policy()
        with store_in(tmp_path) as store:
            calls = Pipeline(choose(**chosen), app, Gate(rules, app, store), max_result_bytes=max_result_bytes)
            async with Client(build_server(calls).mcp, mode=mode) as client:
                yield client

    return open_client


@pytest.fixture
async def client(connected: Connected) -> AsyncIterator[Client]:
    """A client of a server that offers everything, under the default policy."""
    async with connected() as connection:
        yield connection


@pytest.fixture
async def keys(app: AppClient) -> list[Key]:
    """A key for each of two organizations, which reaches nothing of the other."""
    return await keys_of_two_organizations(app)


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    """A service over HTTP whose callers bring their keys."""
    return Settings(
        app_url=sandbox.url,
        transport="http",
        credentials="headers",
        store=str(tmp_path / "state.db"),
        audit_log=str(tmp_path / "audit.jsonl"),
    )
