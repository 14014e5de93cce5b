from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.store import BudgetUsedUp

if TYPE_CHECKING:
    from tests.store.conftest import Place
    from viam_mcp.store import Store


def take(store: Store, **limits: int) -> None:
    store.write(lambda tx: tx.budgets.take(limits))


def seconds(store: Store, **limits: int) -> float | None:
    """How long until the next call may run; it may not now."""
    with pytest.raises(BudgetUsedUp) as used_up:
        take(store, **limits)
    with pytest.raises(BudgetUsedUp):
        store.read(lambda tx: tx.budgets.check(limits))
    return used_up.value.seconds


def test_calls_beyond_the_budget_wait_until_the_oldest_is_an_hour_ago(place: Place, store: Store) -> None:
    take(store, b=2)
    place.clock.now += 600
    take(store, b=2)
    assert seconds(store, b=2) == 3000
    place.clock.now += 3000
    take(store, b=2)
    assert seconds(store, b=2) == 600


def test_asking_whether_there_is_room_takes_none(store: Store) -> None:
    for _ in range(3):
        store.read(lambda tx: tx.budgets.check({"b": 1}))
    take(store, b=1)


def test_a_budget_of_zero_has_no_room(store: Store) -> None:
    assert seconds(store, b=0) is None


def test_a_budget_that_was_made_smaller_counts_what_ran_before(place: Place, store: Store) -> None:
    for _ in range(3):
        take(store, b=3)
        place.clock.now += 600
    assert seconds(store, b=1) == 3000
    assert seconds(store, b=2) == 2400


def test_a_budget_holds_over_restarts_and_for_all_processes(place: Place) -> None:
    take(place.open(), b=1)
    assert seconds(place.open(), b=1) == 3600


def test_budgets_of_other_names_are_other_budgets(store: Store) -> None:
    take(store, a=1)
    take(store, b=1)


def test_a_call_counts_for_all_of_its_budgets_or_for_none(store: Store) -> None:
    take(store, b=1)
    assert seconds(store, a=1, b=1) == 3600
    take(store, a=1)


def test_a_call_that_does_not_begin_is_not_counted(store: Store) -> None:
    def fails(tx: Any) -> None:
        tx.budgets.take({"b": 1})
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fails)
    take(store, b=1)


def test_a_clock_that_was_set_back_stops_calls_for_an_hour_and_no_longer(place: Place, store: Store) -> None:
    take(store, b=1)
    place.clock.now -= 1_000_000
    assert seconds(store, b=1) == 3600
    store.write(lambda tx: tx.budgets.take({"b": 2}))
    place.clock.now += 3600
    take(store, b=1)


def test_a_clock_between_two_milliseconds_makes_no_difference(place: Place, store: Store) -> None:
    place.clock.now += 0.0006
    take(store, b=2)
    take(store, b=2)
    assert seconds(store, b=2) == 3600


def test_what_ran_long_ago_does_not_stay_in_the_table(place: Place, store: Store) -> None:
    for _ in range(3):
        take(store, b=3)
    place.clock.now += 3600
    take(store, b=3)
    assert place.sql("SELECT count(*) FROM budget_uses")[0][0] == 1


def test_of_those_that_take_the_last_at_once_one_gets_it(place: Place) -> None:
    start, taken = threading.Barrier(8), list[int]()
    stores = [place.open() for _ in range(8)]
    for store in stores:
        store.read(lambda tx: tx.now)

    def race(number: int) -> None:
        start.wait(30)
        try:
            # Each names its budgets in another order.
            names = ("a", "b") if number % 2 else ("b", "a")
            stores[number].write(lambda tx: tx.budgets.take(dict.fromkeys(names, 1)))
        except BudgetUsedUp:
            return
        taken.append(number)

    racers = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert len(taken) == 1
