"""One object that is larger than a result may be: what gives way, and how the reader learns of it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.redaction._text import shorten

Json = Any

ROOM = 600
"""Bytes of a result that are kept free for what the warnings say and for the cursor of a list."""

_LONG = 2_000  # characters of one text that stay when the whole does not fit
_NAMED = 4  # of the members that were left out
_LAST = frozenset({"id", "name"})  # left out after all else: without them nobody knows what the rest is about


def fit(value: dict[str, Json], budget: int, room: int = ROOM) -> tuple[dict[str, Json], list[str]]:
    """The object, made to fit into `budget` bytes of compact JSON, and warnings that say what gave way.

    Long texts are shortened first. If that is not enough, members are left out, the largest first. The
    members of the object itself stay, if empty, where they are objects: they are the shape of the result.

    Args:
        value: The object.
        budget: How many bytes it may take together with the warnings.
        room: How many of these are kept free for the warnings.
    """
    if len(to_json(value)) <= budget:
        return value, []
    warnings = []
    if (short := _shortened(value)) != value:
        warnings.append(f"Texts of over {_LONG:,} characters were shortened to fit.")
    left_out: dict[str, int] = {}
    cut = _cut(short, budget - room, "", left_out)
    if left_out:
        named = ", ".join(f"{quoted(path, 60)} ({size:,} bytes)" for path, size in [*left_out.items()][:_NAMED])
        more = f" and {len(left_out) - _NAMED:,} more" if len(left_out) > _NAMED else ""
        warnings.append(f"Left out, because they are more than fits into a result: {named}{more}.")
    return cut, warnings


def _cut(value: dict[str, Json], budget: int, path: str, left_out: dict[str, int]) -> dict[str, Json]:
    """The object without as many of its members as it takes; their paths and sizes go to `left_out`."""
    kept = dict(value)
    excess = len(to_json(value)) - budget
    sizes = ((name not in _LAST, len(to_json(member)), name) for name, member in value.items())
    for _, size, name in sorted(sizes, reverse=True):
        if excess <= 0:
            break
        member, within = value[name], dict[str, int]()
        inner = _cut(member, size - excess, f"{path}{name}.", within) if isinstance(member, dict) else {}
        if inner or (isinstance(member, dict) and not path):
            kept[name] = inner
            left_out.update(within)
            excess -= size - len(to_json(inner))
        else:
            del kept[name]
            left_out[f"{path}{name}"] = size
            excess -= size + len(to_json(name)) + 2  # the colon and the comma
    return kept


def _shortened(value: Json) -> Json:
    if isinstance(value, str):
        return shorten(value, _LONG)
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value
