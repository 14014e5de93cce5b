"""How many calls run at the same time, and how the others wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viam_mcp.calls import Busy, Kind, Limits, call_limiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.calls import ConcurrencyLimiter


class Calling:
    """Calls that take slots, each until it is told to end."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.limiter = limiter
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
        with await self.limiter.take(caller, tool):
            self.began.append(name)
            await self._ends[name].wait()

    @staticmethod
    async def settle() -> None:
        # Nothing here waits for anything outside, so a few turns of the loop are enough.
        for _ in range(5):
            await asyncio.sleep(0)

    async def end_all(self) -> None:
        for event in self._ends.values():
            event.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        assert (self.limiter.running, self.limiter.waiting) == (0, 0)
        assert self.limiter.limits.idle


@asynccontextmanager
async def calling(
    at_once: int,
    *,
    per_caller: int | None = None,
    per_tool: int | None = None,
    waiting: int = 1_000,
    waiting_per_caller: int | None = None,
) -> AsyncIterator[Calling]:
    limits = (
        Limits()
        .with_limit(Kind.CALLS, each=per_caller or at_once, in_all=at_once)
        .with_limit(Kind.TOOL_CALLS, each=per_tool or at_once)
        .with_limit(Kind.WAITING_CALLS, each=waiting_per_caller or waiting, in_all=waiting)
    )
    calls = Calling(call_limiter(limits))
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
        assert calls.limiter.waiting == 2


async def test_the_time_to_come_back_follows_from_how_long_calls_take() -> None:
    async with calling(at_once=1, waiting=3) as calls:
        calls.limiter._mean = 4.0
        for name in "1234":
            await calls.begin(name)
        assert (await calls.refused()).retry_after == 12
        calls.limiter._mean = 1_000.0
        assert (await calls.refused()).retry_after == 60


async def test_a_call_that_is_cancelled_gives_up_its_place() -> None:
    async with calling(at_once=1) as calls:
        for name in "123":
            await calls.begin(name)
        await calls.cancel("2")
        await calls.cancel("1")
        assert calls.began == ["1", "3"]


async def test_a_call_that_is_cancelled_as_it_gets_a_slot_passes_it_on() -> None:
    async with calling(at_once=1) as calls:
        for name in "123":
            await calls.begin(name)
        following = calls.limiter._queue[0]
        calls._ends["1"].set()
        for _ in range(5):
            if following.granted.is_set():
                break  # and does not know it yet
            await asyncio.sleep(0)
        await calls.cancel("2")
        assert following.granted.is_set()
        assert calls.began == ["1", "3"]


@given(steps=st.lists(st.tuples(st.sampled_from("be c"), st.integers(0, 30), st.sampled_from("xyz")), max_size=60))
def test_no_limit_is_ever_passed_and_every_slot_is_given_back(steps: list[tuple[str, int, str]]) -> None:
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
                assert calls.limiter.running <= 3
                assert calls.limiter.waiting <= 5
                used = calls.limiter.limits.used
                assert all(used(Kind.CALLS, caller) <= 2 and used(Kind.WAITING_CALLS, caller) <= 3 for caller in "xyz")
                assert all(used(Kind.TOOL_CALLS, f"tool {number}") <= 2 for number in range(3))

    asyncio.run(run())
