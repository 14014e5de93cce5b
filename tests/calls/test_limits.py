"""Turns, and not asking an upstream that does not answer."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status
from hypothesis import given
from hypothesis import strategies as st

from viam_mcp.app import DeadlineExceeded, NotFound, Unavailable
from viam_mcp.calls._breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from viam_mcp.calls._limits import Busy, Limits, Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Calling:
    """Calls that take turns, each until it is told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, caller: str = "a", tool: str = "get_robot") -> None:
        """Begin a call as far as it goes by itself."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._call(name, caller, tool))
        await self.settle()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await self.settle()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait({self._tasks[name]})
        await self.settle()

    async def refused(self, caller: str = "a", tool: str = "get_robot") -> Busy:
        with pytest.raises(Busy) as caught:
            await self._call("refused", caller, tool)
        return caught.value

    async def _call(self, name: str, caller: str, tool: str) -> None:
        with await self.turns.take(caller, tool):
            self.began.append(name)
            await self._ends[name].wait()

    @staticmethod
    async def settle() -> None:
        # Nothing here waits for the world outside, so a few turns of the loop are all that can happen.
        for _ in range(5):
            await asyncio.sleep(0)

    async def end_all(self) -> None:
        for event in self._ends.values():
            event.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        assert (self.turns.running, self.turns.waiting) == (0, 0)
        assert not self.turns._by_caller
        assert not self.turns._by_tool
        assert not self.turns._queued


@asynccontextmanager
async def calling(**limits: int) -> AsyncIterator[Calling]:
    calls = Calling(Turns(Limits(**limits)))
    yield calls
    await calls.end_all()


async def test_what_does_not_fit_waits_and_comes_in_order() -> None:
    async with calling(at_once=2) as calls:
        for name in "1234":
            await calls.begin(name)
        assert calls.began == ["1", "2"]
        await calls.end("2")
        assert calls.began == ["1", "2", "3"]
        await calls.end("1")
        assert calls.began == ["1", "2", "3", "4"]


async def test_a_caller_with_many_calls_holds_up_its_own_alone() -> None:
    async with calling(at_once=4, per_caller=2) as calls:
        for name in "1234":
            await calls.begin(name, caller="greedy")
        await calls.begin("other", caller="modest")
        assert calls.began == ["1", "2", "other"]
        await calls.end("1")
        assert calls.began == ["1", "2", "other", "3"]


async def test_a_tool_that_hangs_leaves_room_for_others() -> None:
    async with calling(at_once=4, per_tool=3) as calls:
        for name in "12345":
            await calls.begin(name, caller=name, tool="get_robot_part_logs")
        await calls.begin("other", caller="6", tool="get_robot")
        assert calls.began == ["1", "2", "3", "other"]


async def test_a_full_queue_says_when_to_come_back() -> None:
    async with calling(at_once=1, waiting=1) as calls:
        await calls.begin("1")
        await calls.begin("2")
        busy = await calls.refused(caller="b")
        assert "This server is busy: 1 calls are waiting. Nothing was done; retry after 1 s." in str(busy)
        assert busy.retry_after == 1
        await calls.end("1")
        await calls.end("2")
        await calls.begin("3")
        assert calls.began == ["1", "2", "3"]


async def test_one_caller_cannot_fill_the_queue() -> None:
    async with calling(at_once=1, waiting=4, waiting_per_caller=1) as calls:
        await calls.begin("1")
        await calls.begin("2")
        assert "You have 1 calls waiting" in str(await calls.refused())
        await calls.begin("3", caller="b")
        assert calls.turns.waiting == 2


async def test_the_time_to_come_back_follows_from_how_long_calls_take() -> None:
    async with calling(at_once=1, waiting=3) as calls:
        calls.turns._mean = 4.0
        for name in "1234":
            await calls.begin(name)
        assert (await calls.refused()).retry_after == 12
        calls.turns._mean = 1_000.0
        assert (await calls.refused()).retry_after == 60


async def test_a_call_that_is_cancelled_gives_up_its_place() -> None:
    async with calling(at_once=1) as calls:
        for name in "123":
            await calls.begin(name)
        await calls.cancel("2")
        await calls.cancel("1")
        assert calls.began == ["1", "3"]


async def test_a_call_that_is_cancelled_as_its_turn_comes_passes_it_on() -> None:
    async with calling(at_once=1) as calls:
        for name in "123":
            await calls.begin(name)
        following = calls.turns._queue[0]
        calls._ends["1"].set()
        for _ in range(5):
            if following.granted:
                break  # and does not know it yet
            await asyncio.sleep(0)
        await calls.cancel("2")
        assert following.granted
        assert calls.began == ["1", "3"]


@given(steps=st.lists(st.tuples(st.sampled_from("be c"), st.integers(0, 30), st.sampled_from("xyz")), max_size=60))
def test_no_limit_is_ever_passed_and_every_turn_is_given_back(steps: list[tuple[str, int, str]]) -> None:
    async def run() -> None:
        async with calling(at_once=3, per_caller=2, per_tool=2, waiting=5, waiting_per_caller=3) as calls:
            for number, (step, target, who) in enumerate(steps):
                name = str(number)
                if step == "b":
                    calls._ends[name] = asyncio.Event()
                    calls._tasks[name] = asyncio.create_task(calls._call(name, who, f"tool {target % 3}"))
                elif (known := list(calls._tasks)) and step == "e":
                    calls._ends[known[target % len(known)]].set()
                elif known:
                    calls._tasks[known[target % len(known)]].cancel()
                await asyncio.sleep(0)
                turns = calls.turns
                assert turns.running <= 3
                assert turns.waiting <= 5
                assert all(count <= 2 for count in (*turns._by_caller.values(), *turns._by_tool.values()))

    asyncio.run(run())


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def call(breaker: Breaker, error: BaseException | None = None, rpc: str = "GetRobot") -> None:
    """A call that ends like this."""
    with breaker.watching(rpc):
        if error is not None:
            raise error


def fails(breaker: Breaker, error: BaseException, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(type(error)):
            call(breaker, error)


DEAD = Unavailable(Status.UNAVAILABLE, "down")
SLOW = DeadlineExceeded(Status.DEADLINE_EXCEEDED, "slow")
NO = NotFound(Status.NOT_FOUND, "none")


@pytest.mark.parametrize("error", [DEAD, SLOW])
def test_after_some_calls_without_an_answer_further_ones_fail_at_once(error: Exception) -> None:
    breaker = Breaker(Clock())
    fails(breaker, error, FAILURES)
    with pytest.raises(Busy, match=r"did not answer the last 5 calls of GetRobot.* retry after 1 s"):
        call(breaker)
    call(breaker, rpc="ListRobots")


def test_any_answer_counts_as_one() -> None:
    breaker = Breaker(Clock())
    for _ in range(3):
        fails(breaker, SLOW, FAILURES - 1)
        fails(breaker, NO)
    fails(breaker, SLOW, FAILURES - 1)
    call(breaker)
    fails(breaker, SLOW, FAILURES - 1)
    call(breaker)


def test_what_went_wrong_on_this_side_says_nothing_about_the_upstream() -> None:
    breaker = Breaker(Clock())
    fails(breaker, SLOW, FAILURES - 1)
    fails(breaker, RuntimeError())
    fails(breaker, SLOW)
    with pytest.raises(Busy):
        call(breaker)


def test_one_call_at_a_time_finds_out_whether_it_answers_again() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fails(breaker, SLOW, FAILURES)
    clock.now += FIRST_PAUSE
    with breaker.watching("GetRobot"), pytest.raises(Busy):
        call(breaker)
    call(breaker)
    fails(breaker, SLOW, FAILURES - 1)


def test_pauses_double_up_to_a_bound_while_it_does_not_answer() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fails(breaker, SLOW, FAILURES)
    waits = []
    for _ in range(8):
        with pytest.raises(Busy) as caught:
            call(breaker)
        waits.append(caught.value.retry_after)
        clock.now += caught.value.retry_after
        fails(breaker, SLOW)
    assert waits == [1, 2, 4, 8, 16, 30, 30, LONGEST_PAUSE]


def test_a_call_that_was_to_find_out_and_was_cancelled_leaves_that_to_the_next() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fails(breaker, SLOW, FAILURES)
    clock.now += FIRST_PAUSE
    fails(breaker, asyncio.CancelledError())
    call(breaker)
