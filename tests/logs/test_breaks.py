"""Whatever breaks: nothing is lost, nothing is doubled, and the order stays."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.logs.conftest import Reader
from tests.logs.server import SECOND, START, WRONGS, LogServer, entry, token_ends
from tests.pace import PATIENCE

if TYPE_CHECKING:
    from viam_mcp.logs import Tails

TailsWith = "Callable[..., AbstractAsyncContextManager[Tails]]"


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.__name__)
async def test_what_is_logged_during_a_break_comes_once_and_in_order(
    server: LogServer, tails: Tails, wrong: Any
) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    server.emit(*(entry(f"before {n}", START + n) for n in range(3)))
    await reader.until(3)
    server.break_streams(wrong)
    server.emit(*(entry(f"during {n}", START + SECOND + n) for n in range(3)))
    await server.until_streams(1)
    server.emit(*(entry(f"after {n}", START + 2 * SECOND + n) for n in range(3)))
    expected = [f"{when} {n}" for when in ("before", "during", "after") for n in range(3)]
    assert await reader.until(9) == expected
    assert server.opened == 2
    assert not reader.gaps


@pytest.mark.parametrize("disorder", [0, 3 * SECOND], ids=["in order", "out of order by seconds"])
@pytest.mark.parametrize("seed", range(1))
async def test_two_hundred_breaks_lose_and_double_nothing(
    server: LogServer, tails_with: Any, seed: int, disorder: int
) -> None:
    rng = random.Random(seed)
    sent = 0

    def say() -> None:
        nonlocal sent
        # Entries share their time, five to each.
        times = (START + (sent + n) // 5 * SECOND // 5 - rng.randint(0, disorder) for n in range(rng.randint(1, 4)))
        entries = [entry(str(sent + n), at) for n, at in enumerate(times)]
        sent += len(entries)
        server.emit(*entries)

    async def reopened() -> None:
        # A deaf stream is noticed by what it does not bring.
        while not server.streams:
            say()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await server.until_streams(1)

    async with tails_with(quiet=0.01) as tails, asyncio.timeout(PATIENCE):
        reader = Reader(tails)
        await reader.read(wait=0)
        for _ in range(200):
            server.repeat = rng.choice([0, 0, 7])
            server.headers_first = rng.random() < 0.5
            server.batch = rng.choice([1, 4, 100])
            say()
            if rng.random() < 0.5:
                await reopened()
            if rng.random() < 0.5:
                await reader.read(wait=0, limit=rng.choice([2, 5, 100]))
            say()
            wrong = rng.choice(WRONGS)
            if wrong is token_ends:
                # A key whose new token is refused as well counts as refused for good.
                await reopened()
            server.break_streams(wrong)
            say()
        await reader.until(sent)
    expected = [str(number) for number in range(sent)]
    assert sorted(reader.messages, key=int) == expected
    if not disorder:
        assert reader.messages == expected
    assert not reader.gaps
    assert server.opened > 100
