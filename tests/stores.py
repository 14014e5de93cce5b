"""Stores in the folder of a test, with a copy of the audit for the test to read."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from viam_mcp.policy import LazyStore
from viam_mcp.store import RoomLimits, SqliteAddress, StateKeys, Store, Timeouts, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from viam_mcp.store import AuditLine


@contextmanager
def store_in(
    folder: Path,
    *,
    database: str = "state.db",
    audit: str = "audit.jsonl",
    clock: Callable[[], float] | None = None,
    timeouts: Timeouts | None = None,
    rooms: RoomLimits | None = None,
) -> Iterator[LazyStore]:
    """A store of one process in a folder, which several of them may share. The audit is copied to a file beside it."""

    def opened() -> Store:
        address = SqliteAddress(folder / database)
        keys = StateKeys({}, address.key_file)
        return Store(address, keys, clock=clock, timeouts=timeouts, rooms=rooms, observers=[copy])

    def copy(lines: list[AuditLine]) -> None:
        with (folder / audit).open("a", encoding="utf-8") as file:
            file.writelines(f"{as_text(line)}\n" for line in lines)

    store = LazyStore(opened)
    try:
        yield store
    finally:
        store.close()


def audit_lines(folder: Path, audit: str = "audit.jsonl") -> list[dict[str, Any]]:
    """The lines of the audit in a folder, the oldest first."""
    path = folder / audit
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def outcomes(folder: Path) -> list[str]:
    """What the audit in a folder says happened, in order."""
    return [line["outcome"] for line in audit_lines(folder)]
