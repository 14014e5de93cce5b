"""The history of parts and fragments: what was edited, when and by whom; and the refusal of late edits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import conflict, invalid, nanoseconds
from viam_mcp.sandbox.rules.access import quoted

if TYPE_CHECKING:
    import sqlite3

    from google.protobuf.message import Message

    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.sandbox.rpc import IncomingCall

__all__ = ["FRAGMENTS", "LONGEST_PAGE", "PAGE", "PARTS", "EditHistory", "edit_time", "editor"]

PAGE = 10
LONGEST_PAGE = 100

_MICROSECOND = 1_000
_EPOCH = datetime.fromtimestamp(0, UTC)
_EDITORS = {
    "user": app.AUTHENTICATION_TYPE_WEB_OAUTH,
    "api-key": app.AUTHENTICATION_TYPE_API_KEY,
}
_WORDS = {app.AUTHENTICATION_TYPE_API_KEY: "API key "}


def edit_time(previous: int, now: int) -> int:
    """Return the `last_updated` of an edit: later than the one before, in whole microseconds.

    Most clients keep times in microseconds; a finer one would never match what they send back.
    """
    return max(now // _MICROSECOND, previous // _MICROSECOND + 1) * _MICROSECOND


@dataclass(frozen=True)
class EditHistory:
    """The edits of one kind of thing.

    Attributes:
        table: Where they are kept.
        column: The column that names the edited thing.
        what: The thing's kind, for messages.
    """

    table: str
    column: str
    what: str

    def refuse_stale(
        self, call: IncomingCall, row: sqlite3.Row, request: app.UpdateRobotPartRequest | app.UpdateFragmentRequest
    ) -> None:
        """Refuse an update whose `last_known_update` is older than the present state of `row`.

        Raises:
            Refusal: FAILED_PRECONDITION, saying who changed it when.
        """
        if not request.HasField("last_known_update"):
            return
        known = nanoseconds(request.last_known_update)
        if row["last_updated"] // _MICROSECOND <= known // _MICROSECOND:
            return
        last = call.store.one(
            f"SELECT editor, editor_type FROM {self.table} WHERE {self.column} = ? ORDER BY edited_on DESC, seq DESC",  # noqa: S608
            row["id"],
        )
        by = f" by {_WORDS.get(last['editor_type'], '')}{last['editor']}" if last else ""
        raise conflict(
            f"the {self.what} {row['name']!r} was changed at {_text(row['last_updated'])}{by}, after the update at "
            f"{_text(known)} that you last knew: read it again and repeat your change on what it says now"
        )

    def record(self, call: IncomingCall, owner_id: str, edited_on: int, old: Message) -> None:
        """Store the state before an edit, and the editor."""
        email = call.store.value("SELECT email FROM users WHERE id = ?", call.identity_id)
        call.store.insert(
            self.table,
            edited_on=edited_on,
            old=old.SerializeToString(),
            editor_type=_EDITORS[call.identity_type],
            editor=email or call.identity_id,
            **{self.column: owner_id},
        )

    def page(
        self,
        store: FleetStore,
        owner_id: str,
        token: str,
        limit: int | None,
        start: int | None = None,
        end: int | None = None,
    ) -> tuple[list[sqlite3.Row], str]:
        """Return one page of the edits of a thing, newest first.

        Args:
            store: The rows.
            owner_id: The thing.
            token: What the page before gave, or "" for the first page.
            limit: How many, or None for 10. More than 100 gives 100.
            start: Nothing before this time, in nanoseconds since 1970.
            end: Nothing from this time on.

        Returns:
            The edits, and the token of the next page: "" after the last.

        Raises:
            Refusal: INVALID_ARGUMENT: the limit or the token cannot be right.
        """
        if limit is not None and limit < 1:
            raise invalid(f"page_limit is {limit}: it must be 1 to {LONGEST_PAGE}")
        length = min(limit or PAGE, LONGEST_PAGE)
        where = [f"{self.column} = ?"]
        values: list[str | int] = [owner_id]
        if token:
            where.append("(edited_on, seq) < (?, ?)")
            values += self._position(store, owner_id, token)
        if start is not None:
            where.append("edited_on >= ?")
            values.append(start)
        if end is not None:
            where.append("edited_on < ?")
            values.append(end)
        rows = store.all(
            f"SELECT * FROM {self.table} WHERE {' AND '.join(where)} ORDER BY edited_on DESC, seq DESC LIMIT ?",  # noqa: S608
            *values,
            length + 1,
        )
        return rows[:length], str(rows[length - 1]["seq"]) if len(rows) > length else ""

    def _position(self, store: FleetStore, owner_id: str, token: str) -> tuple[int, int]:
        row = store.one(
            f"SELECT edited_on, seq FROM {self.table} WHERE seq = ? AND {self.column} = ?",  # noqa: S608
            token if token.isdecimal() else None,
            owner_id,
        )
        if row is None:
            raise invalid(
                f"page_token {quoted(token)} belongs to no page of this {self.what}'s history: start without one"
            )
        return row["edited_on"], row["seq"]


PARTS = EditHistory("part_history", "part_id", "part")
FRAGMENTS = EditHistory("fragment_history", "fragment_id", "fragment")


def editor(store: FleetStore, row: sqlite3.Row) -> app.AuthenticatorInfo:
    """Return who made an edit, and whether that key or user is gone by now."""
    who = row["editor"]
    gone = (
        store.one("SELECT 1 FROM api_keys WHERE id = ? UNION SELECT 1 FROM users WHERE ? IN (id, email)", who, who)
        is None
    )
    return app.AuthenticatorInfo(type=row["editor_type"], value=who, is_deactivated=gone)


def _text(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time // _MICROSECOND)).isoformat()
