"""What stands in a value in the place of something that is not shown. An update restores or refuses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

REDACTED = "[redacted]"
"""In the place of a credential that is stored."""

NEW_VALUE = "[redacted: a new value]"
"""In the place of a credential that a caller sends, as a person is shown it."""

AS_STORED = "[redacted: as stored]"
"""In the place of a mark that a caller sends for what is stored, as a person is shown it."""

OTHERS_LEFT_OUT = "[left out]"
"""The key of an object under which it says how many of its members are left out; see `others_key`."""

NOT_SHOWN = re.compile(
    r"\[redacted(?: \d+|: [a-z ]+)?\]"  # a preview numbers its marks
    r"|… \[[\d,]+ more characters\]"
    r"|\[left out(?:: [\d,]+ bytes)?\]"
    r"|\[not a JSON number: (?:inf|-inf|nan)\]"
)
"""Every mark, wherever it stands in a text."""


def left_out(size: int) -> str:
    """Return the mark for a value that takes so many bytes as compact JSON."""
    return f"[left out: {size:,} bytes]"


def others_key(members: Container[str]) -> str:
    """Return the key under which an object says how many of its members are left out: one that it does not have."""
    key = OTHERS_LEFT_OUT
    while key in members:
        key += "+"
    return key


def others_left_out(members: int, size: int) -> str:
    """Return what stands under `OTHERS_LEFT_OUT`."""
    return f"{members:,} members, {size:,} bytes"


def not_a_number(number: float) -> str:
    """Return the mark for a number that JSON does not have."""
    return f"[not a JSON number: {number}]"
