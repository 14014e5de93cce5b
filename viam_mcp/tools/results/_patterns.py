"""Many messages that say the same, as one pattern with a count."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = Any

_LONGEST = 300  # characters of a pattern or an example that are kept

# What differs between two messages of one kind, the most specific first.
_VARIABLE = re.compile(
    r"""
    (?P<uuid>  \b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b )
  | (?P<time>  \b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)? )
  | (?P<hex>   \b0x[0-9a-fA-F]+\b | \b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b )
  | (?P<n>     (?<![\w.])[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)? )
    """,
    re.VERBOSE,
)


def pattern(message: str) -> str:
    """The message with `<uuid>`, `<time>`, `<hex>` and `<n>` in the place of what differs between its like."""
    return _VARIABLE.sub(lambda match: f"<{match.lastgroup}>", message[: 4 * _LONGEST])[:_LONGEST]


def fold(entries: Iterable[dict[str, Json]]) -> list[dict[str, Json]]:
    """Entries grouped by level, logger and pattern, the most frequent first.

    Args:
        entries: Encoded entries with `machine`, in the order of their times.
    """
    groups: dict[tuple[str, str, str], dict[str, Json]] = {}
    for entry in entries:
        level, logger, message = (entry.get(name, "") for name in ("level", "logger_name", "message"))
        key = (level, logger, pattern(message))
        group = groups.setdefault(
            key,
            {
                "pattern": key[2],
                "level": level,
                "logger_name": logger,
                "count": 0,
                "machines": [],
                "example": message[:_LONGEST],
            },
        )
        group["count"] += 1
        if "time" in entry:
            group.setdefault("first", entry["time"])
            group["last"] = entry["time"]
        if entry["machine"] not in group["machines"]:
            group["machines"].append(entry["machine"])
    return sorted(groups.values(), key=lambda group: -group["count"])
