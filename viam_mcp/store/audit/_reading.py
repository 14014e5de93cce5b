"""Reading the audit: the newest lines that match, or all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from viam_mcp.store._records import AuditFilter, AuditLine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from viam_mcp.store.database._database import Connection, Row

_SELECT = "SELECT a.number, a.time, a.entry, a.hash, a.key FROM audit a"
_EVERYTHING = AuditFilter()


def newest(
    connection: Connection, wanted: AuditFilter = _EVERYTHING, *, before: int | None = None, limit: int = 50
) -> list[AuditLine]:
    """Return lines of the audit, the newest first.

    Args:
        connection: A transaction.
        wanted: Which lines.
        before: Only lines with a smaller number: that of the last line of the page before.
        limit: How many at most.
    """
    conditions, values = _conditions(wanted)
    if before is not None:
        conditions.append("a.number < :before")
        values["before"] = before
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(f"{_SELECT}{where} ORDER BY a.number DESC LIMIT :limit", **values, limit=limit)
    return [_line(row) for row in rows]


def oldest(connection: Connection, wanted: AuditFilter = _EVERYTHING) -> Iterator[AuditLine]:
    """Yield the lines of the audit, the oldest first."""
    conditions, values = _conditions(wanted)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    for row in connection.stream(f"{_SELECT}{where} ORDER BY a.number", **values):
        yield _line(row)


def _conditions(wanted: AuditFilter) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    lists = {"tool": wanted.tools, "caller": wanted.callers, "outcome": wanted.outcomes}
    for column, allowed in lists.items():
        if allowed is not None:
            conditions.append(_one_of(column, allowed, values))
    if wanted.operation is not None:
        # Said twice, since the index leaves out lines without an operation.
        conditions.append("a.operation <> '' AND a.operation = :operation")
        values["operation"] = wanted.operation
    if wanted.subject is not None:
        conditions.append("a.number IN (SELECT s.number FROM audit_subjects s WHERE s.subject = :subject)")
        values["subject"] = wanted.subject
    for name, sign, time in (("since", ">=", wanted.since), ("until", "<", wanted.until)):
        if time is not None:
            conditions.append(f"a.time {sign} :{name}")
            values[name] = int(time * 1000)
    return conditions, values


def _one_of(column: str, allowed: Collection[str], values: dict[str, Any]) -> str:
    names = [f"{column}{number}" for number in range(len(allowed))]
    values.update(zip(names, allowed, strict=True))
    return f"a.{column} IN ({', '.join(f':{name}' for name in names)})" if names else "1 = 0"


def _line(row: Row) -> AuditLine:
    number, time, entry, digest, key = row
    try:
        return AuditLine(number, time / 1000, json.loads(entry), bytes(digest).hex(), key)
    except (TypeError, ValueError):
        # Verifying says so; what can be read of the other lines is shown all the same.
        return AuditLine(number, 0.0, {"unreadable": "this line was changed by another program"}, "", 0)
