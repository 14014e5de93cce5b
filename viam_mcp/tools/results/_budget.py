"""One object that is larger than a result may be: what gives way, and how its reader learns of it.

A Struct, which can be sent back, keeps a mark in the place of all that is left out or cut. An update puts back what is
stored there, or refuses (see `redaction`). Warnings say the same to a reader of the whole result.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.redaction._marks import left_out, others_key, others_left_out
from viam_mcp.tools.redaction._text import shorten
from viam_mcp.tools.results._encode import FreeForm

Json = Any

ROOM = 600
"""Bytes of a result that are kept free for what the warnings say and for the cursor of a list."""

_LONG = 2_000  # characters of one text that stay when the whole does not fit
_NAMED = 4  # of the members that were left out
_LAST = frozenset({"id", "name"})  # left out after all else: without them nobody knows what the rest is about
_LONGEST_MARK = 40  # bytes: a smaller member is left out with others, or not at all
_OTHERS = 60  # bytes of the mark for several members


def fit(value: dict[str, Json], budget: int, room: int = ROOM) -> tuple[dict[str, Json], list[str]]:
    """Return the object, made to fit into `budget` bytes of compact JSON, and warnings that say what gave way.

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
    left: dict[str, int] = {}
    cut = _cut(short, value, budget - room, "", left)
    if left:
        named = ", ".join(f"{quoted(path, 60)} ({size:,} bytes)" for path, size in [*left.items()][:_NAMED])
        more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
        warnings.append(f"Left out, because they are more than fits into a result: {named}{more}.")
    return cut, warnings


def _cut(
    value: dict[str, Json], whole: dict[str, Json], budget: int, path: str, left: dict[str, int]
) -> dict[str, Json]:
    """Return the object without as many of its members as it takes.

    Args:
        value: The object, in which long texts are shortened.
        whole: The same as it was.
        budget: How many bytes it may take.
        path: Where it stands.
        left: Gets the paths of the members and their sizes.
    """
    if isinstance(value, FreeForm):
        return _marked(value, whole, budget, path, left)
    kept = dict(value)
    excess = len(to_json(value)) - budget
    sizes = ((name not in _LAST, len(to_json(member)), name) for name, member in value.items())
    for _, size, name in sorted(sizes, reverse=True):
        if excess <= 0:
            break
        member, within = value[name], dict[str, int]()
        inner = _cut(member, whole[name], size - excess, f"{path}{name}.", within) if isinstance(member, dict) else {}
        if inner or (isinstance(member, dict) and not path):
            kept[name] = inner
            left.update(within)
            excess -= size - len(to_json(inner))
        else:
            del kept[name]
            left[f"{path}{name}"] = size
            excess -= size + len(to_json(name)) + 2  # the colon and the comma
    return kept


def _marked(
    value: dict[str, Json], whole: dict[str, Json], budget: int, path: str, left: dict[str, int]
) -> dict[str, Json]:
    """Return a free-form object with marks in the place of what does not fit: of large members each, of small ones one.

    A mark says how large what it stands for was as it was, not shortened. The arguments are those of `_cut`.
    """
    kept = FreeForm(value)
    excess = len(to_json(value)) - budget
    sizes = sorted(((name not in _LAST, len(to_json(member)), name) for name, member in value.items()), reverse=True)
    for _, size, name in sizes:
        if excess <= 0 or size <= _LONGEST_MARK:
            continue
        member, within = value[name], dict[str, int]()
        if isinstance(member, dict) and size - excess > _OTHERS and len(member) > 1:
            kept[name] = _marked(member, whole[name], size - excess, f"{path}{name}.", within)
            left.update(within)
        else:
            kept[name] = left_out(left.setdefault(f"{path}{name}", len(to_json(whole[name]))))
        excess -= size - len(to_json(kept[name]))
    if excess <= 0:
        return kept
    excess += _OTHERS
    others: dict[str, Json] = {}
    for _, _, name in sizes:
        if excess <= 0:
            break
        excess -= len(to_json({name: kept[name]})) - 1
        del kept[name]
        others[name] = whole[name]
        left.pop(f"{path}{name}", None)
    size = len(to_json(others))
    key = others_key(whole)
    left[f"{path}{key}"] = size
    return FreeForm({**kept, key: others_left_out(len(others), size)})


def _shortened(value: Json) -> Json:
    if isinstance(value, str):
        return shorten(value, _LONG)
    if isinstance(value, dict):
        return type(value)({key: _shortened(item) for key, item in value.items()})
    return [_shortened(item) for item in value] if isinstance(value, list) else value
