"""Calls that are not made while the Viam app does not answer them."""

from __future__ import annotations

import asyncio

import pytest
from grpclib.const import Status

from viam_mcp.app import DeadlineExceeded, NotFound, Unavailable
from viam_mcp.calls import Busy
from viam_mcp.calls._breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker


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
        waits.append(caught.value.retry_after or 0)
        clock.now += waits[-1]
        fails(breaker, SLOW)
    assert waits == [1, 2, 4, 8, 16, 30, 30, LONGEST_PAUSE]


def test_a_call_that_was_to_find_out_and_was_cancelled_leaves_that_to_the_next() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fails(breaker, SLOW, FAILURES)
    clock.now += FIRST_PAUSE
    fails(breaker, asyncio.CancelledError())
    call(breaker)
