"""How much of a value an update would remove."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from viam_mcp.tools.redaction._marks import NOT_SHOWN, others_key
from viam_mcp.tools.redaction._matching import EqualityNumbers, matches

Json = Any


def removed_share(stored: Json, sent: Json) -> float:
    """Return which share of a stored value is in none of its places any more, from 0 to 1.

    What is changed is not removed. A mark stands for what is stored in its place. Items of lists are
    matched by equality, by their names and by their position.

    Args:
        stored: The value that is stored, as it is shown: what is sent was made of that.
        sent: What takes its place.
    """
    whole = _size(stored)
    return 1 - _kept(stored, sent, EqualityNumbers()) / whole if whole else 0.0


def _kept(stored: Json, sent: Json, numbers: EqualityNumbers) -> int:
    """Return how much of a stored value is still there."""
    if isinstance(sent, str) and NOT_SHOWN.search(sent):
        return _size(stored)
    if isinstance(stored, dict):
        if not isinstance(sent, dict):
            return 0
        others = others_key(stored) in sent
        return sum(
            len(key) + _kept(item, sent[key], numbers) if key in sent else (len(key) + _size(item)) * others
            for key, item in stored.items()
        )
    if isinstance(stored, list):
        if not isinstance(sent, list):
            return 0
        kept = {
            place: item for place, item in zip(matches(stored, sent, numbers), sent, strict=True) if place is not None
        }
        return sum(_kept(stored[place], item, numbers) for place, item in kept.items())
    return 0 if isinstance(sent, dict | list) else _size(stored)


def _size(value: Json) -> int:
    """Return how much there is in a value: characters of its keys and values."""
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(_size(item) for item in value)
    return len(value) if isinstance(value, str) and value else len(to_json(value))
