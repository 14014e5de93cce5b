"""Fold many messages that say the same into one pattern with a count."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = Any

_LONGEST = 300  # characters of a pattern or an example that are kept
_MOST_NUMBERS = 8  # of one pattern whose least, most and last are kept

# What differs between two messages of one kind, the most specific first. Each alternative begins with a character
# that it cannot begin within, and repeats no more than one class, so that the time grows with the length.
_VARIABLE = re.compile(
    r"""
    (?P<uuid>     \b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b )
  | (?P<time>     \b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)? )
  | (?P<mac>      (?<![\w:])[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}(?![\w:]) )
  | (?P<ip>       (?<![\w:.])(?:
                    (?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}
                  | (?:[0-9a-fA-F]{1,4}:){1,7}:(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})?
                  | ::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})
                  | \d{1,3}(?:\.\d{1,3}){3}(?=:\d|(?!:))
                  )(?![\w]|\.\d) )
  | (?P<tmp>      (?<![\w/])/(?:var/)?tmp/[^\s"':,;)\]]{1,200} )
  | (?P<duration> (?<![\w.])[+-]?\d{1,20}(?:\.\d{1,20})?(?:ns|us|µs|ms|h|m|s)(?:\d{1,20}(?:\.\d{1,20})?(?:ms|m|s)){0,3}(?!\w) )
  | (?P<hex>      \b0x[0-9a-fA-F]+\b | \b(?=[0-9a-fA-F]{0,64}\d)(?=[0-9a-fA-F]{0,64}[a-fA-F])[0-9a-fA-F]{8,}\b )
  | (?P<id>       \b(?=[a-z0-9]{0,64}\d)(?=[a-z0-9]{0,64}[a-z])[a-z0-9]{10,}\b )
  | (?P<n>        (?<![\w.])[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?(?=[A-Za-z%°]{0,4}\b|\W|$) | (?<=[a-z_-])\d{2,}(?![\w.]) )
    """,  # noqa: E501 - one alternative a line
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def pattern(message: str) -> str:
    """Return the message with `<uuid>`, `<time>`, `<ip>`, `<n>` and their like in the place of what differs."""
    return _VARIABLE.sub(lambda match: f"<{match.lastgroup}>", message[: 4 * _LONGEST])[:_LONGEST]


def numbers(message: str) -> list[float]:
    """Return the numbers that a pattern leaves out, in their order: those that can be told as one."""
    matches = _VARIABLE.finditer(message[: 4 * _LONGEST])
    found = [float(match[0]) for match in matches if match.lastgroup == "n" and _NUMBER.fullmatch(match[0])]
    return [number for number in found if isfinite(number)][:_MOST_NUMBERS]


def fold(entries: Iterable[dict[str, Json]]) -> list[dict[str, Json]]:
    """Group entries by level, logger and pattern, the most frequent first.

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
        _measure(group, numbers(message))
    return sorted(groups.values(), key=lambda group: -group["count"])


def _measure(group: dict[str, Json], found: list[float]) -> None:
    """Keep the least, the most and the last of each number of a pattern."""
    if not found:
        return
    kept = group.setdefault("numbers", [{"least": number, "most": number, "last": number} for number in found])
    for one, number in zip(kept, found, strict=False):
        one.update(least=min(one["least"], number), most=max(one["most"], number), last=number)
