"""The audit of a store, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viam_mcp.store._records import AuditFilter, AuditLine
from viam_mcp.store.audit._chain import write_lines
from viam_mcp.store.audit._reading import newest, oldest
from viam_mcp.store.audit._verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from viam_mcp.store._keys import KeyRing
    from viam_mcp.store.audit._chain import Head
    from viam_mcp.store.audit._checkpoints import Checkpoint
    from viam_mcp.store.audit._verify import Verdict
    from viam_mcp.store.database._database import Connection

Json = Any


class Audit:
    """The audit of a store, in one transaction.

    Args:
        connection: The transaction.
        keys: Make and check hashes.
        store: The id of the store.
        known: Where the audit ended when this process last wrote to it; None if it has not.
    """

    def __init__(self, connection: Connection, keys: KeyRing, store: str, known: Head | None = None) -> None:
        self._connection = connection
        self._keys = keys
        self._store = store
        self._known = known
        self._entries: list[Mapping[str, Json]] = []

    def append(self, entry: Mapping[str, Json]) -> None:
        """Write a line at the end of this transaction: what it tells of takes effect with it, or not at all.

        Args:
            entry: What happened, as JSON values without credentials. `tool`, `caller`, `outcome` and `operation`
                (texts) and `subjects` (a list of ids) can be searched for. `number`, `time` and `hash` are added.
        """
        # At the end, since nobody else can write to the audit from the first line on until the transaction has ended.
        self._entries.append(entry)

    def newest(
        self, wanted: AuditFilter | None = None, *, before: int | None = None, limit: int = 50
    ) -> list[AuditLine]:
        """Return lines, the newest first.

        Args:
            wanted: Which lines; None for all.
            before: Only lines with a smaller number: that of the last line of the page before.
            limit: How many at most.
        """
        return newest(self._connection, wanted or AuditFilter(), before=before, limit=limit)

    def oldest(self, wanted: AuditFilter | None = None) -> Iterator[AuditLine]:
        """Yield lines, the oldest first, while the transaction lasts."""
        return oldest(self._connection, wanted or AuditFilter())

    def verify(self, checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
        """Look for lines that were changed, removed, cut off or exchanged.

        Args:
            checkpoints: Checkpoints that were kept elsewhere.
        """
        return verify(self._connection, self._keys, self._store, checkpoints)

    def write(self) -> tuple[Head, list[AuditLine]] | None:
        """Write the lines of the transaction; where the audit ends then, and the lines. None if there are none.

        Raises:
            StoreCorrupted: The audit is not the one that this process wrote to, or was changed.
        """
        if not self._entries:
            return None
        return write_lines(self._connection, self._keys, self._store, self._known, self._entries)
