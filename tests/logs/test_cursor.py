"""A cursor outlives its tail and its process: what it says is enough to go on in the log itself."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logs.conftest import Reader
from tests.logs.server import PART, SECOND, START, LogServer, entry
from viam_mcp.app import InvalidArgument
from viam_mcp.logs import Query
from viam_mcp.logs._cursor import LONGEST_CURSOR, Position, decode, encode
from viam_mcp.logs._digest import MASK, Digest, Group, Mark, Split, group, split
from viam_mcp.logs._entries import EARLIEST, LATEST, fingerprint, nanoseconds
from viam_mcp.logs._ring import Ring

if TYPE_CHECKING:
    from viam_mcp.logs import Tails

QUERY = Query(PART)


def keys(times: list[int]) -> list[tuple[int, int]]:
    """Time and fingerprint of entries of these times, which are numbered in the order in which they came."""
    entries = [entry(str(number), time) for number, time in enumerate(times)]
    return list(zip(nanoseconds(entries), map(fingerprint, entries), strict=True))


def split_after(arrived: list[tuple[int, int]], taken: int, *, even: bool = False, lately: int = 64) -> Split:
    """What a cursor that was made after so many entries says about the whole log."""
    seen = arrived[:taken]
    groups = group(seen, Counter(key for _, key in seen[-lately:]), even=even)
    latest = tuple(Mark(time, key & MASK) for time, key in seen[-6:])
    digest = Digest(EARLIEST, EARLIEST, groups, latest, 5 * SECOND, often=True)
    position = Position(7, 12, 3, latest[:1], 5 * SECOND, often=True)
    cursor = encode(QUERY.digest, position, digest)
    assert len(cursor) < LONGEST_CURSOR
    assert decode(cursor) == (QUERY.digest, position, digest)
    return split(digest, sorted(arrived, key=lambda one: one[0]))


def unseen_after(times: list[int], taken: int) -> list[int]:
    """Which entries, by number, a reader finds new who comes back with such a cursor."""
    arrived = keys(times)
    found = split_after(arrived, taken)
    assert not found.doubtful
    assert not found.lacking
    order = sorted(range(len(times)), key=times.__getitem__)
    return [order[at] for at in found.unseen]


@given(
    gaps=st.lists(st.integers(min_value=0, max_value=3 * SECOND), min_size=1, max_size=200),
    taken=st.integers(min_value=0),
)
@settings(max_examples=100)
def test_in_a_log_that_is_in_order_a_cursor_splits_it_exactly(gaps: list[int], taken: int) -> None:
    times = [START + sum(gaps[: number + 1]) for number in range(len(gaps))]
    taken = 1 + taken % len(times)
    assert unseen_after(times, taken) == list(range(taken, len(times)))


@given(
    lateness=st.lists(st.integers(min_value=0, max_value=3 * SECOND), min_size=1, max_size=60),
    taken=st.integers(min_value=0),
)
@settings(max_examples=100)
def test_entries_that_come_late_by_seconds_are_neither_lost_nor_doubled(lateness: list[int], taken: int) -> None:
    times = [START + number * SECOND // 3 - late for number, late in enumerate(lateness)]
    taken = 1 + taken % len(times)
    assert sorted(unseen_after(times, taken)) == list(range(taken, len(times)))


@given(
    rate=st.sampled_from([2, 20, 200]),
    late=st.sampled_from([1, 5, 30]),
    often=st.sampled_from([0.01, 0.3, 1.0]),
    ahead=st.booleans(),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40)
def test_whatever_the_rate_a_cursor_says_what_was_seen_or_of_which_time_it_cannot_tell(
    rate: int, late: int, often: float, ahead: bool, seed: int
) -> None:
    draw = random.Random(seed)
    written = [(START + number * SECOND // rate, number) for number in range(500)]
    delays = [draw.uniform(0, late) * SECOND if draw.random() < often else 0 for _ in written]
    ahead_by = [3_600 * SECOND if ahead and draw.random() < 0.02 else 0 for _ in written]
    arrival = sorted(written, key=lambda one: one[0] + delays[one[1]])
    arrived = keys([time + ahead_by[number] for time, number in arrival])
    taken = draw.randint(1, 500)
    found = split_after(arrived, taken, even=often > 0.1, lately=384 if often > 0.1 else 64)
    order = sorted(range(500), key=lambda at: arrived[at][0])
    told = [at for at in range(500) if any(since <= arrived[at][0] <= until for since, until, _ in found.doubtful)]
    assert {order[at] for at in found.unseen} | set(told) >= set(range(taken, 500))
    assert all(order[at] >= taken for at in found.unseen)
    for since, until, number in found.doubtful:
        inside = [at for at in range(500) if since <= arrived[at][0] <= until]
        assert number == sum(at >= taken for at in inside)
    # Up to 20 entries a second, half of them under way, everything can be told.
    assert not found.doubtful or rate * late > 100


@pytest.mark.parametrize("number", [31, 32, 33, 64, 65, 1_000])
def test_any_number_of_entries_of_the_same_time_is_split_exactly(number: int) -> None:
    times = [START - SECOND] * 3 + [START] * number + [START + SECOND] * 3
    for taken in (1, 4, number // 2 + 3, number + 3, number + 4, len(times)):
        assert unseen_after(times, taken) == list(range(taken, len(times)))


def test_times_that_no_clock_should_show_make_a_cursor_too() -> None:
    for time in (-62_000_000_000 * SECOND, 250_000_000_000 * SECOND, 2**62 * SECOND, -(2**62) * SECOND):
        (clipped,) = nanoseconds([entry("", 0), entry("", time)])[1:]
        assert EARLIEST <= clipped <= LATEST
        assert unseen_after([clipped, START], 1) == [1]


def test_what_the_log_does_not_hold_yet_is_awaited_and_not_taken_for_something_else() -> None:
    arrived = keys([START + number * SECOND for number in range(20)])
    seen = arrived[:15]
    latest = tuple(Mark(time, key & MASK) for time, key in seen[-6:])
    digest = Digest(EARLIEST, EARLIEST, group(seen, Counter(key for _, key in seen)), latest)
    log = [one for at, one in enumerate(arrived) if at not in (12, 14)]
    found = split(digest, log)
    assert [log[at] for at in found.unseen] == arrived[15:]
    assert found.awaited == [latest[3], latest[5]]


def test_a_log_that_has_lost_what_was_seen_is_lacking() -> None:
    arrived = keys([START + number * SECOND for number in range(40)])
    digest = Digest(EARLIEST, EARLIEST, group(arrived[:30], Counter()))
    assert split(digest, arrived[5:]).lacking


def test_where_it_cannot_be_told_which_entries_are_new_their_times_and_their_number_are() -> None:
    arrived = keys([START + number * SECOND for number in range(60)])
    digest = Digest(EARLIEST, EARLIEST, (Group(START, 30, 0),))
    found = split(digest, arrived)
    assert found.doubtful == [(arrived[0][0], arrived[-1][0], 30)]
    assert not found.unseen
    assert not found.lacking


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_a_cursor_that_was_cut_or_changed_is_refused(at: int) -> None:
    seen = keys([START + number * SECOND for number in range(20)])
    cursor = encode(QUERY.digest, Position(1, 2, 3), Digest(START, START, group(seen, Counter())))
    at %= len(cursor) - 1  # the last character has bits that say nothing
    for broken in (cursor[:at], cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]):
        with pytest.raises(InvalidArgument, match="cursor: this is not one"):
            decode(broken)


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


def test_of_the_entries_that_are_gone_a_ring_knows_about_from_when_to_when_they_were() -> None:
    entries = [entry(str(number), START + number * SECOND) for number in range(1, 1_001)]
    times, ring = nanoseconds(entries), Ring(10, 1 << 20)
    for number in range(1_000):
        ring.extend(entries[number : number + 1], times[number : number + 1])
    assert ring.first == 991
    assert ring.bounds(990) is None
    for start in (0, 300, 600, 900):
        bounds = ring.bounds(start)
        assert bounds is not None
        assert bounds[1] == times[989]
        assert times[max(start - 512, 0)] <= bounds[0] <= times[start]
