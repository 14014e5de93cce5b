from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.conftest import YES, ask
from viam_mcp.store import (
    AuditFilter,
    Fault,
    OperationConflict,
    StoreCorrupted,
    as_text,
    open_store,
    read_checkpoints,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.store.conftest import Place
    from viam_mcp.store import AuditLine, Checkpoint, Store, Verdict


class Kept:
    """A sink that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_closed = False

    def write(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.is_closed = True


def append(store: Store, *entries: dict[str, Any]) -> None:
    """Write lines in one transaction."""

    def work(tx: Any) -> None:
        for entry in entries:
            tx.audit.append(entry)

    store.write(work)


def fill(store: Store, lines: int) -> None:
    """Write lines that differ in every column."""
    append(
        store,
        *(
            {
                "tool": f"tool_{number % 3}",
                "caller": f"caller {number % 4}",
                "outcome": "done" if number % 2 else "asked",
                "operation": f"op-{number}",
                "subjects": [f"m{number % 5}", "org"],
                "note": f"é {number}",
            }
            for number in range(1, lines + 1)
        ),
    )


def verify(store: Store, checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
    return store.read(lambda tx: tx.audit.verify(checkpoints))


def faults(verdict: Verdict) -> set[Fault]:
    return {finding.fault for finding in verdict.findings}


def numbers(lines: Iterable[AuditLine]) -> list[int]:
    return [line.number for line in lines]


def test_lines_come_back_as_they_were_written_newest_first(place: Place, store: Store) -> None:
    entry = {"tool": "delete_robot", "arguments": {"a": "\0 \ud800 é\n"}, "subjects": ["m1"], "ms": 1.5, "none": None}
    append(store, entry)
    place.clock.now += 1.25
    append(store, {"outcome": "done"})
    second, first = store.read(lambda tx: tx.audit.newest())
    assert (second.number, second.entry, second.time - first.time) == (2, {"outcome": "done"}, 1.25)
    assert first.entry == entry
    assert verify(store).is_whole


def test_a_line_is_written_with_what_it_tells_of_or_not_at_all(store: Store) -> None:
    asked = ask(store)

    def answer(tx: Any) -> None:
        tx.audit.append({"outcome": "accepted", "operation": asked.id})
        tx.operations.answer(asked.id, "caller-a", YES, approved=True)

    store.write(answer)
    with pytest.raises(OperationConflict):
        store.write(answer)
    assert numbers(store.read(lambda tx: tx.audit.newest())) == [1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AuditFilter(), range(1, 13)),
        (AuditFilter(tools=["tool_0"]), (3, 6, 9, 12)),
        (AuditFilter(tools=["tool_0", "tool_1"], outcomes=["done"]), (1, 3, 7, 9)),
        (AuditFilter(tools=[]), ()),
        (AuditFilter(callers=["caller 0"]), (4, 8, 12)),
        (AuditFilter(subject="m0"), (5, 10)),
        (AuditFilter(subject="org", outcomes=["asked"]), (2, 4, 6, 8, 10, 12)),
        (AuditFilter(subject="m"), ()),
        (AuditFilter(operation="op-7"), (7,)),
        (AuditFilter(since=1_800_000_000.0), range(1, 13)),
        (AuditFilter(until=1_800_000_000.0), ()),
    ],
)
def test_lines_are_found_by_what_they_are_about(store: Store, wanted: AuditFilter, found: Iterable[int]) -> None:
    fill(store, 12)
    assert numbers(store.read(lambda tx: list(tx.audit.oldest(wanted)))) == list(found)
    assert numbers(store.read(lambda tx: tx.audit.newest(wanted))) == sorted(found, reverse=True)


def test_lines_are_read_in_pages(store: Store) -> None:
    fill(store, 12)
    first = store.read(lambda tx: tx.audit.newest(AuditFilter(outcomes=["done"]), limit=4))
    assert numbers(first) == [11, 9, 7, 5]
    second = store.read(lambda tx: tx.audit.newest(AuditFilter(outcomes=["done"]), before=first[-1].number, limit=4))
    assert numbers(second) == [3, 1]


def test_an_audit_that_nobody_touched_is_whole_over_restarts(place: Place) -> None:
    for _ in range(3):
        store = place.open()
        fill(store, 4)
        store.close()
    verdict = verify(place.open())
    assert (verdict.lines, verdict.findings, verdict.is_whole) == (12, [], True)


@pytest.mark.parametrize("subject", ["m1", "", 'a"b', "é", "a\\b", '["x"]', "\0"])
def test_any_id_can_be_a_subject(store: Store, subject: str) -> None:
    append(store, {"subjects": [subject]}, {"subjects": [subject, "org"]}, {"subjects": []})
    assert verify(store).findings == []


def test_an_audit_without_lines_is_whole(store: Store) -> None:
    assert verify(store).is_whole


_TAMPERING = {
    "an entry": ("UPDATE audit SET entry = replace(entry, 'é 5', 'é 6') WHERE number = 5", Fault.CHANGED, 5),
    "a tool": ("UPDATE audit SET tool = 'other' WHERE number = 5", Fault.CHANGED, 5),
    "a caller": ("UPDATE audit SET caller = 'other' WHERE number = 5", Fault.CHANGED, 5),
    "an outcome": ("UPDATE audit SET outcome = 'other' WHERE number = 5", Fault.CHANGED, 5),
    "an operation": ("UPDATE audit SET operation = 'other' WHERE number = 5", Fault.CHANGED, 5),
    "a boundary of columns": (
        "UPDATE audit SET tool = 'tool_', caller = '2caller 1' WHERE number = 5",
        Fault.CHANGED,
        5,
    ),
    "subjects": ("UPDATE audit SET subjects = '[]' WHERE number = 5", Fault.CHANGED, 5),
    "a time": ("UPDATE audit SET time = time + 1 WHERE number = 8", Fault.CHANGED, 8),
    "a hash": ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 4) WHERE number = 5", Fault.CHANGED, 5),
    "the last line": ("UPDATE audit SET entry = '{}' WHERE number = 8", Fault.CHANGED, 8),
    "the first line": ("UPDATE audit SET entry = '{}' WHERE number = 1", Fault.CHANGED, 1),
    "the index of subjects": ("UPDATE audit_subjects SET subject = 'x' WHERE subject = 'm1'", Fault.CHANGED, 0),
    "the end": ("UPDATE audit_head SET number = 7", Fault.CHANGED, 0),
    "a key": ("UPDATE audit SET key = 7 WHERE number = 5", Fault.CHANGED, 5),
    "one line gone": ("DELETE FROM audit WHERE number = 5", Fault.REMOVED, 5),
    "the first line gone": ("DELETE FROM audit WHERE number = 1", Fault.REMOVED, 1),
    "lines gone at the end": ("DELETE FROM audit WHERE number > 6", Fault.CUT_OFF, 7),
    "all lines gone": ("DELETE FROM audit", Fault.EMPTIED, 1),
    "what says where it ends gone": ("DELETE FROM audit_head", Fault.CHANGED, 0),
}


@pytest.mark.parametrize("change", _TAMPERING)
def test_verifying_notices_what_another_program_has_changed(place: Place, store: Store, change: str) -> None:
    statement, fault, number = _TAMPERING[change]
    fill(store, 8)
    place.sql(statement)
    verdict = verify(store)
    assert not verdict.is_whole
    assert (fault, number) in {(one.fault, one.number) for one in verdict.findings}


def test_a_line_that_was_removed_with_its_index_is_noticed(place: Place, store: Store) -> None:
    fill(store, 8)
    place.sql("DELETE FROM audit_subjects WHERE number = 5")
    place.sql("DELETE FROM audit WHERE number = 5")
    assert [one.text for one in verify(store).findings] == ["line 5 is gone"]


@pytest.mark.parametrize(
    "change",
    [
        "audit SET time = 'x' WHERE number = 5",
        "audit SET key = 'x' WHERE number = 5",
        "audit SET hash = 'x' WHERE number = 5",
        "audit SET hash = 7 WHERE number = 5",
        "audit SET entry = x'ff' WHERE number = 5",
        "audit SET entry = '{' WHERE number = 5",
        "audit SET subjects = x'ff' WHERE number = 5",
        "audit SET tool = x'ff' WHERE number = 5",
        "audit_head SET number = 'x'",
        "audit_head SET key = 'x'",
        "audit_head SET hash = 'x'",
        "audit_head SET signature = 7",
        "audit_subjects SET subject = x'ff' WHERE number = 5 AND subject = 'org'",
    ],
)
def test_values_of_another_type_are_noticed_and_what_is_left_can_be_read(sqlite_place: Place, change: str) -> None:
    store = sqlite_place.open()
    fill(store, 8)
    sqlite_place.sql(f"UPDATE {change}")
    verdict = verify(store)
    assert verdict.lines == 8
    assert Fault.CHANGED in faults(verdict)
    assert numbers(store.read(lambda tx: tx.audit.newest())) == list(range(8, 0, -1))


def test_lines_that_were_renumbered_to_hide_a_gap_are_noticed(place: Place, store: Store) -> None:
    fill(store, 8)
    place.sql("DELETE FROM audit WHERE number = 5")
    for number in (6, 7, 8):
        place.sql(f"UPDATE audit SET number = {number - 1} WHERE number = {number}")
    assert {5, 6, 7} <= {one.number for one in verify(store).findings if one.fault is Fault.CHANGED}


def test_an_older_end_that_somebody_kept_is_noticed_by_a_checkpoint(own_place: Place) -> None:
    place, kept = own_place, Kept()
    store = place.open(checkpoints=kept)
    fill(store, 4)
    place.sql("CREATE TABLE old_head AS SELECT * FROM audit_head")
    fill(store, 4)
    store.close()
    place.sql("DELETE FROM audit WHERE number > 4")
    place.sql("DELETE FROM audit_subjects WHERE number > 4")
    place.sql("DELETE FROM audit_head")
    place.sql("INSERT INTO audit_head SELECT * FROM old_head")
    again = place.open()
    assert verify(again).is_whole
    assert faults(verify(again, read_checkpoints(kept.lines))) == {Fault.CUT_OFF}
    place.clock.now += 1
    fill(again, 8)
    assert faults(verify(again, read_checkpoints(kept.lines))) == {Fault.EXCHANGED}


def test_a_store_that_was_put_in_the_place_of_another_is_noticed_by_a_checkpoint(own_place: Place) -> None:
    place, kept = own_place, Kept()
    store = place.open(checkpoints=kept)
    fill(store, 2)
    store.close()
    place.sql("UPDATE store SET id = 'another'")
    place.sql("DELETE FROM keys")
    place.sql("DELETE FROM audit")
    place.sql("DELETE FROM audit_subjects")
    place.sql("DELETE FROM audit_head")
    other = place.open()
    fill(other, 2)
    assert verify(other).is_whole
    assert faults(verify(other, read_checkpoints(kept.lines))) == {Fault.EXCHANGED}


def test_a_checkpoint_that_was_changed_is_noticed(place: Place) -> None:
    kept = Kept()
    store = place.open(checkpoints=kept)
    fill(store, 2)
    store.close()
    (line,) = kept.lines
    again = place.open()
    for changed in ({"lines": 1}, {"hash": "00"}, {"time": 1}, {"key": 9}, {"signature": "00"}):
        text = json.dumps({**json.loads(line), **changed}, separators=(",", ":"))
        assert not verify(again, read_checkpoints([text])).is_whole
    assert verify(again, read_checkpoints([line])).is_whole


def test_checkpoints_are_found_among_other_lines_of_a_log_and_a_cut_one_is_refused(place: Place) -> None:
    kept = Kept()
    store = place.open(checkpoints=kept)
    fill(store, 2)
    store.close()
    log = ["viam-mcp serves", f"2026-01-01 {kept.lines[0]}", "bye"]
    assert [one.lines for one in read_checkpoints(log)] == [2]
    with pytest.raises(ValueError, match="cut off"):
        read_checkpoints([kept.lines[0][:-10]])


def test_checkpoints_are_written_every_so_many_lines_and_at_the_end(place: Place) -> None:
    kept = Kept()
    store = place.open(checkpoints=kept, checkpoint_lines=5)
    fill(store, 4)
    assert kept.lines == []
    fill(store, 4)
    fill(store, 4)
    assert [json.loads(line)["lines"] for line in kept.lines] == [8, 12]
    fill(store, 1)
    store.close()
    assert [json.loads(line)["lines"] for line in kept.lines] == [8, 12, 13]
    assert kept.is_closed


def test_who_only_reads_writes_no_checkpoint(place: Place) -> None:
    kept = Kept()
    store = place.open(checkpoints=kept)
    verify(store)
    store.close()
    assert kept.lines == []


@pytest.mark.parametrize("change", ["cut off", "emptied", "replaced", "end"])
def test_a_program_notices_that_the_audit_was_exchanged_under_it(place: Place, store: Store, change: str) -> None:
    fill(store, 4)
    if change == "end":
        place.sql("UPDATE audit_head SET number = 3")
    else:
        place.sql("DELETE FROM audit" + (" WHERE number > 2" if change == "cut off" else ""))
        place.sql("DELETE FROM audit_subjects")
    if change == "replaced":
        place.sql("DELETE FROM keys")
        place.sql("DELETE FROM audit_head")
        other = place.open()
        fill(other, 5)
    elif change != "end":
        fill(place.open(), 5)
    with pytest.raises(StoreCorrupted, match=r"restart|restore"):
        fill(store, 1)


def test_a_clock_that_went_back_is_told_and_breaks_nothing(place: Place, store: Store) -> None:
    fill(store, 2)
    place.clock.now -= 3600
    fill(store, 2)
    verdict = verify(store)
    assert [(one.fault, one.number, one.text) for one in verdict.findings] == [
        (Fault.CLOCK, 3, "the clock went back by 3,600.0 s before line 3")
    ]
    assert verdict.is_whole


def test_observers_are_told_once_a_transaction_has_taken_effect(place: Place) -> None:
    told: list[AuditLine] = []
    store = place.open(observers=[told.extend])
    fill(store, 2)

    def fails(tx: Any) -> None:
        tx.audit.append({"outcome": "lost"})
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fails)
    assert numbers(told) == [1, 2]
    assert told == list(reversed(store.read(lambda tx: tx.audit.newest())))


def test_a_live_copy_has_every_line_as_json(tmp_path: Path) -> None:
    copy = tmp_path / "audit.jsonl"
    store = open_store(str(tmp_path / "state.db"), {}, audit_log=str(copy))
    fill(store, 3)
    fill(store, 1)
    lines = store.read(lambda tx: list(tx.audit.oldest()))
    store.close()
    assert copy.read_text().splitlines() == [as_text(line) for line in lines]
    assert copy.stat().st_mode & 0o777 == 0o600
    first = json.loads(copy.read_text().splitlines()[0])
    assert (first["number"], first["tool"], first["hash"]) == (1, "tool_1", lines[0].hash)
    assert [one.lines for one in read_checkpoints((tmp_path / "checkpoints.jsonl").read_text().splitlines())] == [4]


def test_a_copy_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(str(tmp_path / "state.db"), {}, audit_log=str(tmp_path), checkpoints=str(tmp_path))
    fill(store, 3)
    store.close()
    assert "cannot be written" in caplog.text
