"""One object that is larger than a result may be: what gives way, and how the reader learns of it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from viam_mcp.tools._text import shorten

Json = Any

_LONG = 2_000  # characters of one text that stay when the whole does not fit


def fit(value: dict[str, Json], budget: int) -> tuple[dict[str, Json], list[str]]:
    """The object, made to fit into `budget` bytes of compact JSON, and a warning for each thing that gave way.

    Long texts are shortened first. If that is not enough, members are left out, the largest first.
    """
    if len(to_json(value)) <= budget:
        return value, []
    value = _shortened(value)
    warnings = [f"Texts of over {_LONG:,} characters were shortened to fit."]
    sizes = sorted(((len(to_json(member)), name) for name, member in value.items()), reverse=True)
    excess = len(to_json(value)) - budget
    for size, name in sizes:
        if excess <= 0:
            break
        member = value[name]
        if isinstance(member, dict):
            inner, said = fit(member, max(size - excess, 2))
            value = {**value, name: inner}
            warnings += [text for text in said if text not in warnings]
            excess = len(to_json(value)) - budget
            continue
        value = {key: kept for key, kept in value.items() if key != name}
        warnings.append(f"{name} was left out: it takes {size:,} bytes, more than fit into a result.")
        excess -= size
    return value, warnings


def _shortened(value: Json) -> Json:
    if isinstance(value, str):
        return shorten(value, _LONG)
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value
