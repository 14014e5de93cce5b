"""What an item of a list goes by: what tells a component, a process or a fragment from the others of its list."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.previews._values import literal, name

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = Any
Identity = str | int

_FIELDS = ("name", "id", "fragment_id", "type", "key", "pattern", "port")
_FIELDS_OF = {"processes": ("id", "name"), "fragments": ("id",), "fragment_mods": ("fragment_id",)}
"""A process has its program as its name."""


def identities(
    section: str, old: Sequence[Json], new: Sequence[Json]
) -> tuple[str, list[Identity | None], list[Identity | None]]:
    """Return the field that most items of a list go by, and what each goes by: None for one that goes by nothing.

    Args:
        section: The key that the list stands under.
        old: The items before.
        new: The items after.

    Returns:
        `""` and nothing if fewer than half of them go by the same field.
    """
    section = section.casefold()
    if section == "fragments":
        # A fragment is named by its id alone as well.
        old, new = ([{"id": item} if isinstance(item, str) else item for item in side] for side in (old, new))
    for field in _FIELDS_OF.get(section, _FIELDS):
        found = [_identity(item, field) for item in (*old, *new)]
        if 2 * sum(one is not None for one in found) >= len(found) > 0:
            return field, found[: len(old)], found[len(old) :]
    return "", [], []


def _identity(item: Json, field: str) -> Identity | None:
    value = item.get(field) if isinstance(item, dict) else None
    is_name = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return value if is_name else None


def labels(found: Sequence[Identity | None]) -> list[str]:
    """Return what each item is called: the second of one name with a number, one without a name by its place."""
    seen: Counter[str] = Counter()
    shown = []
    for place, one in enumerate(found):
        if one is None:
            shown.append(f"[{place}]")
            continue
        text = name(one) if isinstance(one, str) else literal(one)
        seen[text] += 1
        shown.append(text if seen[text] == 1 else f"{text} #{seen[text]}")
    return shown
