from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.app.service import KEY, KEY_ID, serving
from tests.logs.server import PART, LogServer
from viam_mcp.app import AppClient, connect
from viam_mcp.logs import Options, Tails

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from viam_mcp.app import LogEntry

QUICK: dict[str, Any] = {"backoff": lambda failures: 0.002, "quiet": 0.05}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backs off as always, a hundred times faster."""
    monkeypatch.setattr("viam_mcp.app.transport._session._FIRST_BACKOFF", 0.002)


@pytest.fixture
async def server() -> AsyncIterator[LogServer]:
    async with serving(LogServer()) as running:
        assert isinstance(running, LogServer)
        yield running
        running.drop()


@pytest.fixture
async def app(server: LogServer) -> AsyncIterator[AppClient]:
    async with connect(server.url, api_key_id=KEY_ID, api_key=KEY) as client:
        yield client


@pytest.fixture
def tails_with(app: AppClient) -> Callable[..., AbstractAsyncContextManager[Tails]]:
    """Tails with these options, and short times where a test does not say otherwise."""

    @asynccontextmanager
    async def made(**options: Any) -> AsyncIterator[Tails]:
        async with Tails(app, Options(**{**QUICK, **options})) as tails:
            yield tails

    return made


@pytest.fixture
async def tails(tails_with: Callable[..., AbstractAsyncContextManager[Tails]]) -> AsyncIterator[Tails]:
    async with tails_with() as made:
        yield made


# What is lost fails a test after this, and not after the patience for a machine that is busy.
_WAIT = 15.0


class Reader:
    """Reads one part by cursor."""

    def __init__(self, tails: Tails, **query: Any) -> None:
        self.tails = tails
        self.query = query
        self.cursor: str | None = None
        self.entries: list[LogEntry] = []
        self.gaps: list[Any] = []

    @property
    def messages(self) -> list[str]:
        return [entry.message for entry in self.entries]

    async def read(self, *, wait: float = _WAIT, limit: int = 1_000) -> list[str]:
        """The messages of one more reading."""
        news = await self.tails.read([PART], cursor=self.cursor, wait=wait, limit=limit, **self.query)
        (reading,) = news.readings
        self.cursor = news.cursor()
        self.entries += reading.entries
        if reading.gap:
            self.gaps.append(reading.gap)
        return [entry.message for entry in reading.entries]

    async def until(self, number: int, *, limit: int = 1_000) -> list[str]:
        """All messages, as soon as there are so many."""
        while len(self.entries) < number and await self.read(limit=limit):
            pass
        return self.messages
