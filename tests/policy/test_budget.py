from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.policy.conftest import Clock
from viam_mcp.policy import PolicyError
from viam_mcp.policy._call import Stopped
from viam_mcp.policy.record._budget import _MOST_OLD, Budget

if TYPE_CHECKING:
    from pathlib import Path


def test_calls_beyond_the_budget_are_stopped_until_the_oldest_is_an_hour_ago(tmp_path: Path) -> None:
    clock = Clock(0)
    budget = Budget(2, tmp_path / "b", clock)
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


def test_asking_whether_there_is_room_takes_none(tmp_path: Path) -> None:
    budget = Budget(1, tmp_path / "b")
    for _ in range(5):
        budget.check()
    budget.take()
    with pytest.raises(Stopped):
        budget.check()


def test_a_budget_of_zero_has_no_room(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="allows none"):
        Budget(0, tmp_path / "b").take()


def test_a_budget_that_was_made_smaller_counts_what_ran_before(tmp_path: Path) -> None:
    clock = Clock(0)
    for clock.now in (0, 600, 1200):
        Budget(3, tmp_path / "b", clock).take()
    with pytest.raises(Stopped, match="The next one may run in 61 min"):
        Budget(1, tmp_path / "b", clock).take()


def test_a_restart_is_no_way_to_a_new_budget(tmp_path: Path) -> None:
    path = tmp_path / "budgets" / "b"
    Budget(1, path).take()
    with pytest.raises(Stopped):
        Budget(1, path).take()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_of_those_that_take_the_last_at_once_one_gets_it(tmp_path: Path) -> None:
    start, taken = threading.Barrier(8), list[int]()

    def race(number: int) -> None:
        budget = Budget(1, tmp_path / "b")
        start.wait(30)
        try:
            budget.take()
        except Stopped:
            return
        taken.append(number)

    racers = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert len(taken) == 1


def test_a_clock_that_was_set_back_stops_calls_for_an_hour_and_no_longer(tmp_path: Path) -> None:
    clock = Clock(1e9)
    budget = Budget(1, tmp_path / "b", clock)
    budget.take()
    clock.now = 0
    with pytest.raises(Stopped, match="61 min"):
        budget.check()
    clock.now = 3599
    with pytest.raises(Stopped, match="1 min"):
        budget.check()
    clock.now = 3600
    budget.take()


def test_what_ran_long_ago_does_not_stay_in_the_file(tmp_path: Path) -> None:
    path, clock = tmp_path / "b", Clock(10_000)
    path.write_text("1.0\n" * (_MOST_OLD + 1))
    Budget(1, path, clock).take()
    assert path.read_text() == "10000.000\n"


@pytest.mark.parametrize("content", ["a lot\n", "nan\n", "inf\n", "1 2\n", "\udcff\n"])
def test_a_file_that_holds_something_else_stops_every_call(tmp_path: Path, content: str) -> None:
    (tmp_path / "b").write_bytes(os.fsencode(content))
    with pytest.raises(PolicyError, match="something else than times"):
        Budget(5, tmp_path / "b").take()


def test_a_file_that_cannot_be_written_stops_every_call(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(PolicyError, match="cannot be kept"):
        Budget(5, tmp_path / "b").check()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PolicyError, match="cannot be kept"):
        Budget(5, tmp_path / "link").check()


def test_a_line_that_a_crash_cut_short_is_not_made_part_of_the_next(tmp_path: Path) -> None:
    path, clock = tmp_path / "b", Clock(10_000)
    path.write_text("9000.000\n9500.0")
    budget = Budget(3, path, clock)
    budget.take()
    assert path.read_text() == "9000.000\n9500.0\n10000.000\n"
    with pytest.raises(Stopped):
        budget.take()


def test_a_clock_between_two_thousandths_is_not_taken_for_one_that_was_set_back(tmp_path: Path) -> None:
    path, clock = tmp_path / "b", Clock(10_000.0006)
    budget = Budget(2, path, clock)
    budget.take()
    file = path.stat().st_ino
    budget.take()
    assert path.stat().st_ino == file
