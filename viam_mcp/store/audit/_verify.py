"""Verifying the audit: what was changed, removed, cut off or put in its place, and clocks that went back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from viam_mcp.store._errors import UnknownKeyError
from viam_mcp.store.audit._chain import line_message, read_head

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from viam_mcp.store._keys import KeyRing
    from viam_mcp.store.audit._chain import Head
    from viam_mcp.store.audit._checkpoints import Checkpoint
    from viam_mcp.store.database._database import Connection

_MOST_FINDINGS = 100


class Fault(StrEnum):
    """What kind of thing was found."""

    CHANGED = "changed"
    REMOVED = "removed"
    CUT_OFF = "cut off"
    EMPTIED = "emptied"
    EXCHANGED = "exchanged"
    CLOCK = "clock"
    """A clock went back. Nobody need have done anything."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        fault: What kind of thing.
        number: The first line that it is about; 0 for the audit as a whole.
        text: What was found, as a sentence.
    """

    fault: Fault
    number: int
    text: str


@dataclass
class Verdict:
    """What came of verifying an audit.

    Attributes:
        lines: How many lines there are.
        last: The hash of the last line.
        findings: What was found, at most 100.
        more: How many more findings there are.
        checkpoints: How many checkpoints were compared.
    """

    lines: int = 0
    last: str = ""
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    checkpoints: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed, removed, cut off or exchanged."""
        return not self.more and all(one.fault is Fault.CLOCK for one in self.findings)

    def add(self, fault: Fault, number: int, text: str) -> None:
        """Add a finding."""
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding(fault, number, text))
        else:
            self.more += 1


def verify(connection: Connection, keys: KeyRing, store: str, checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
    """Verify an audit.

    Args:
        connection: A reading transaction.
        keys: The keys of the store.
        store: The id of the store.
        checkpoints: Checkpoints that were kept elsewhere.
    """
    verdict = Verdict()
    ((newest,),) = connection.execute("SELECT max(id) FROM keys")
    if newest != keys.current.id:
        raise UnknownKeyError("the keys of the store have changed: try again")
    try:
        head = read_head(connection, keys, store)
    except (UnknownKeyError, TypeError, ValueError):
        head = None
    _verify_lines(connection, keys, store, verdict)
    _verify_head(head, verdict)
    for checkpoint in checkpoints:
        verdict.checkpoints += 1
        _verify_checkpoint(connection, keys, store, checkpoint, verdict)
    return verdict


def _verify_lines(connection: Connection, keys: KeyRing, store: str, verdict: Verdict) -> None:
    previous: bytes | None = keys[1].sign(f"audit of {store}".encode())
    last_number = last_time = last_key = subjects_seen = 0
    sql = "SELECT number, time, tool, caller, outcome, operation, subjects, key, entry, hash FROM audit ORDER BY number"
    for number, time, tool, caller, outcome, operation, subjects, key, entry, stored in connection.stream(sql):
        if number != last_number + 1:
            gone = (
                f"line {number - 1} is" if number == last_number + 2 else f"lines {last_number + 1} to {number - 1} are"
            )
            verdict.add(Fault.REMOVED, last_number + 1, f"{gone} gone")
            previous = None
        last_number = number
        try:
            if previous is not None:
                text = line_message(previous, number, time, tool, caller, outcome, operation, subjects, key, entry)
                if _hash(keys, key, text) != stored:
                    verdict.add(Fault.CHANGED, number, f"line {number}, or the line before it, was changed")
            if key < last_key:
                verdict.add(Fault.CHANGED, number, f"line {number} has an older key than the line before")
            if time < last_time:
                seconds = (last_time - time) / 1000
                verdict.add(Fault.CLOCK, number, f"the clock went back by {seconds:,.1f} s before line {number}")
            for subject in _subjects(subjects):
                subjects_seen ^= hash((subject, number))
            previous, last_time, last_key = bytes(stored), time, key
        except (TypeError, ValueError):
            # SQLite takes a text for a number, and the other way round.
            verdict.add(Fault.CHANGED, number, f"line {number} was changed and cannot be read")
            previous = None
    verdict.lines, verdict.last = last_number, (previous or b"").hex()
    for subject, number in connection.stream("SELECT subject, number FROM audit_subjects"):
        subjects_seen ^= hash((subject, number))
    if subjects_seen:
        verdict.add(
            Fault.CHANGED, 0, "the index of what lines are about was changed, so a search by machine may miss lines"
        )


def _hash(keys: KeyRing, key: int, data: bytes) -> bytes:
    try:
        return keys[key].sign(data)
    except UnknownKeyError:
        return b""


def _subjects(text: str) -> Collection[str]:
    if text == "[]":
        return ()
    if text.count('"') == 2 and "\\" not in text:
        return (text[2:-2],)  # one subject, as nearly all lines have, without reading JSON
    try:
        return set(json.loads(text))
    except (ValueError, TypeError):
        return set()  # the hash of the line tells that it was changed


def _verify_head(head: Head | None, verdict: Verdict) -> None:
    if head is None:
        verdict.add(Fault.CHANGED, 0, "what says where the audit ends was changed")
    elif head.number and not verdict.lines:
        verdict.add(Fault.EMPTIED, 1, f"the audit was emptied: it had {head.number:,} lines")
    elif head.number > verdict.lines:
        verdict.add(
            Fault.CUT_OFF, verdict.lines + 1, f"lines {verdict.lines + 1} to {head.number} were cut off at the end"
        )
    elif head.number < verdict.lines:
        verdict.add(Fault.CHANGED, head.number + 1, f"lines after {head.number} were added by another program")
    elif head.number and head.hash.hex() != verdict.last:
        verdict.add(Fault.CHANGED, head.number, f"line {head.number} was changed")


def _verify_checkpoint(
    connection: Connection, keys: KeyRing, store: str, checkpoint: Checkpoint, verdict: Verdict
) -> None:
    lines = checkpoint.lines
    if checkpoint.store != store:
        verdict.add(
            Fault.EXCHANGED, 0, f"a checkpoint over {lines:,} lines is that of another store: this one was exchanged"
        )
        return
    try:
        signed = checkpoint.is_signed_by(keys)
    except UnknownKeyError:
        signed = False
    if not signed:
        verdict.add(Fault.CHANGED, lines, f"a checkpoint over {lines:,} lines is not signed by this store")
    elif lines > verdict.lines:
        verdict.add(
            Fault.CUT_OFF, verdict.lines + 1, f"a checkpoint knows {lines:,} lines, and there are {verdict.lines:,}"
        )
    elif lines:
        rows = connection.execute("SELECT hash FROM audit WHERE number = :number", number=lines)
        if not rows or bytes(rows[0][0]).hex() != checkpoint.hash:
            verdict.add(Fault.EXCHANGED, lines, f"line {lines} is not the one that a checkpoint knows")
