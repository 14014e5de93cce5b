"""Runs: calls that have begun and not ended, and the processes that carry them out.

A process says from time to time that it lives. One that has not for a while counts as gone, and what it was carrying
out is marked: whether it was done is not known.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from viam_mcp.store._records import Run, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.store.audit._audit import Audit
    from viam_mcp.store.database._database import Connection
    from viam_mcp.store.rows._operations import Operations

Json = Any

_SWEPT_AT_ONCE = 100
_GONE = "the process that ran it has gone"


class Runs:
    """The runs of a store, in one transaction.

    Args:
        connection: The transaction.
        operations: The operations that runs carry out.
        audit: Is told of runs whose process has gone.
        holder: The id of this process.
        lease: How many milliseconds a process counts as alive after it last said so.

    Attributes:
        begun: How many more runs this process has than before the transaction.
    """

    def __init__(self, connection: Connection, operations: Operations, audit: Audit, holder: str, lease: int) -> None:
        self._connection = connection
        self._operations = operations
        self._audit = audit
        self._holder = holder
        self._lease = lease
        self.begun = 0

    def start(self, entry: Mapping[str, Json], operation_id: str | None = None, caller: str = "") -> Run:
        """Note that a call begins.

        Args:
            entry: What the audit says if nobody ever notes its end, with `outcome` set to `unknown`.
            operation_id: The approved operation that it carries out; None if nobody was asked.
            caller: The digest of who runs the operation.

        Raises:
            OperationConflict: The operation may not begin.
        """
        if operation_id is not None:
            self._operations.begin(operation_id, caller)
        run = Run(secrets.token_hex(8), operation_id, self._connection.now / 1000)
        self.renew()
        self._connection.change(
            "INSERT INTO runs (id, holder, operation, entry, started) VALUES (:id, :holder, :operation, :entry, :now)",
            id=run.id,
            holder=self._holder,
            operation=operation_id,
            entry=json.dumps(entry),
            now=self._connection.now,
        )
        self.begun += 1
        return run

    def finish(self, run: Run, state: State, outcome: str = "") -> None:
        """Note that a call has ended, also where another process took this one for gone meanwhile.

        Args:
            run: The call.
            state: `done`, `failed` or `unknown`.
            outcome: What became of it, as a sentence without credentials.
        """
        self._connection.change("DELETE FROM runs WHERE id = :id", id=run.id)
        self.begun -= 1
        if run.operation_id is not None:
            for before in (State.RUNNING, State.UNKNOWN):
                if self._operations.end(run.operation_id, state, outcome, before=before):
                    break

    def renew(self) -> None:
        """Say that this process lives."""
        self._connection.change(
            "INSERT INTO holders (id, seen) VALUES (:id, :now) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen",
            id=self._holder,
            now=self._connection.now,
        )

    def leave(self) -> None:
        """Say that this process ends. What it still carries out counts as left behind."""
        self._connection.change("DELETE FROM holders WHERE id = :id", id=self._holder)

    def sweep(self) -> None:
        """Mark what processes that have gone have left behind."""
        connection = self._connection
        old = connection.now - self._lease
        rows = connection.execute(
            "SELECT id, operation, entry FROM runs WHERE NOT EXISTS "
            "(SELECT 1 FROM holders h WHERE h.id = runs.holder AND h.seen >= :old) ORDER BY started LIMIT :most"
            + connection.skip_locked,
            old=old,
            most=_SWEPT_AT_ONCE,
        )
        for run_id, operation_id, entry in rows:
            connection.change("DELETE FROM runs WHERE id = :id", id=run_id)
            if operation_id is not None:
                self._operations.end(operation_id, State.UNKNOWN, _GONE)
            self._audit.append({**json.loads(entry), "call": run_id, "outcome": State.UNKNOWN.value, "reason": _GONE})
        connection.change(
            "DELETE FROM holders WHERE seen < :old AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.holder = holders.id)",
            old=old,
        )
