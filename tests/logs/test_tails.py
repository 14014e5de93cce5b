"""Many readers, one upstream, for as long as somebody reads."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.app.service import KEY, KEY_ID, fail
from tests.logs.conftest import QUICK, Reader
from tests.logs.server import PART, SECOND, START, LogServer, entry, status, token_ends
from tests.pace import PATIENCE
from viam_mcp.app import InvalidArgument, NotFound, ResourceExhausted, Unauthenticated, connect
from viam_mcp.calls import Kind, LimitReached, Limits
from viam_mcp.logs import News, Options, Query, State, Tails

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from viam_mcp.app import AppClient

OTHER = "22222222-2222-4222-8222-222222222222"


def numbers(first: int, last: int) -> list[Any]:
    return [entry(str(n), START + n * SECOND // 1_000) for n in range(first, last)]


async def test_a_reader_gets_what_comes_after_it_began(server: LogServer, tails: Tails) -> None:
    server.log += numbers(0, 50)
    reader = Reader(tails)
    assert await reader.read(wait=0) == []
    await server.until_streams(1)
    server.emit(*numbers(50, 53))
    assert await reader.until(3) == ["50", "51", "52"]


async def test_a_reader_can_begin_with_some_of_what_was_before(server: LogServer, tails: Tails) -> None:
    server.log += numbers(0, 50)
    reader = Reader(tails, backlog=2)
    assert await reader.read() == ["48", "49"]


async def test_what_was_missed_between_two_readings_is_given(server: LogServer, tails: Tails) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    for first in range(0, 30, 10):
        server.emit(*numbers(first, first + 10))
    assert await reader.until(30, limit=7) == [str(n) for n in range(30)]


async def test_readers_share_one_upstream_and_do_not_disturb_each_other(server: LogServer, tails: Tails) -> None:
    readers = [Reader(tails) for _ in range(20)]
    await asyncio.gather(*(reader.read(wait=0) for reader in readers))
    await server.until_streams(1)
    server.emit(*numbers(0, 30))
    for number, reader in enumerate(readers):
        assert await reader.until(30, limit=number + 1) == [str(n) for n in range(30)]
    assert len(server.received("TailRobotPartLogs")) == 1


async def test_other_conditions_are_another_upstream(server: LogServer, tails: Tails) -> None:
    errors, everything, filtered = Reader(tails), Reader(tails, errors_only=False), Reader(tails, filter="a")
    for reader in (errors, everything, filtered):
        await reader.read(wait=0)
    await server.until_streams(3)
    server.emit(entry("a", START), entry("b", START, "info"), entry("c", START))
    assert await errors.until(2) == ["a", "c"]
    assert await everything.until(3) == ["a", "b", "c"]
    assert await filtered.until(1) == ["a"]
    assert tails.open == 3


class Clock:
    """Waits until it is told that the time is over."""

    def __init__(self) -> None:
        self.over: dict[float, asyncio.Event] = {}
        self.begun: dict[float, asyncio.Event] = {}

    async def pause(self, seconds: float) -> None:
        self.begun.setdefault(seconds, asyncio.Event()).set()
        await self.over.setdefault(seconds, asyncio.Event()).wait()

    async def until_waiting(self, seconds: float) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.begun.setdefault(seconds, asyncio.Event()).wait()

    def elapse(self, seconds: float) -> None:
        self.over.setdefault(seconds, asyncio.Event()).set()


async def test_an_upstream_lingers_after_its_last_reader_and_then_closes(server: LogServer, tails_with: Any) -> None:
    clock = Clock()
    async with tails_with(pause=clock.pause, linger=30.0) as tails:
        reader = Reader(tails)
        await reader.read(wait=0)
        await server.until_streams(1)
        await clock.until_waiting(30.0)
        await reader.read(wait=0)
        assert (tails.open, server.streams) == (1, 1)
        clock.elapse(30.0)
        await server.until_streams(0)
        assert tails.open == 0


async def test_a_watched_upstream_does_not_close(server: LogServer, tails_with: Any) -> None:
    async with tails_with(linger=0.0) as tails:
        with tails.watch(Query(PART)):
            await server.until_streams(1)
            await Reader(tails).read(wait=0)
            await Reader(tails).read(wait=0)
            assert tails.open == 1
        await server.until_streams(0)
    assert len(server.received("TailRobotPartLogs")) == 1


async def test_closing_ends_every_upstream_at_once(server: LogServer, tails_with: Any) -> None:
    async with tails_with() as tails:
        for part in (PART, OTHER):
            await tails.read([part])
        await server.until_streams(2)
    await server.until_streams(0)


async def test_more_tails_than_allowed_are_refused_while_all_are_watched(server: LogServer, tails_with: Any) -> None:
    async with tails_with(most_tails=1) as tails:
        with tails.watch(Query(PART)), pytest.raises(ResourceExhausted, match="1 live logs are open already"):
            await tails.read([OTHER])
        # Nobody watches it any more, so it makes room.
        await tails.read([OTHER])
        assert tails.open == 1


async def test_one_of_several_callers_watches_no_more_than_its_share(server: LogServer, tails_with: Any) -> None:
    limits = Limits().with_limit(Kind.TAILS, each=2)
    async with tails_with(most_tails=8) as tails:
        alice, bob = (tails.of(partial(limits.take_once, Kind.TAILS, name)) for name in ("alice", "bob"))
        queries = [Query(PART, filter=text) for text in "abc"]
        with alice.watch(queries[0]), alice.watch(queries[1]), alice.watch(queries[0]), bob.watch(queries[2]):
            for query in (queries[2], Query(OTHER)):
                with pytest.raises(LimitReached, match="You follow 2 live logs, which is all"), alice.watch(query):
                    pass
            with bob.watch(queries[0]), tails.watch(Query(OTHER)):
                assert alice.open == bob.open == tails.open == 4
        # What it does not watch any more takes nothing of its share.
        with alice.watch(queries[2]), alice.watch(Query(OTHER)):
            pass
    assert limits.idle


async def test_a_part_that_does_not_exist_is_said_at_once(server: LogServer, tails: Tails) -> None:
    server.on("GetRobotPartLogs", fail(Status.NOT_FOUND, "no such part"))
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            with pytest.raises(NotFound, match="no such part"):
                await tails.read([PART], wait=60)


async def test_a_deleted_part_ends_its_tail_after_its_last_words(server: LogServer, tails: Tails) -> None:
    async def gone(_call: Any) -> None:
        await fail(Status.NOT_FOUND, "the part is gone")(_call)

    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    server.emit(entry("last words"))
    server.break_streams(gone)
    assert await reader.until(1) == ["last words"]
    with pytest.raises(NotFound, match="the part is gone"):
        await reader.read()


async def test_a_key_that_is_refused_for_good_ends_the_tail(server: LogServer, tails: Tails) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    server.on("Authenticate", fail(Status.UNAUTHENTICATED, "invalid credentials"))
    server.break_streams(token_ends)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Unauthenticated):
            await reader.read(wait=PATIENCE)


async def test_a_server_that_is_away_leaves_the_reader_with_its_place(server: LogServer, tails: Tails) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    server.on("TailRobotPartLogs", fail(Status.UNAVAILABLE))
    server.on("GetRobotPartLogs", fail(Status.UNAVAILABLE, "away"))
    server.break_streams(status)
    news = await tails.read([PART], cursor=reader.cursor, wait=0.05)
    while (state := news.readings[0].upstream.state) is State.LIVE:
        news = await tails.read([PART], cursor=reader.cursor, wait=0.05)
    assert state is State.RECONNECTING
    server.on("TailRobotPartLogs", server._stream)
    server.on("GetRobotPartLogs", server._answer)
    server.emit(*numbers(0, 3))
    reader.cursor = news.cursor()
    assert await reader.until(3) == ["0", "1", "2"]


async def test_a_wait_ends_when_it_is_over_and_when_it_is_cancelled(server: LogServer, tails: Tails) -> None:
    assert not (await tails.read([PART], wait=0.01)).readings[0].entries
    waiting = asyncio.create_task(tails.read([PART], wait=60))
    await server.until_streams(1)
    waiting.cancel()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_readers_return_what_they_have_when_the_program_is_about_to_end(server: LogServer, tails: Tails) -> None:
    waiting, later = Reader(tails), Reader(tails.of(lambda query: nullcontext()))
    reading = asyncio.create_task(waiting.read())
    await server.until_streams(1)
    tails.stop_waiting()
    async with asyncio.timeout(PATIENCE / 2):
        assert await reading == []
        assert await later.read() == []
    assert waiting.cursor


async def test_equal_entries_are_as_many_as_were_logged(server: LogServer, tails: Tails) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    server.emit(entry("twin"), entry("twin"))
    assert await reader.until(2) == ["twin", "twin"]
    server.break_streams(status)
    server.repeat = 2
    await server.until_streams(1)
    server.emit(entry("after", START + SECOND))
    assert await reader.until(3) == ["twin", "twin", "after"]


async def test_an_entry_whose_keys_come_in_another_order_is_the_same(server: LogServer, tails: Tails) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    keys = [f"key {n}" for n in range(20)]
    for order in (keys, keys[::-1]):
        server.log = [entry("same", caller=dict.fromkeys(order, 1.0))]
        server.emit()
        server.break_streams(status)
        await server.until_streams(1)
    server.emit(entry("after", START + SECOND))
    assert await reader.until(2) == ["same", "after"]


async def test_an_entry_of_four_megabytes_comes_whole(server: LogServer, tails: Tails) -> None:
    reader = Reader(tails)
    await reader.read(wait=0)
    await server.until_streams(1)
    text = "x" * 4_194_304
    server.emit(entry(text), entry("after", START + 1))
    assert await reader.until(2) == [text, "after"]


async def test_a_reader_that_falls_behind_is_told_how_much_is_missing(server: LogServer, tails_with: Any) -> None:
    async with tails_with(ring_entries=10) as tails:
        slow, quick = Reader(tails), Reader(tails)
        await slow.read(wait=0)
        await quick.read(wait=0)
        await server.until_streams(1)
        for first in range(0, 50, 5):
            server.emit(*numbers(first, first + 5))
            await quick.until(first + 5)
        assert quick.messages == [str(n) for n in range(50)]
        assert await slow.read() == [str(n) for n in range(40, 50)]
        (gap,) = slow.gaps
        assert (gap.reason, gap.count) == ("fell_behind", 40)
        assert gap.since <= gap.until
        server.emit(*numbers(50, 51))
        assert await slow.read() == ["50"]
        assert len(slow.gaps) == 1


async def test_a_reader_that_never_reads_costs_no_memory(server: LogServer, tails_with: Any) -> None:
    async with tails_with(ring_entries=100, ring_bytes=2_000) as tails:
        with tails.watch(Query(PART)) as tail:
            idle, reader = Reader(tails), Reader(tails)
            await idle.read(wait=0)
            await reader.read(wait=0)
            await server.until_streams(1)
            for first in range(0, 1_000, 20):
                server.emit(*numbers(first, first + 20))
                await reader.until(first + 20)
            assert len(list(tail.ring)) <= 100
            assert tail.ring.size <= 2_000
            assert reader.messages == [str(n) for n in range(1_000)]


async def test_a_break_too_long_to_be_filled_is_said(server: LogServer, tails_with: Any) -> None:
    async with tails_with(most_filled=1_000, backlog=10) as tails:
        reader = Reader(tails)
        await reader.read(wait=0)
        await server.until_streams(1)
        server.emit(*numbers(0, 5))
        await reader.until(5)
        server.break_streams(status)
        server.emit(*numbers(5, 3_000))
        while not reader.gaps:
            await reader.read()
        while reader.messages[-1] != "2999":
            await reader.read()
        (gap,) = reader.gaps
        assert gap.reason == "not_filled"
        filled = len(reader.entries) - 10
        assert 1_000 <= filled < 2_990
        assert reader.messages == [*map(str, range(filled)), *map(str, range(2_990, 3_000))]
        assert (gap.since, gap.until) == (reader.entries[filled - 1].time, reader.entries[filled].time)
        server.emit(*numbers(3_000, 3_001))
        assert await reader.read() == ["3000"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"wait": -1}, "the time to wait is -1 s"),
        ({"wait": float("nan")}, "the time to wait is nan s"),
        ({"limit": 0}, "limit is 0"),
        ({"backlog": -1}, "backlog is -1"),
        ({"filter": "x" * 1_048_576}, "filter has 1,048,576 characters"),
        ({"cursor": ""}, "cursor: this is not one"),
        ({"cursor": "no cursor"}, "cursor: this is not one"),
        ({"cursor": "AAAA"}, "cursor: this is not one"),
        ({"cursor": "x" * 1_048_576}, "cursor: this is not one"),
    ],
)
async def test_what_cannot_be_right_is_refused_before_anything_is_opened(
    server: LogServer, tails: Tails, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidArgument, match=said):
        await tails.read([PART], **arguments)
    assert tails.open == 0
    assert server.calls == [] or [call.rpc for call in server.calls] == ["Authenticate"]


async def test_too_many_parts_at_once_are_refused(tails: Tails) -> None:
    with pytest.raises(InvalidArgument, match="17 parts were named"):
        await tails.read([f"{n:08}-1111-4111-8111-111111111111" for n in range(17)])
    with pytest.raises(InvalidArgument, match="0 parts were named"):
        await tails.read([])


async def test_a_cursor_is_good_for_its_own_part_and_conditions_only(server: LogServer, tails: Tails) -> None:
    cursor = (await tails.read([PART])).cursor()
    for parts, conditions in (([OTHER], {}), ([PART], {"errors_only": False}), ([PART], {"filter": "a"})):
        with pytest.raises(InvalidArgument, match="belongs to another part, or to other conditions"):
            await tails.read(parts, cursor=cursor, **conditions)
    for broken in (cursor[:-1], cursor[1:], cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]):
        with pytest.raises(InvalidArgument, match="cursor: "):
            await tails.read([PART], cursor=broken)


async def test_several_parts_are_read_together_and_each_goes_on_at_its_own_place(
    server: LogServer, tails: Tails
) -> None:
    first = await tails.read([PART, OTHER])
    await server.until_streams(2)
    server.emit(*numbers(0, 3))
    cursor = first.cursor()
    news = await tails.read([PART, OTHER], cursor=cursor, wait=PATIENCE)
    while not all(reading.entries for reading in news.readings):
        news = await tails.read([PART, OTHER], cursor=cursor, wait=PATIENCE)
    cursor = News([news.readings[0].cut(1), news.readings[1]]).cursor()
    news = await tails.read([OTHER, PART], cursor=cursor, wait=PATIENCE)
    assert {reading.part_id: [e.message for e in reading.entries] for reading in news.readings} == {
        PART: ["1", "2"],
        OTHER: [],
    }


async def test_one_part_that_fails_does_not_stop_the_others(server: LogServer, app: AppClient, tails: Tails) -> None:
    async def answer(call: Any) -> None:
        if call.request.id == OTHER:
            await fail(Status.PERMISSION_DENIED, "not yours")(call)
        await server._answer(call)

    server.on("GetRobotPartLogs", answer)
    server.log += numbers(0, 3)
    news = await tails.read([PART, OTHER], backlog=5, wait=PATIENCE)
    mine, others = news.readings
    assert [e.message for e in mine.entries] == ["0", "1", "2"]
    assert (others.upstream.state, others.upstream.reason) == (State.FAILED, "not yours")


class Defect:
    """Watches a client's calls, and has the next reading fail as nothing that was foreseen does."""

    armed = False
    struck = False

    @contextmanager
    def calling(self, rpc: str) -> Iterator[Mapping[str, str]]:
        if rpc == "GetRobotPartLogs" and self.armed:
            self.armed, self.struck = False, True
            raise RuntimeError("a defect")
        yield {}

    def repeating(self, rpc: str, status: str) -> None:
        """See `CallObserver`."""


async def test_an_unforeseen_failure_is_contained_and_tried_again(
    server: LogServer, caplog: pytest.LogCaptureFixture
) -> None:
    defect = Defect()
    async with (
        connect(server.url, api_key_id=KEY_ID, api_key=KEY, observer=defect) as app,
        Tails(app, Options(**QUICK)) as tails,
    ):
        reader = Reader(tails)
        await reader.read(wait=0)
        await server.until_streams(1)
        defect.armed = True
        server.break_streams(status)
        await server.until_streams(1)
        server.emit(*numbers(0, 1))
        assert await reader.until(1) == ["0"]
    assert defect.struck
    assert f"the tail of part {PART} broke" in caplog.text
