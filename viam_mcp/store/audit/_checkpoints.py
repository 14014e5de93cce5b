"""Checkpoints: signed sentences that the audit had so many lines at that time, and how it ended.

The audit itself cannot show that an older copy of it was put in its place. A checkpoint that is kept elsewhere can.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from viam_mcp.store._keys import KeyRing
    from viam_mcp.store.audit._chain import Head


@dataclass(frozen=True)
class Checkpoint:
    """Where the audit of a store ended at some time.

    Attributes:
        store: The id of the store.
        lines: The number of its last line.
        hash: The hash of that line.
        time: When that line was written, in milliseconds since 1970.
        key: The number of the key that signed this.
        signature: The HMAC-SHA256 of all of the above.
    """

    store: str
    lines: int
    hash: str
    time: int
    key: int
    signature: str = ""

    def as_json(self) -> str:
        """Return the checkpoint as a line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def is_signed_by(self, keys: KeyRing) -> bool:
        """Tell whether one of a store's keys signed it."""
        return hmac.compare_digest(_signature(self, keys), self.signature)


def make_checkpoint(head: Head, store: str, keys: KeyRing) -> Checkpoint:
    """Return a signed checkpoint."""
    draft = Checkpoint(store, head.number, head.hash.hex(), head.time, keys.current.id)
    return Checkpoint(draft.store, draft.lines, draft.hash, draft.time, draft.key, _signature(draft, keys))


def read_checkpoints(lines: Iterable[str]) -> list[Checkpoint]:
    """Return the checkpoints in the lines of a file, which may be a log with other lines.

    Raises:
        ValueError: A line begins like a checkpoint and is none.
    """
    found = []
    for line in lines:
        start = line.find('{"store":')
        if start >= 0:
            try:
                values, _ = json.JSONDecoder().raw_decode(line[start:])
                found.append(Checkpoint(**{name: kind(values[name]) for name, kind in _FIELDS.items()}))
            except (KeyError, TypeError, ValueError):
                raise ValueError("a line is cut off or was changed") from None
    return found


_FIELDS = {"store": str, "lines": int, "hash": str, "time": int, "key": int, "signature": str}


def _signature(checkpoint: Checkpoint, keys: KeyRing) -> str:
    text = f"checkpoint {checkpoint.store} {checkpoint.lines} {checkpoint.hash} {checkpoint.time} {checkpoint.key}"
    return keys[checkpoint.key].sign(text.encode()).hex()
