"""The current token, and everybody who waits for the next."""

from __future__ import annotations

import asyncio

import pytest
from grpclib.const import Status

from viam_mcp.app import DeadlineExceeded, Unauthenticated
from viam_mcp.app.credentials._credentials import AccessToken, TokenCache

LATE = DeadlineExceeded(Status.DEADLINE_EXCEEDED, "no answer", rpc="Authenticate")
REFUSED = Unauthenticated(Status.UNAUTHENTICATED, "no such key", rpc="Authenticate")


class Source:
    """Gives or raises these in turn, each when it is let go."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self._outcomes = list(outcomes)
        self.fetches = 0
        self.began = asyncio.Event()
        self.go = asyncio.Event()

    async def fetch(self, _refused: str | None) -> AccessToken:
        self.fetches += 1
        outcome = self._outcomes.pop(0)
        self.began.set()
        await self.go.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return AccessToken(outcome, 3_600)


async def three_callers(source: Source) -> list[str | BaseException]:
    """What callers get of whom the first begins a fetch and the others join it."""
    tokens = TokenCache(source.fetch)
    callers = [asyncio.create_task(tokens.get()) for _ in range(3)]
    await source.began.wait()
    source.go.set()
    return await asyncio.gather(*callers, return_exceptions=True)


async def test_callers_share_a_fetch() -> None:
    source = Source("token")
    assert await three_callers(source) == ["token"] * 3
    assert source.fetches == 1


async def test_who_joins_a_fetch_that_runs_out_of_time_has_a_fetch_of_its_own() -> None:
    source = Source(LATE, "token")
    assert await three_callers(source) == [LATE, "token", "token"]
    assert source.fetches == 2


async def test_a_joiner_fetches_no_more_than_once_more() -> None:
    source = Source(LATE, LATE, "token")
    assert await three_callers(source) == [LATE] * 3
    assert source.fetches == 2


async def test_a_refusal_is_an_answer_for_everybody() -> None:
    source = Source(REFUSED, "token")
    assert await three_callers(source) == [REFUSED] * 3
    assert source.fetches == 1


async def test_a_joiner_without_time_does_not_fetch() -> None:
    source = Source(LATE, "token")
    tokens = TokenCache(source.fetch)
    first = asyncio.create_task(tokens.get())
    await source.began.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await tokens.get()
    source.go.set()
    with pytest.raises(DeadlineExceeded):
        await first
    assert source.fetches == 1
