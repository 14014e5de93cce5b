from __future__ import annotations

import re
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.store.conftest import KEY, YES, an_operation, approve, ask
from viam_mcp.store import GivenAnswer, OperationConflict, RoomFull, RoomLimits, State, StoreCorrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.store.conftest import Place
    from viam_mcp.store import Operation, Store, Transaction

NO = GivenAnswer("declined", "alice", "form")


def test_an_operation_has_a_short_id_and_comes_back_as_it_was_asked(store: Store) -> None:
    asked = ask(
        store, client="claude", requester="token:alice", preview="⚠️ Delete\n👩‍🔧 m1", arguments='{"a":"\\u0000"}'
    )
    assert re.fullmatch(r"op-[0-9a-z]{4}-[0-9a-z]{4}", asked.id)
    assert asked.state is State.OPEN
    found = store.read(lambda tx: tx.operations.find(asked.id, "caller-a"))
    assert found == asked


def test_an_operation_survives_a_restart(place: Place) -> None:
    first = place.open()
    asked = ask(first)
    first.close()
    assert place.open().read(lambda tx: tx.operations.find(asked.id, "caller-a")) == asked


def test_an_operation_is_worthless_to_another_caller(store: Store) -> None:
    asked = ask(store)
    assert store.read(lambda tx: tx.operations.find(asked.id, "caller-b")) is None
    for step in _steps(asked.id, "caller-b"):
        with pytest.raises(OperationConflict) as conflict:
            store.write(step)
        assert conflict.value.state is None
    assert _state(store, asked) is State.OPEN


def test_an_approved_operation_runs_once(store: Store) -> None:
    asked = ask(store)
    answered = approve(store, asked)
    assert answered.state is State.ANSWERED
    run = store.write(lambda tx: tx.runs.start({}, asked.id, "caller-a"))
    assert _state(store, asked) is State.RUNNING
    for step in _steps(asked.id, "caller-a"):
        with pytest.raises(OperationConflict) as conflict:
            store.write(step)
        assert conflict.value.state is State.RUNNING
    store.write(lambda tx: tx.runs.finish(run, State.DONE, "deleted"))
    done = store.read(lambda tx: tx.operations.find(asked.id, "caller-a"))
    assert done is not None
    assert (done.state, done.outcome, done.arguments, done.preview) == (State.DONE, "deleted", "", asked.preview)
    assert done.answer == GivenAnswer("accepted", "alice", "form", done.created, approved=True)
    with pytest.raises(OperationConflict):
        store.write(lambda tx: tx.runs.start({}, asked.id, "caller-a"))


@pytest.mark.parametrize("step", range(3))
def test_what_was_not_approved_does_not_begin(store: Store, step: int) -> None:
    asked = ask(store)
    if step == 1:
        store.write(lambda tx: tx.operations.answer(asked.id, "caller-a", NO, approved=False))
    elif step == 2:
        store.write(lambda tx: tx.operations.void(asked.id, "caller-a", "it has changed"))
    with pytest.raises(OperationConflict):
        store.write(lambda tx: tx.runs.start({}, asked.id, "caller-a"))


def test_an_approved_operation_can_be_made_void_before_it_begins(store: Store) -> None:
    asked = approve(store, ask(store))
    store.write(lambda tx: tx.operations.void(asked.id, "caller-a", "it has changed"))
    found = store.read(lambda tx: tx.operations.find(asked.id, "caller-a"))
    assert found is not None
    assert (found.state, found.outcome, found.arguments, found.preview) == (State.VOID, "it has changed", "", "")
    assert found.answer is not None


def test_the_operator_may_answer_for_any_caller(store: Store) -> None:
    asked = ask(store)
    answered = store.write(lambda tx: tx.operations.answer(asked.id, None, YES, approved=True))
    assert answered.caller == "caller-a"
    assert _state(store, asked) is State.ANSWERED


def test_of_those_that_answer_or_begin_at_once_exactly_one_succeeds(place: Place) -> None:
    asked = ask(place.open())
    assert _race(place, lambda store: approve(store, asked)) == 1
    assert _race(place, lambda store: store.write(lambda tx: tx.runs.start({}, asked.id, "caller-a"))) == 1


def test_an_expired_operation_is_neither_answered_nor_begun(place: Place, store: Store) -> None:
    first, second = ask(store), approve(store, ask(store))
    place.clock.now += 600
    for asked in (first, second):
        assert _state(store, asked) is State.EXPIRED
        for step in _steps(asked.id, "caller-a"):
            with pytest.raises(OperationConflict) as conflict:
                store.write(step)
            assert conflict.value.state is State.EXPIRED


def test_a_no_may_come_late_and_a_yes_may_not(place: Place, store: Store) -> None:
    asked = ask(store)
    place.clock.now += 600
    with pytest.raises(OperationConflict):
        store.write(lambda tx: tx.operations.answer(asked.id, "caller-a", YES, approved=True, late=True))
    store.write(lambda tx: tx.operations.answer(asked.id, "caller-a", NO, approved=False, late=True))
    assert _state(store, asked) is State.VOID


@pytest.mark.parametrize("swept", [False, True])
def test_a_clock_that_goes_forward_and_back_opens_nothing_again(place: Place, store: Store, swept: bool) -> None:
    used, declined = approve(store, ask(store)), ask(store)
    run = store.write(lambda tx: tx.runs.start({}, used.id, "caller-a"))
    store.write(lambda tx: tx.runs.finish(run, State.DONE))
    store.write(lambda tx: tx.operations.answer(declined.id, "caller-a", NO, approved=False))
    place.clock.now += 100 * 86_400
    if swept:
        store.sweep()
    place.clock.now -= 100 * 86_400
    for asked in (used, declined):
        for step in _steps(asked.id, "caller-a"):
            with pytest.raises(OperationConflict):
                store.write(step)


def test_what_was_swept_as_expired_stays_expired_when_the_clock_goes_back(place: Place, store: Store) -> None:
    asked = ask(store)
    place.clock.now += 601
    store.sweep()
    place.clock.now -= 601
    assert _state(store, asked) is State.EXPIRED
    with pytest.raises(OperationConflict):
        approve(store, asked)


def test_one_caller_fills_his_own_room_and_nobody_elses(place: Place) -> None:
    store = place.open(rooms=RoomLimits(own_number=3, own_bytes=10_000, number=5, bytes=100_000))
    asked = [ask(store) for _ in range(3)]
    with pytest.raises(RoomFull, match="your confirmations") as full:
        ask(store)
    assert full.value.is_own
    with pytest.raises(RoomFull):
        ask(store, owner="owner-b", preview="x" * 9_600)
    ask(store, owner="owner-b", preview="x" * 9_000)
    ask(store, owner="owner-c")
    with pytest.raises(RoomFull, match="all callers") as full:
        ask(store, owner="owner-d")
    assert not full.value.is_own
    store.write(lambda tx: tx.operations.void(asked[0].id, "caller-a"))
    ask(store)


def test_expired_operations_give_their_room_back(place: Place) -> None:
    store = place.open(rooms=RoomLimits(own_number=2))
    ask(store)
    approve(store, ask(store))
    place.clock.now += 600
    store.sweep()
    for _ in range(2):
        ask(store, expires=place.clock.now + 600)


def test_what_ended_long_ago_is_forgotten_and_what_ran_is_kept_longer(place: Place, store: Store) -> None:
    ran, void = approve(store, ask(store)), ask(store)
    run = store.write(lambda tx: tx.runs.start({}, ran.id, "caller-a"))
    store.write(lambda tx: tx.runs.finish(run, State.FAILED, "no"))
    store.write(lambda tx: tx.operations.void(void.id, "caller-a"))
    place.clock.now += 2 * 86_400
    store.sweep()
    assert _state(store, ran) is State.FAILED
    assert store.read(lambda tx: tx.operations.find(void.id)) is None
    place.clock.now += 30 * 86_400
    store.sweep()
    assert store.read(lambda tx: tx.operations.find(ran.id)) is None


def test_operations_are_listed_newest_first_by_page_and_state(place: Place, store: Store) -> None:
    asked = []
    for _ in range(5):
        asked.append(ask(store))
        place.clock.now += 1
    approve(store, asked[1])
    first = store.read(lambda tx: tx.operations.latest([State.OPEN], limit=3))
    assert [one.id for one in first] == [asked[4].id, asked[3].id, asked[2].id]
    second = store.read(lambda tx: tx.operations.latest([State.OPEN], before=first[-1].created))
    assert [one.id for one in second] == [asked[0].id]
    assert len(store.read(lambda tx: tx.operations.latest())) == 5


def test_operations_are_listed_by_what_they_are_now(place: Place, store: Store) -> None:
    old, running = ask(store), approve(store, ask(store))
    store.write(lambda tx: tx.runs.start({}, running.id, "caller-a"))
    store.write(lambda tx: tx.runs.leave())
    place.clock.now += 601
    new = ask(store, expires=place.clock.now + 1)
    for state, found in ((State.OPEN, [new]), (State.EXPIRED, [old]), (State.UNKNOWN, [running]), (State.RUNNING, [])):
        listed = store.read(partial(_listed, state))
        assert [one.id for one in listed] == [one.id for one in found]


def test_neither_arguments_nor_previews_nor_answers_stand_in_the_database(place: Place, store: Store) -> None:
    asked = ask(store, arguments='{"password": "swordfish-1"}', preview="swordfish-2")
    answer = GivenAnswer("accepted", "swordfish-3")
    store.write(lambda tx: tx.operations.answer(asked.id, "caller-a", answer, approved=True))
    rows = place.sql("SELECT * FROM operations") + place.sql("SELECT * FROM keys")
    raw = b"".join(bytes(value) for row in rows for value in row if isinstance(value, bytes | memoryview))
    assert raw
    assert b"swordfish" not in raw
    assert "swordfish" not in str(rows)
    assert bytes.fromhex(KEY) not in raw


@pytest.mark.parametrize(
    "change",
    [
        "caller = 'caller-b'",
        "tool = 'reboot'",
        "expires = expires + 1",
        "fingerprint = 'other'",
        "subjects = '[]'",
        "preview = arguments",
        "rule = ''",
    ],
)
def test_a_row_that_another_program_has_changed_is_refused(place: Place, store: Store, change: str) -> None:
    asked = ask(store)
    place.sql(f"UPDATE operations SET {change}")
    with pytest.raises(StoreCorrupted, match="changed by another program"):
        store.read(lambda tx: tx.operations.find(asked.id))


@pytest.mark.parametrize("declined", [False, True])
def test_a_state_alone_approves_nothing(place: Place, store: Store, declined: bool) -> None:
    asked = ask(store)
    if declined:
        store.write(lambda tx: tx.operations.answer(asked.id, "caller-a", NO, approved=False))
    place.sql("UPDATE operations SET state = 'answered'")
    with pytest.raises(StoreCorrupted, match="nobody has approved it"):
        store.write(lambda tx: tx.runs.start({}, asked.id, "caller-a"))


def test_an_approval_of_one_operation_approves_no_other(place: Place, store: Store) -> None:
    approve(store, ask(store))
    asked = ask(store)
    place.sql("UPDATE operations SET state = 'answered', answer = (SELECT max(answer) FROM operations)")
    with pytest.raises(StoreCorrupted, match="changed by another program"):
        store.write(lambda tx: tx.runs.start({}, asked.id, "caller-a"))


def test_a_row_of_one_megabyte_comes_back_whole(store: Store) -> None:
    text = "é" * 500_000
    asked = ask(store, arguments=text, preview=text)
    found = store.read(lambda tx: tx.operations.find(asked.id))
    assert found is not None
    assert (found.arguments, found.preview) == (text, text)


def test_whatever_a_transaction_did_is_undone_when_it_fails(store: Store) -> None:
    ids = []

    def work(tx: object) -> None:
        ids.append(tx.operations.ask(an_operation()).id)  # type: ignore[attr-defined]
        tx.audit.append({"outcome": "asked"})  # type: ignore[attr-defined]
        raise LookupError

    with pytest.raises(LookupError):
        store.write(work)
    assert store.read(lambda tx: tx.operations.find(ids[0])) is None
    assert store.read(lambda tx: tx.audit.newest()) == []


async def test_transactions_run_in_threads_of_their_own(store: Store) -> None:
    threads = {
        await store.write_async(lambda tx: threading.get_ident()),
        await store.read_async(lambda tx: threading.get_ident()),
    }
    assert threading.get_ident() not in threads


def _steps(id: str, caller: str) -> list[Callable[..., object]]:
    """Every step that a caller may try."""
    return [
        lambda tx: tx.operations.answer(id, caller, YES, approved=True),
        lambda tx: tx.operations.answer(id, caller, NO, approved=False),
        lambda tx: tx.operations.void(id, caller),
        lambda tx: tx.runs.start({}, id, caller),
    ]


def _listed(state: State, tx: Transaction) -> list[Operation]:
    return tx.operations.latest([state])


def _state(store: Store, asked: Operation) -> State | None:
    found = store.read(lambda tx: tx.operations.find(asked.id))
    return None if found is None else found.state


def _race(place: Place, step: Callable[[Store], object]) -> int:
    """How many of eight that try a step at the same time succeed, each with a store of its own."""
    start, won = threading.Barrier(8), list[int]()
    stores = [place.open() for _ in range(8)]
    for store in stores:
        store.read(lambda tx: tx.now)

    def race(number: int) -> None:
        start.wait(30)
        try:
            step(stores[number])
        except OperationConflict:
            return
        won.append(number)

    racers = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    return len(won)
