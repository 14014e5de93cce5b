from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from viam_mcp.policy import Audit, PolicyError, entries, verify

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An audit of five lines, a minute between them."""
    path = tmp_path / "state" / "audit.jsonl"
    times = iter(START + timedelta(minutes=number) for number in range(5))
    audit = Audit(path, lambda: next(times))
    for number, outcome in enumerate(("asked", "started", "done", "asked", "declined")):
        audit.append({"tool": "delete_robot" if number < 3 else "add_role", "outcome": outcome, "text": "ü\n"})
    return path


def test_lines_are_json_and_chained_from_the_first(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert json.loads(lines[0]) == {
        "time": "2026-01-31T08:00:00.000Z",
        "tool": "delete_robot",
        "outcome": "asked",
        "text": "ü\n",
        "previous": "0" * 64,
    }
    verdict = verify(path)
    assert (verdict.lines, verdict.broken) == (5, {})


def test_the_file_and_its_folder_are_for_their_owner(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", range(4))
def test_a_line_that_is_changed_is_found_at_the_next(path: Path, number: int) -> None:
    lines = path.read_text().splitlines(keepends=True)
    lines[number] = lines[number].replace("ü", "u")
    path.write_text("".join(lines))
    assert [*verify(path).broken] == [number + 2]


@pytest.mark.parametrize("number", range(4))
def test_a_line_that_is_gone_is_found(path: Path, number: int) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:number] + lines[number + 1 :]))
    assert [*verify(path).broken] == [number + 1]


def test_lines_that_change_places_are_found(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], lines[3], lines[2], lines[4]]))
    assert [*verify(path).broken] == [3, 4, 5]


def test_lines_missing_at_the_end_show_in_the_last_hash(path: Path) -> None:
    whole = verify(path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    cut = verify(path)
    assert not cut.broken
    assert cut.last != whole.last


def test_the_chain_goes_on_when_the_file_is_opened_again(path: Path) -> None:
    Audit(path).append({"outcome": "done", "long": "x" * 200_000})
    Audit(path).append({"outcome": "done"})
    assert not verify(path).broken
    assert verify(path).lines == 7


def test_a_line_that_a_crash_cut_short_stays_as_evidence_and_the_chain_goes_on(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])
    Audit(path).append({"outcome": "after"})
    verdict = verify(path)
    assert (verdict.lines, [*verdict.broken]) == (6, [5])
    assert "not a whole line" in verdict.broken[5]
    assert [entry["outcome"] for entry in entries(path)][-1] == "after"
    Audit(path).append({"outcome": "later"})
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], *lines[5:]]) + "\n")
    assert [*verify(path).broken] == [5]


def test_what_is_changed_behind_a_broken_line_is_found_as_well(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])
    for number in range(4):
        Audit(path).append({"outcome": "after", "number": number})
    lines = path.read_text().splitlines(keepends=True)
    lines[6] = lines[6].replace("after", "later")
    path.write_text("".join(lines))
    assert [*verify(path).broken] == [5, 8]


def test_a_line_that_there_is_no_room_for_leaves_no_part_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, write = path.read_bytes(), os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr("viam_mcp.policy.record._files.os.write", full)
    with pytest.raises(PolicyError, match="No space left on device"):
        Audit(path).append({"outcome": "done", "text": "x" * 1_000})
    assert path.read_bytes() == before
    monkeypatch.undo()
    Audit(path).append({"outcome": "done"})
    assert not verify(path).broken


def test_its_own_folder_is_closed_to_others_and_is_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    Audit(folder / "audit.jsonl", own_folder=True).append({})
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(PolicyError, match="it is a link"):
        Audit(tmp_path / "link" / "audit.jsonl", own_folder=True).append({})


def _append(path: Path, name: str, start: multiprocessing.synchronize.Barrier) -> None:
    audit = Audit(path)
    start.wait(30)
    for number in range(25):
        audit.append({"outcome": "done", "process": name, "number": number})


def test_processes_that_write_at_once_keep_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path, start = tmp_path / "audit.jsonl", context.Barrier(3)
    writers = [context.Process(target=_append, args=(path, name, start)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    verdict = verify(path)
    assert (verdict.lines, verdict.broken) == (75, {})
    for name in "abc":
        assert [entry["number"] for entry in entries(path) if entry["process"] == name] == list(range(25))


def test_lines_are_found_by_time_tool_and_outcome(path: Path) -> None:
    def found(**wanted: object) -> list[str]:
        return [entry["outcome"] for entry in entries(path, **wanted)]  # type: ignore[arg-type]

    assert found(since=START + timedelta(minutes=3)) == ["asked", "declined"]
    assert found(until=START + timedelta(minutes=1)) == ["asked"]
    assert found(tool="delete_*") == ["asked", "started", "done"]
    assert found(outcome="asked") == ["asked", "asked"]
    assert found(outcome="asked", tool="add_role") == ["asked"]


def test_lines_that_somebody_broke_are_passed_over_and_reported(path: Path) -> None:
    path.write_text(f'[]\n{{"time": 5}}\nnot json\n{"[" * 200_000}\n' + path.read_text())
    assert len(list(entries(path))) == 5
    assert [*verify(path).broken] == [1, 2, 3, 4, 5]


def test_an_audit_that_cannot_be_written_or_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be written: Is a directory"):
        Audit(tmp_path).append({})
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        verify(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(PolicyError):
        Audit(tmp_path / "file" / "audit.jsonl").append({})


def test_an_audit_that_another_process_holds_is_not_waited_for_without_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viam_mcp.policy.record._files.lock.__defaults__", (0.01,))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(PolicyError, match="another process has held it"):
            Audit(path).append({"outcome": "done"})
    Audit(path).append({"outcome": "done"})
    assert not verify(path).broken
