"""The chain of the audit: each line's hash includes the hash of the line before.

The hash is an HMAC, so nobody without the key can make one that fits. The row `audit_head` says where the audit ends
and is signed, so lines cannot be cut off at the end without it being noticed.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.store._errors import StoreCorrupted
from viam_mcp.store._ids import storable
from viam_mcp.store._records import AuditLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from viam_mcp.store._keys import KeyRing, RowKey
    from viam_mcp.store.database._database import Connection

Json = Any

_INSERT = (
    "INSERT INTO audit (number, time, tool, caller, outcome, operation, subjects, key, hash, entry) "
    "VALUES (:number, :time, :tool, :caller, :outcome, :operation, :subjects, :key, :hash, :entry)"
)
_OVERLAP = 15_000  # milliseconds that a transaction takes at most
_CHANGED = "the audit was changed by another program: see viam-mcp audit verify, and restore the store from a backup"


@dataclass(frozen=True)
class Head:
    """Where the audit ends.

    Attributes:
        number: The number of the last line, 0 for none.
        time: When it was written, in milliseconds.
        hash: Its hash.
    """

    number: int
    time: int
    hash: bytes


def write_lines(
    connection: Connection, keys: KeyRing, store: str, known: Head | None, entries: Iterable[Mapping[str, Json]]
) -> tuple[Head, list[AuditLine]]:
    """Write lines at the end of the audit; where it ends then, and the lines.

    Args:
        connection: A writing transaction. Nobody else writes to the audit until it has ended.
        keys: Make and check hashes.
        store: The id of the store.
        known: Where the audit ended when this process last wrote to it; None if it has not.
        entries: What happened.

    Raises:
        StoreCorrupted: The audit is not the one that this process wrote to, or was changed.
    """
    head = _locked_head(connection, keys, store, known)
    key, rows, lines = keys.current, [], []
    for entry in entries:
        # Transactions that overlap may end in another order than they began. That is no clock that went back.
        now = head.time if 0 < head.time - connection.now <= _OVERLAP else connection.now
        row = _row(head.number + 1, now, key.id, entry)
        digest = key.sign(message(head.hash, row))
        head = Head(row["number"], row["time"], digest)
        rows.append({**row, "hash": digest})
        lines.append(AuditLine(head.number, head.time / 1000, entry, digest.hex(), key.id))
    connection.insert(_INSERT, rows)
    subjects = [{"subject": one, "number": row["number"]} for row in rows for one in set(json.loads(row["subjects"]))]
    if subjects:
        connection.insert("INSERT INTO audit_subjects (subject, number) VALUES (:subject, :number)", subjects)
    connection.change(
        "UPDATE audit_head SET number = :number, time = :time, key = :key, hash = :hash, signature = :signature",
        number=head.number,
        time=head.time,
        key=key.id,
        hash=head.hash,
        signature=key.sign(head_message(store, head)),
    )
    return head, lines


def _locked_head(connection: Connection, keys: KeyRing, store: str, known: Head | None) -> Head:
    """Return where the audit ends, and let nobody else write to it until this transaction has ended."""
    head = read_head(connection, keys, store)
    if head is None:
        raise StoreCorrupted(_CHANGED)
    if known is None:
        return head
    if head.number == known.number:
        found = head.hash
    else:
        rows = connection.execute("SELECT hash FROM audit WHERE number = :number", number=known.number)
        found = bytes(rows[0][0]) if rows else b""
    if found != known.hash:
        raise StoreCorrupted(
            "the audit is not the one that this program wrote to before: it was cut off, or the store was exchanged or "
            "restored meanwhile; restart to go on with what is there now"
        )
    return head


def first_head(key: RowKey, store: str, connection: Connection) -> None:
    """Store where an audit without lines ends."""
    head = Head(0, connection.now, key.sign(f"audit of {store}".encode()))
    connection.change(
        "INSERT INTO audit_head (number, time, key, hash, signature) VALUES (:number, :time, :key, :hash, :signature)",
        number=head.number,
        time=head.time,
        key=key.id,
        hash=head.hash,
        signature=key.sign(head_message(store, head)),
    )


def read_head(connection: Connection, keys: KeyRing, store: str) -> Head | None:
    """Return where the audit ends; None if that is not signed. In a writing transaction it is locked."""
    rows = connection.execute("SELECT number, time, key, hash, signature FROM audit_head" + connection.for_update)
    if len(rows) != 1:
        return None
    number, time, key, digest, signature = rows[0]
    head = Head(number, time, bytes(digest))
    return head if hmac.compare_digest(keys[key].sign(head_message(store, head)), bytes(signature)) else None


def message(previous: bytes, row: Mapping[str, Any]) -> bytes:
    """Return what the hash of a line is made of: the hash before, and every column, unambiguously."""
    return line_message(
        previous,
        row["number"],
        row["time"],
        row["tool"],
        row["caller"],
        row["outcome"],
        row["operation"],
        row["subjects"],
        row["key"],
        row["entry"],
    )


def line_message(
    previous: bytes,
    number: int,
    time: int,
    tool: str,
    caller: str,
    outcome: str,
    operation: str,
    subjects: str,
    key: int,
    entry: str,
) -> bytes:
    """Return the same, from the columns: this runs a million times when an audit is verified."""
    lengths = f"{len(tool)} {len(caller)} {len(outcome)} {len(operation)} {len(subjects)}"
    text = f"{number} {time} {key} {lengths}\n{tool}{caller}{outcome}{operation}{subjects}{entry}"
    return previous + text.encode()


def head_message(store: str, head: Head) -> bytes:
    """Return what the signature of the head is made of."""
    return f"head {store} {head.number} {head.time} {head.hash.hex()}".encode()


def _row(number: int, time: int, key: int, entry: Mapping[str, Json]) -> dict[str, Any]:
    columns = {name: storable(str(entry.get(name) or "")) for name in ("tool", "caller", "outcome", "operation")}
    subjects = [storable(str(one)) for one in entry.get("subjects") or ()]
    return {
        "number": number,
        "time": time,
        **columns,
        "subjects": json.dumps(subjects, separators=(",", ":")),
        "key": key,
        "entry": storable(json.dumps(entry, ensure_ascii=False, separators=(",", ":"))),
    }
