from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.app.service import KEY, KEY_ID, Service, serving
from viam_mcp.app import AppClient, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backs off as always, a hundred times faster."""
    monkeypatch.setattr("viam_mcp.app.transport._session._FIRST_BACKOFF", 0.002)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with serving(Service()) as running:
        yield running


@pytest.fixture
async def client(service: Service) -> AsyncIterator[AppClient]:
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        yield app


@pytest.fixture
def unused_port() -> int:
    """A port of this computer where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
