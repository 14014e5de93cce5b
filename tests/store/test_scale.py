"""What a store costs does not grow with what is in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.store.conftest import YES, approve, ask
from viam_mcp.store import AuditFilter, RoomLimits, State

if TYPE_CHECKING:
    from tests.store.conftest import Place
    from viam_mcp.store import Store, Transaction

_SMALL = {"schema_version", "store", "audit_head", "keys", "holders", "runs"}
_COPIED = [
    "caller",
    "owner",
    "tool",
    "fingerprint",
    "rule",
    "way",
    "client",
    "requester",
    "subjects",
    "created",
    "expires",
    "state",
    "size",
    "arguments",
    "preview",
]


def a_confirmed_call(store: Store) -> None:
    """Do everything that a confirmed call does in the store."""
    asked = ask(store)
    approve(store, asked)

    def begin(tx: Transaction) -> object:
        tx.budgets.take({"b": 100})
        tx.audit.append({"tool": "delete_robot", "operation": asked.id, "subjects": ["m1", "m2"], "outcome": "started"})
        return tx.runs.start({}, asked.id, "caller-a")

    run = store.write(begin)
    store.write(lambda tx: tx.runs.finish(run, State.DONE))  # type: ignore[arg-type]
    secret = store.write(lambda tx: tx.secrets.reserve("owner-a", "create_key"))
    store.write(lambda tx: tx.secrets.fill(secret, "swordfish"))
    store.write(lambda tx: tx.secrets.take(secret))


def test_no_step_of_a_call_reads_a_whole_table(sqlite_place: Place) -> None:
    store = sqlite_place.open()
    store.write(lambda tx: None)
    statements: list[str] = []
    raw = store._database._writer  # type: ignore[union-attr]
    raw.set_trace_callback(statements.append)
    a_confirmed_call(store)
    store.sweep()
    raw.set_trace_callback(None)
    steps = [one for one in statements if re.match(r"SELECT|INSERT|UPDATE|DELETE", one)]
    assert len(steps) > 30
    for statement in steps:
        for *_, plan in sqlite_place.sql(f"EXPLAIN QUERY PLAN {statement}"):
            table = re.match(r"SCAN (\w+)(?! USING COVERING INDEX)", plan)
            assert table is None or table[1] in _SMALL, f"{plan}: {statement}"


@pytest.mark.parametrize(
    "wanted",
    [
        AuditFilter(tools=["a"]),
        AuditFilter(callers=["a"]),
        AuditFilter(outcomes=["a"]),
        AuditFilter(operation="a"),
        AuditFilter(subject="a"),
        AuditFilter(tools=["a", "b"], outcomes=["c"], since=1.0),
    ],
)
def test_the_audit_is_searched_by_an_index(sqlite_place: Place, wanted: AuditFilter) -> None:
    store = sqlite_place.open()
    store.read(lambda tx: tx.now)
    statements: list[str] = []
    reader = store._database._readers[0]  # type: ignore[union-attr]
    reader.set_trace_callback(statements.append)
    store.read(lambda tx: tx.audit.newest(wanted))
    reader.set_trace_callback(None)
    (statement,) = [one for one in statements if "FROM audit a" in one]
    plans = [plan for *_, plan in sqlite_place.sql(f"EXPLAIN QUERY PLAN {statement}")]
    assert any("SEARCH" in plan for plan in plans), plans
    assert not any(plan.startswith("SCAN a") for plan in plans), plans


@pytest.mark.slow
def test_twenty_thousand_open_operations_are_held_answered_and_swept(place: Place) -> None:
    store = place.open(rooms=RoomLimits(own_number=30_000))
    first = ask(store)
    copied = ", ".join(f"o.{one}" for one in _COPIED)
    place.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        f"INSERT INTO operations (id, {', '.join(_COPIED)}) SELECT 'op-' || n.i, {copied} FROM n, operations o"
    )
    place.sql("UPDATE rooms SET number = 20001, bytes = 20001 * bytes")
    asked = ask(store)
    store.write(lambda tx: tx.operations.answer(first.id, "caller-a", YES, approved=True))
    listed = store.read(lambda tx: tx.operations.latest([State.ANSWERED]))
    assert [one.id for one in listed] == [first.id]
    place.clock.now += 600
    assert store.read(lambda tx: tx.operations.latest([State.OPEN])) == []
    for _ in range(41):
        store.sweep()
    assert place.sql("SELECT count(*) FROM operations WHERE state <> 'expired'") == [(0,)]
    assert place.sql("SELECT owner, number, bytes FROM rooms") == [("", 0, 0)]
    assert store.read(lambda tx: tx.operations.find(asked.id)) is not None
