from __future__ import annotations

import pytest

from tests.policy.conftest import Clock
from viam_mcp.policy._admission import Stopped
from viam_mcp.policy._budget import Budget


def test_calls_beyond_the_budget_are_stopped_until_the_oldest_is_an_hour_ago() -> None:
    clock = Clock(0)
    budget = Budget(2, clock)
    budget.take()
    clock.now = 600
    budget.take()
    with pytest.raises(Stopped, match="The next one may run in 51 min"):
        budget.take()
    clock.now = 3600
    budget.take()
    with pytest.raises(Stopped):
        budget.check()
    clock.now = 4200
    budget.check()


def test_asking_whether_there_is_room_takes_none() -> None:
    budget = Budget(1, Clock(0))
    for _ in range(5):
        budget.check()
    budget.take()
    with pytest.raises(Stopped):
        budget.check()


def test_a_budget_of_none_has_no_end_and_one_of_zero_no_room() -> None:
    for _ in range(1000):
        Budget(None).take()
    with pytest.raises(Stopped, match="allows none"):
        Budget(0).take()
