from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.store.conftest import approve, ask
from viam_mcp.store import State, StoreError, Timeouts

if TYPE_CHECKING:
    from tests.store.conftest import Place
    from viam_mcp.store import Operation, Run, Store

ENTRY = {"tool": "delete_robot", "caller": "alice", "subjects": ["m1"]}


def start(store: Store, operation: Operation | None = None) -> Run:
    return store.write(lambda tx: tx.runs.start(ENTRY, operation.id if operation else None, "caller-a"))


def state(store: Store, operation: Operation) -> State:
    found = store.read(lambda tx: tx.operations.find(operation.id))
    assert found is not None
    return found.state


def outcomes(store: Store) -> list[object]:
    return [line.entry["outcome"] for line in store.read(lambda tx: list(tx.audit.oldest()))]


def killed(store: Store) -> None:
    """Let a process be gone: it says no more that it lives."""
    store._heart.stop()


def test_what_a_process_that_has_gone_was_running_is_shown_as_unknown(place: Place) -> None:
    gone, other = place.open(), place.open()
    asked = approve(gone, ask(gone))
    start(gone, asked)
    killed(gone)
    assert state(other, asked) is State.RUNNING
    place.clock.now += 21
    assert state(other, asked) is State.UNKNOWN


def test_what_a_process_that_has_gone_left_behind_is_written_to_the_audit_once(place: Place) -> None:
    gone, others = place.open(), [place.open(), place.open()]
    asked = approve(gone, ask(gone))
    runs = [start(gone, asked), start(gone)]
    killed(gone)
    place.clock.now += 21
    for other in others:
        other.sweep()
    lines = others[0].read(lambda tx: list(tx.audit.oldest()))
    assert {line.entry["call"] for line in lines} == {run.id for run in runs}
    assert all(line.entry["outcome"] == "unknown" and line.entry["tool"] == "delete_robot" for line in lines)
    assert len(lines) == 2
    assert state(others[0], asked) is State.UNKNOWN
    assert place.sql("SELECT count(*) FROM runs")[0][0] == 0
    assert place.sql("SELECT count(*) FROM holders")[0][0] == 0


def test_a_process_that_was_only_slow_still_tells_what_became_of_it(place: Place) -> None:
    slow, other = place.open(), place.open()
    asked = approve(slow, ask(slow))
    run = start(slow, asked)
    place.clock.now += 21
    other.sweep()
    assert state(other, asked) is State.UNKNOWN
    slow.write(lambda tx: tx.runs.finish(run, State.DONE, "deleted"))
    assert state(other, asked) is State.DONE
    with pytest.raises(StoreError):
        place.open(timeouts=Timeouts(lease=-1)).write(lambda tx: (_ for _ in ()).throw(StoreError("undone")))
    assert state(other, asked) is State.DONE


def test_a_process_that_says_that_it_lives_keeps_what_it_runs(place: Place) -> None:
    store, other = place.open(), place.open()
    asked = approve(store, ask(store))
    start(store, asked)
    for _ in range(3):
        place.clock.now += 15
        store.write(lambda tx: tx.runs.renew())
        other.sweep()
        assert state(other, asked) is State.RUNNING
    assert outcomes(other) == []


def test_a_process_that_runs_something_says_by_itself_that_it_lives(place: Place) -> None:
    store = place.open(timeouts=Timeouts(lease=0.04))
    run = start(store)
    heart = store._heart._thread
    assert heart is not None
    store.write(lambda tx: tx.runs.finish(run, State.DONE))
    heart.join(30)
    assert not heart.is_alive()
    assert store._heart._thread is None
    start(store)
    assert store._heart._thread is not None


def test_what_a_process_that_ends_still_runs_counts_as_left_behind_at_once(place: Place) -> None:
    store, other = place.open(), place.open()
    asked = approve(store, ask(store))
    start(store, asked)
    store.close()
    assert state(other, asked) is State.UNKNOWN
    other.sweep()
    assert outcomes(other) == ["unknown"]


def test_a_run_that_ended_is_not_taken_for_one_that_was_left_behind(place: Place) -> None:
    store, other = place.open(), place.open()
    asked = approve(store, ask(store))
    run = start(store, asked)
    store.write(lambda tx: tx.runs.finish(run, State.FAILED, "no such machine"))
    place.clock.now += 21
    other.sweep()
    assert state(other, asked) is State.FAILED
    assert outcomes(other) == []
