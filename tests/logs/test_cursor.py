"""A cursor outlives its tail and its process: what it says is enough to go on in the log itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logs.conftest import Reader
from tests.logs.server import PART, SECOND, START, LogServer, entry
from viam_mcp.app import LogEntry
from viam_mcp.logs import Query
from viam_mcp.logs._cursor import MOST_KNOWN, Unseen, decode, encode, position_after
from viam_mcp.logs._entries import EVER, nanoseconds

if TYPE_CHECKING:
    from viam_mcp.logs import Tails

LATENESS = 10 * SECOND


def records(times: list[int]) -> list[LogEntry]:
    return [LogEntry.from_proto(entry(str(number), time)) for number, time in enumerate(times)]


def unseen_after(arrived: list[LogEntry], taken: int) -> list[str]:
    """What a reader of the log finds new who comes back with a cursor made after so many entries."""
    query = Query(PART)
    position = position_after(reversed(arrived[:taken]), lowest=EVER, lateness=LATENESS)
    digest, read = decode(encode(query, position))
    assert (digest, read) == (query.digest, position)
    unseen = Unseen(read)
    return [record.message for record in sorted(arrived, key=nanoseconds) if unseen(record)]


@given(
    gaps=st.lists(st.integers(min_value=0, max_value=3 * SECOND), min_size=1, max_size=200),
    taken=st.integers(min_value=0),
)
@settings(max_examples=150)
def test_in_a_log_that_is_in_order_a_cursor_splits_it_exactly(gaps: list[int], taken: int) -> None:
    times = [START + sum(gaps[: number + 1]) for number in range(len(gaps))]
    taken = 1 + taken % len(times)
    assert unseen_after(records(times), taken) == [str(number) for number in range(taken, len(times))]


@given(
    lateness=st.lists(st.integers(min_value=0, max_value=3 * SECOND), min_size=1, max_size=60),
    taken=st.integers(min_value=0),
)
@settings(max_examples=150)
def test_entries_that_come_late_by_seconds_are_neither_lost_nor_doubled(lateness: list[int], taken: int) -> None:
    # Three a second: within the lateness there are no more than a cursor has room for.
    times = [START + number * SECOND // 3 - late for number, late in enumerate(lateness)]
    taken = 1 + taken % len(times)
    found = unseen_after(records(times), taken)
    assert sorted(found, key=int) == [str(number) for number in range(taken, len(times))]


@pytest.mark.parametrize("number", [MOST_KNOWN - 1, MOST_KNOWN, MOST_KNOWN + 1, 64, 65, 1_000])
def test_any_number_of_entries_of_the_same_time_is_split_exactly(number: int) -> None:
    times = [START - SECOND] * 3 + [START] * number + [START + SECOND] * 3
    for taken in (1, 4, number // 2 + 3, number + 3, number + 4, len(times)):
        assert unseen_after(records(times), taken) == [str(n) for n in range(taken, len(times))]


def test_times_that_no_clock_should_show_make_a_cursor_too() -> None:
    for times in ([-62_000_000_000 * SECOND], [250_000_000_000 * SECOND], [0, 250_000_000_000 * SECOND, START]):
        position = position_after(records(times), lowest=EVER, lateness=LATENESS)
        assert decode(encode(Query(PART), position))[1].known == position.known


@pytest.mark.parametrize("backwards", [0, 3 * SECOND], ids=["in order", "out of order by seconds"])
@pytest.mark.parametrize("whole", [True, False], ids=["all taken", "some taken"])
async def test_a_reader_goes_on_with_another_tail_without_loss_or_double(
    server: LogServer, tails_with: Any, backwards: int, whole: bool
) -> None:
    rng = random.Random(7)
    sent = 0
    cursor: str | None = None
    messages: list[str] = []

    def say(number: int) -> None:
        nonlocal sent
        # Five entries of each time, so that a cursor often falls among equals.
        times = [START + (sent + n) // 5 * 2 * SECOND - rng.randint(0, backwards) for n in range(number)]
        server.emit(*(entry(str(sent + n), time) for n, time in enumerate(times)))
        sent += number

    for _ in range(30):
        async with tails_with() as tails:
            reader = Reader(tails)
            reader.cursor, first = cursor, cursor is None
            if first:
                await reader.read(wait=0)
            say(rng.randint(0, 9))
            if rng.random() < 0.5:
                await server.until_streams(1) if tails.open else None
                say(rng.randint(1, 9))
            if whole:
                await reader.until(sent - len(messages))
            else:
                await reader.read(wait=0, limit=rng.randint(1, 7))
            messages += reader.messages
            cursor = reader.cursor
        await server.until_streams(0)
        say(rng.randint(0, 9))
    async with tails_with() as tails:
        reader = Reader(tails)
        reader.cursor = cursor
        messages += await reader.until(sent - len(messages), limit=3)
    assert sorted(messages, key=int) == [str(number) for number in range(sent)]
    if not backwards:
        assert messages == [str(number) for number in range(sent)]


async def test_a_tail_goes_on_from_what_was_read_by_other_means(server: LogServer, tails: Tails) -> None:
    server.log += [entry(str(number), START + number * SECOND) for number in range(20)]
    page = await tails._app.robot_part_logs_page(PART, log_levels=["error"], limit=5)
    reader = Reader(tails)
    reader.cursor = tails.cursor(PART, page, whole=False, errors_only=True)
    server.log.append(entry("20", START + 20 * SECOND))
    assert await reader.until(1) == ["20"]
    await server.until_streams(1)
    server.emit(entry("21", START + 21 * SECOND))
    assert await reader.until(2) == ["20", "21"]


async def test_a_log_that_was_empty_goes_on_with_its_first_entry(server: LogServer, tails_with: Any) -> None:
    async with tails_with() as tails:
        reader = Reader(tails)
        await reader.read(wait=0)
    server.log.append(entry("first", START + 590 * SECOND))
    async with tails_with() as tails:
        reader.tails = tails
        assert await reader.until(1) == ["first"]


async def test_what_comes_while_the_log_is_read_on_is_given_once(server: LogServer, tails_with: Any) -> None:
    async with tails_with() as tails:
        reader = Reader(tails)
        await reader.read(wait=0)
    async with tails_with() as tails:
        other = Reader(tails)
        await other.read(wait=0)
        await server.until_streams(1)
        server.emit(*(entry(str(n), START + n) for n in range(3)))
        await other.until(3)
        reader.tails = tails

        async def answer(call: Any) -> None:
            server.emit(entry("3", START + 3))
            await other.until(4)
            await server._answer(call)
            server.on("GetRobotPartLogs", server._answer)

        server.on("GetRobotPartLogs", answer)
        assert await reader.until(4) == ["0", "1", "2", "3"]
        server.emit(entry("4", START + 4))
        assert await reader.until(5) == ["0", "1", "2", "3", "4"]
