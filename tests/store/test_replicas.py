"""Processes that share a store, and are killed in the middle of what they do."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.store.conftest import YES, an_operation
from viam_mcp.store import OperationConflict, State, StoreError, Timeouts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.conftest import Place
    from viam_mcp.store import Operation, Transaction

REPLICAS, CALLERS = 3, 51
KILLS = int(os.environ.get("VIAM_MCP_TEST_KILLS", "8"))  # 100 now and then
FIRST_OPERATIONS, NEW_OPERATIONS = 40, 3
LEASE = 1.0


class Replica:
    """A process in which callers confirm and run operations that anybody has asked for.

    Args:
        place: The store.
        fleet: What each run writes its operation's id to: it stands for the fleet.
    """

    def __init__(self, place: Place, fleet: Path) -> None:
        self._place = place
        self._fleet = fleet
        # Forked, so that one lives within milliseconds. The parent has neither threads nor connections.
        self.process = multiprocessing.get_context("fork").Process(target=self._serve)
        self.process.start()

    def kill(self) -> None:
        """Kill it with whatever it does."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join(30)

    def _serve(self) -> None:
        store = self._place.open(clock=None, timeouts=Timeouts(lease=LEASE))

        def call() -> None:
            while True:
                try:
                    waiting = store.read(lambda tx: tx.operations.latest([State.OPEN, State.ANSWERED]))
                    for operation in waiting:
                        confirm(operation)
                    store.sweep()
                    time.sleep(0.01)
                except StoreError:
                    # A busy machine; another round follows.
                    time.sleep(0.01)

        def confirm(operation: Operation) -> None:
            try:
                if operation.state is State.OPEN:
                    store.write(lambda tx: answer(tx, operation.id))
                run = store.write(lambda tx: begin(tx, operation.id))
            except OperationConflict:
                return  # another was quicker
            with self._fleet.open("a") as file:
                file.write(f"{operation.id}\n")
            store.write(lambda tx: end(tx, operation.id, run))

        callers = [threading.Thread(target=call) for _ in range(CALLERS // REPLICAS)]
        for caller in callers:
            caller.start()


def answer(tx: Transaction, operation: str) -> None:
    tx.operations.answer(operation, "caller-a", YES, approved=True)
    tx.audit.append({"operation": operation, "outcome": "accepted"})


def begin(tx: Transaction, operation: str) -> object:
    tx.budgets.take({"b": 1_000_000})
    run = tx.runs.start({"operation": operation}, operation, "caller-a")
    tx.audit.append({"operation": operation, "outcome": "started", "call": run.id})
    return run


def end(tx: Transaction, operation: str, run: object) -> None:
    tx.runs.finish(run, State.DONE, "done")  # type: ignore[arg-type]
    tx.audit.append({"operation": operation, "outcome": "done", "call": run.id})  # type: ignore[attr-defined]


def ask(place: Place, number: int) -> list[str]:
    store = place.open(clock=None)

    def work(tx: Transaction) -> list[str]:
        return [tx.operations.ask(an_operation(expires=9e9)).id for _ in range(number)]

    ids = store.write(work)
    store.close()
    return ids


@pytest.mark.slow
def test_of_replicas_that_are_killed_all_the_time_nothing_is_lost_or_done_twice(
    own_place: Place, tmp_path: Path
) -> None:
    place, fleet, chance = own_place, tmp_path / "fleet", random.Random(1)
    asked = ask(place, FIRST_OPERATIONS)
    fleet.touch()
    replicas = [Replica(place, fleet) for _ in range(REPLICAS)]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.01, 0.1))
        asked += ask(place, NEW_OPERATIONS)
        number = chance.randrange(REPLICAS)
        replicas[number].kill()
        replicas[number] = Replica(place, fleet)
    store = place.open(clock=None, timeouts=Timeouts(lease=LEASE))
    deadline = time.monotonic() + 120
    waiting = [State.OPEN, State.ANSWERED, State.RUNNING]
    while store.read(lambda tx: tx.operations.latest(waiting)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for replica in replicas:
        replica.kill()
    time.sleep(1.2 * LEASE)
    store.sweep()

    found = {one.id: one.state for one in store.read(lambda tx: tx.operations.latest(limit=10_000))}
    written = Counter(fleet.read_text().split())
    lines = [line.entry for line in store.read(lambda tx: list(tx.audit.oldest()))]
    events = Counter((entry["operation"], entry["outcome"]) for entry in lines)
    assert set(found) == set(asked)
    assert set(found.values()) <= {State.DONE, State.UNKNOWN}
    for one, state in found.items():
        assert written[one] == 1 or (written[one], state) == (0, State.UNKNOWN)
        assert events[one, "accepted"] == events[one, "started"] == 1
        # Every beginning has an end. One that was taken for gone, and was only slow, has told what became of it since.
        assert events[one, "done"] == (state is State.DONE)
        assert events[one, "unknown"] >= (state is State.UNKNOWN)
        assert events[one, "unknown"] <= 1
    assert place.sql("SELECT count(*) FROM runs")[0][0] == 0
    assert place.sql("SELECT count(*) FROM budget_uses")[0][0] == len(asked)
    assert place.sql("SELECT sum(number), sum(bytes) FROM rooms")[0] in ((0, 0), (None, None))
    assert store.read(lambda tx: tx.audit.verify()).findings == []
