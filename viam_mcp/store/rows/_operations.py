"""Operations: one row each, from the question to the outcome.

A step from one state to the next is one UPDATE that names the state before. Of any number of processes that try, the
database lets exactly one succeed. What an operation was asked with is bound to its encrypted columns: a change of
one of the readable columns makes the row unreadable.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from viam_mcp.store._errors import OperationConflict, StoreCorrupted
from viam_mcp.store._ids import new_id, storable
from viam_mcp.store._records import GivenAnswer, NewOperation, Operation, State
from viam_mcp.store.rows._rooms import give_room, take_room

if TYPE_CHECKING:
    from collections.abc import Collection

    from viam_mcp.store._keys import KeyRing
    from viam_mcp.store._records import RoomLimits
    from viam_mcp.store.database._database import Connection, Row

_ROW_BYTES = 512  # about what a row takes without its texts
_DAY = 86_400_000
_KEPT_DAYS = {True: 30, False: 1}
"""How many days an operation is kept after its end: whether it had begun."""
_SWEPT_AT_ONCE = 500

_STORED_AS = {State.EXPIRED: (State.OPEN, State.ANSWERED), State.UNKNOWN: (State.RUNNING,)}
"""The states that an operation may be stored in besides its own, where nobody has written down the change yet."""

_BEGUN = "started"
"""The outcome in the line of the audit that is written together with the beginning of an operation."""

_BOUND = ("id", "caller", "owner", "tool", "fingerprint", "rule", "way", "client", "requester", "subjects", "expires")
"""The columns that cannot be changed without making the encrypted ones unreadable."""
_COLUMNS = (*_BOUND, "created", "state", "arguments", "preview", "answer", "outcome", "started", "finished")
_SELECT = (
    f"SELECT {', '.join(f'o.{name}' for name in _COLUMNS)}, "
    "(SELECT max(h.seen) FROM runs r JOIN holders h ON h.id = r.holder WHERE r.operation = o.id) FROM operations o"
)


class Operations:
    """The operations of a store, in one transaction.

    Args:
        connection: The transaction.
        keys: Encrypt and decrypt what is secret.
        limits: How much room open ones may take.
        lease: How many milliseconds a process counts as alive after it last said so.
    """

    def __init__(self, connection: Connection, keys: KeyRing, limits: RoomLimits, lease: int) -> None:
        self._connection = connection
        self._keys = keys
        self._limits = limits
        self._lease = lease

    def ask(self, new: NewOperation) -> Operation:
        """Store a call that waits for an answer.

        Raises:
            RoomFull: There is no room for it.
        """
        connection, now = self._connection, self._connection.now
        size = len(new.arguments) + len(new.preview) + _ROW_BYTES
        take_room(connection, new.owner, size, self._limits)
        fields: dict[str, Any] = {
            **{name: storable(getattr(new, name)) for name in _BOUND if name not in ("id", "subjects", "expires")},
            "subjects": json.dumps([storable(one) for one in new.subjects]),
            "expires": int(new.expires * 1000),
        }
        while True:
            row = {"id": new_id("op"), **fields}
            names = (*row, "created", "state", "size", "arguments", "preview")
            if connection.change(
                f"INSERT INTO operations ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)}) "
                "ON CONFLICT (id) DO NOTHING",
                **row,
                created=now,
                state=State.OPEN.value,
                size=size,
                arguments=self._encrypt("arguments", row, new.arguments),
                preview=self._encrypt("preview", row, new.preview),
            ):
                given = {**asdict(new), "expires": row["expires"] / 1000}
                return Operation(**given, id=row["id"], created=now / 1000)

    def find(self, id: str, caller: str | None = None) -> Operation | None:
        """Return an operation as it is now; None if there is none of that id for this caller.

        Args:
            id: Its id.
            caller: The digest of who asks; None to find those of every caller.
        """
        return self._find(id, caller)

    def latest(
        self, states: Collection[State] | None = None, *, before: float | None = None, limit: int = 50
    ) -> list[Operation]:
        """Return operations of all callers, the newest first.

        Args:
            states: Those in one of these states; None for all.
            before: Those that were asked before this time: the `created` of the last one of the page before.
            limit: How many at most.
        """
        # A state that is stored may be older than the clock, so more rows are read than may be wanted.
        stored = {one.value for state in states or State for one in (state, *_STORED_AS.get(state, ()))}
        values = {f"state{number}": state for number, state in enumerate(sorted(stored))}
        rows = self._connection.stream(
            f"{_SELECT} WHERE o.state IN ({', '.join(f':{name}' for name in values)}) AND o.created < :edge "
            "ORDER BY o.created DESC, o.id",
            edge=self._connection.now + _DAY if before is None else int(before * 1000),
            **values,
        )
        found: list[Operation] = []
        for row in rows:
            if states is None or self._state(_fields(row), row[-1]) in states:
                found.append(self._operation(row))
                if len(found) >= limit:
                    break
        return found

    def answer(
        self, id: str, caller: str | None, answer: GivenAnswer, *, approved: bool, late: bool = False
    ) -> Operation:
        """Store the answer to an open operation. Of several answers one counts.

        Args:
            id: The operation.
            caller: The digest of who may run it; None if who answers may answer those of every caller.
            answer: The answer.
            approved: Whether it may run now. Otherwise it is void.
            late: Take the answer although the operation has expired; only an operation that is not approved may be.

        Raises:
            OperationConflict: It is not open.
        """
        before = self._require(id, caller, State.OPEN, *([State.EXPIRED] if late and not approved else []))
        now = self._connection.now
        given = replace(answer, at=now / 1000, approved=approved)
        after = State.ANSWERED if approved else State.VOID
        data = self._encrypt("answer", _row_of(before), json.dumps(asdict(given)))
        self._move(before, after, answer=data)
        return replace(before, state=after, answer=given, finished=now / 1000 if after.is_final else None)

    def void(self, id: str, caller: str | None, outcome: str = "") -> Operation:
        """End an operation that has not begun.

        Raises:
            OperationConflict: It has begun, or has ended.
        """
        before = self._require(id, caller, State.OPEN, State.ANSWERED)
        self._move(before, State.VOID, outcome=self._encrypt("outcome", _row_of(before), outcome))
        return replace(before, state=State.VOID, outcome=outcome, finished=self._connection.now / 1000)

    def begin(self, id: str, caller: str) -> Operation:
        """Let an approved operation run, once. `Runs.start` calls it.

        Raises:
            OperationConflict: It was not approved, has expired since, or was begun before.
            StoreCorrupted: Another program has put it into this state: no approval is stored, or the audit has a line
                that it has begun.
        """
        before = self._require(id, caller, State.ANSWERED)
        if before.answer is None or not before.answer.approved:
            raise StoreCorrupted(f"operation {id} was changed by another program: nobody has approved it")
        # An older copy of the row is encrypted as it was. A line of the audit cannot be taken away unnoticed.
        if self._connection.execute(
            "SELECT number FROM audit WHERE operation = :id AND operation <> '' AND outcome = :begun LIMIT 1",
            id=id,
            begun=_BEGUN,
        ):
            raise StoreCorrupted(f"operation {id} was changed by another program: it has begun before")
        self._move(before, State.RUNNING)
        return replace(before, state=State.RUNNING, started=self._connection.now / 1000)

    def end(self, id: str, state: State, outcome: str, *, before: State = State.RUNNING) -> bool:
        """Store what became of an operation that ran; whether it was in the state `before`. `Runs.finish` calls it."""
        rows = self._connection.execute(f"{_SELECT} WHERE o.id = :id AND o.state = :state", id=id, state=before.value)
        if not rows:
            return False
        operation = self._operation(rows[0])
        self._move(
            replace(operation, state=before), state, outcome=self._encrypt("outcome", _row_of(operation), outcome)
        )
        return True

    def sweep(self) -> None:
        """Give back the room of operations that have expired, and forget those that ended long ago."""
        connection, now = self._connection, self._connection.now
        freed: dict[str, tuple[int, int]] = {}
        for state in (State.OPEN, State.ANSWERED):
            rows = connection.execute(
                "UPDATE operations SET state = :expired, finished = :now, arguments = NULL, preview = NULL WHERE id IN "
                "(SELECT id FROM operations WHERE state = :state AND expires <= :now ORDER BY expires LIMIT :most"
                f"{connection.skip_locked}) RETURNING owner, size",
                expired=State.EXPIRED.value,
                state=state.value,
                now=now,
                most=_SWEPT_AT_ONCE,
            )
            for owner, size in rows:
                number, freed_bytes = freed.get(owner, (0, 0))
                freed[owner] = (number + 1, freed_bytes + size)
        give_room(connection, freed)
        for began, days in _KEPT_DAYS.items():
            connection.change(
                "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE finished < :old AND started IS "
                f"{'NOT ' if began else ''}NULL LIMIT :most{connection.skip_locked})",
                old=now - days * _DAY,
                most=_SWEPT_AT_ONCE,
            )

    def _find(self, id: str, caller: str | None, locking: str = "") -> Operation | None:
        rows = self._connection.execute(f"{_SELECT} WHERE o.id = :id{locking}", id=id)
        if not rows or caller not in (None, rows[0][_BOUND.index("caller")]):
            return None
        return self._operation(rows[0])

    def _require(self, id: str, caller: str | None, *states: State) -> Operation:
        """Return an operation that is in one of these states, and lock its row.

        Raises:
            OperationConflict: It is in another.
        """
        found = self._find(id, caller, self._connection.for_update)
        if found is None or found.state not in states:
            raise OperationConflict(id, None if found is None else found.state)
        return found

    def _move(self, before: Operation, after: State, **columns: bytes) -> None:
        """Move an operation to another state, if it still is in the one before."""
        connection, now = self._connection, self._connection.now
        values: dict[str, Any] = {**columns, "state": after.value}
        if after is State.RUNNING:
            values["started"] = now
        if after.is_final:
            values |= {"finished": now, "arguments": None}
            if before.started is None:
                # What was never done needs no longer be shown.
                values["preview"] = None
        stored = before.state if before.state is not State.EXPIRED else State.OPEN
        rows = connection.execute(
            f"UPDATE operations SET {', '.join(f'{name} = :{name}' for name in values)} "
            "WHERE id = :id AND state = :stored RETURNING owner, size",
            **values,
            id=before.id,
            stored=stored.value,
        )
        if not rows:
            raise OperationConflict(before.id, before.state)
        if after.is_final and stored in (State.OPEN, State.ANSWERED, State.RUNNING):
            owner, size = rows[0]
            give_room(connection, {owner: (1, size)})

    def _operation(self, row: Row) -> Operation:
        fields = _fields(row)
        return Operation(
            **{name: fields[name] for name in ("id", "caller", "owner", "tool", "fingerprint", "rule", "way")},
            client=fields["client"],
            requester=fields["requester"],
            subjects=tuple(json.loads(fields["subjects"])),
            arguments=self._decrypt("arguments", fields),
            preview=self._decrypt("preview", fields),
            expires=fields["expires"] / 1000,
            state=self._state(fields, row[-1]),
            created=fields["created"] / 1000,
            answer=GivenAnswer(**json.loads(text)) if (text := self._decrypt("answer", fields)) else None,
            started=_seconds(fields["started"]),
            finished=_seconds(fields["finished"]),
            outcome=self._decrypt("outcome", fields),
        )

    def _state(self, fields: dict[str, Any], seen: int | None) -> State:
        """Return the state of a row now: time passes and processes die without anybody writing that down."""
        state, now = State(fields["state"]), self._connection.now
        if state in (State.OPEN, State.ANSWERED) and fields["expires"] <= now:
            return State.EXPIRED
        if state is State.RUNNING and (seen is None or seen + self._lease < now):
            return State.UNKNOWN
        return state

    def _encrypt(self, column: str, row: dict[str, Any], text: str) -> bytes:
        return self._keys.current.encrypt(text.encode(errors="surrogatepass"), _context(column, row))

    def _decrypt(self, column: str, row: dict[str, Any]) -> str:
        data = row[column]
        if data is None:
            return ""
        return self._keys.decrypt(data, _context(column, row)).decode(errors="surrogatepass")


def _fields(row: Row) -> dict[str, Any]:
    return dict(zip(_COLUMNS, row[:-1], strict=True))


def _row_of(operation: Operation) -> dict[str, Any]:
    """Return the bound columns of an operation, as they are stored."""
    row = {name: getattr(operation, name) for name in _BOUND}
    return {**row, "subjects": json.dumps(list(operation.subjects)), "expires": round(operation.expires * 1000)}


def _context(column: str, row: dict[str, Any]) -> bytes:
    bound = json.dumps([row[name] for name in _BOUND]).encode()
    return column.encode() + b"\0" + hashlib.sha256(bound).digest()


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
