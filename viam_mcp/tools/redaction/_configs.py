"""Configurations that callers send: parsed strictly, and made whole where a mark stands for what is stored.

A configuration is read with marks in it: for credentials, for what did not fit, for what JSON cannot say. Its reader
changes something and sends all of it back. A mark that comes back at the place where it was read stands for what is
stored there; any other mark is refused. So a value that was read can be sent back, and means what is stored.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.redaction._marks import (
    NOT_SHOWN,
    REDACTED,
    left_out,
    not_a_number,
    others_key,
    others_left_out,
)
from viam_mcp.tools.redaction._matching import EqualityNumbers, matches
from viam_mcp.tools.redaction._secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = Any

_EXACT = 2**53  # up to here a Struct, which keeps all numbers as doubles, tells integers apart
_CUT = re.compile(r"(?P<head>.*)… \[(?P<more>[\d,]+) more characters\]", re.DOTALL)


def config_from(text: str) -> dict[str, Json]:
    """Return the configuration that JSON text holds.

    Raises:
        ValueError: It is not a JSON object, or has a key twice, so that readers may understand it differently.
    """
    try:
        config = json.loads(
            text,
            parse_float=number_from,
            parse_int=_integer,
            parse_constant=_refused,
            object_pairs_hook=_unambiguous,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not a JSON object that can be used: {error}") from None
    if not isinstance(config, dict):
        # A value of the caller's document, not of the wrong type for this function.
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    return config


def number_from(text: str) -> float:
    """Return a number with a fraction or an exponent as a Struct gives it back: an integer, if it is one."""
    return plain_number(_finite(text))


def plain_number(number: float) -> float:
    """Return an integer, if the number is one that a double tells apart from others."""
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _integer(text: str) -> int:
    _finite(text)  # Python would refuse to read thousands of digits, in words for an operator
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _refused(text: str) -> float:
    raise ValueError(f"JSON does not have {text}")


def _unambiguous(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("an object in it has the same key twice")
    return unique


def lacks(config: Mapping[str, Json] | None) -> bool:
    """Tell whether there is a mark in a configuration."""
    return bool(NOT_SHOWN.search(json.dumps(config, ensure_ascii=False)))


@dataclass(frozen=True)
class Stored:
    """A value as it is stored, and as it is shown to its readers when all of it fits."""

    value: Json
    shown: Json

    def whole(self, sent: Json, path: str) -> Json:
        """Return what was sent, with what is stored in the place of each mark.

        Args:
            sent: A JSON value that takes this one's place.
            path: Where it stands, for the error.

        Raises:
            ToolError: A mark is not the one that was read at its place. Or what is put back would be shown otherwise
                than it was: whether a text is a credential depends on what stands beside it.
        """
        restored = _Restored(sent, path)
        whole = restored.back(sent, self, path)
        if whole is not sent:
            shown = restored.back(sent, Stored(self.shown, self.shown), path)
            _check(sent, shown, redacted(_numbers_marked(whole)), restored.marked, path)
        return whole

    def put_back(self, sent: Json, path: str) -> Json:
        """Do as `whole`, without a look at how the result would be shown."""
        return _Restored(sent, path).back(sent, self, path)

    def under(self, key: str) -> Stored:
        """Return what is stored under a key of an object."""
        both = isinstance(self.value, dict) and isinstance(self.shown, dict) and key in self.value and key in self.shown
        return Stored(self.value[key], self.shown[key]) if both else _NOTHING

    def items(self) -> list[Stored]:
        """Return what is stored in a list."""
        both = isinstance(self.value, list) and isinstance(self.shown, list) and len(self.value) == len(self.shown)
        return [Stored(*pair) for pair in zip(self.value, self.shown, strict=True)] if both else []


_NOTHING = Stored(None, None)


class _Restored:
    """Puts what is stored back into what was sent. Each value is looked at a few times, however deep it stands.

    Attributes:
        marked: The ids of the objects and lists that have a mark in them.
    """

    def __init__(self, sent: Json, path: str) -> None:
        self._numbers = EqualityNumbers()
        self.marked: set[int] = set()
        _find_marks(sent, self.marked)

    def back(self, sent: Json, stored: Stored, path: str) -> Json:
        """Return a value without its marks."""
        if not has_mark(sent, self.marked):
            return sent
        if isinstance(sent, list):
            items = stored.items()
            found = matches([item.shown for item in items], sent, self._numbers)
            behind = [_NOTHING if index is None else items[index] for index in found]
            return [self.back(*pair, f"{path}[{index}]") for index, pair in enumerate(zip(sent, behind, strict=True))]
        if isinstance(sent, dict):
            return self._object(sent, stored, path)
        if stored is not _NOTHING and _stands_for(sent, stored.shown):
            return stored.value
        raise _unknown_mark(path)

    def _object(self, sent: dict[str, Json], stored: Stored, path: str) -> dict[str, Json]:
        mark = others_key(stored.shown if isinstance(stored.shown, dict) else ())
        others = _others(sent, stored, mark, path) if mark in sent else {}
        for key in sent:
            if key != mark and NOT_SHOWN.search(key) and stored.under(key) is _NOTHING:
                raise _unknown_mark(f"{path}.{key}")
        members = {key: item for key, item in sent.items() if key != mark}
        whole = {key: self.back(item, stored.under(key), f"{path}.{key}") for key, item in members.items()}
        return {**whole, **others}


def _others(sent: dict[str, Json], stored: Stored, mark: str, path: str) -> dict[str, Json]:
    """Return the members that the mark for left out members stands for."""
    if not isinstance(stored.shown, dict) or not isinstance(stored.value, dict):
        raise _unknown_mark(f"{path}.{mark}")
    missing = {key: item for key, item in stored.shown.items() if key not in sent}
    if sent[mark] != others_left_out(len(missing), len(to_json(missing))):
        raise _unknown_mark(f"{path}.{mark}")
    return {key: stored.value[key] for key in missing}


def _stands_for(mark: str, shown: Json) -> bool:
    """Tell whether a text with a mark is what a reader was given for a value that is shown like this when it fits."""
    if mark == shown:
        return True
    if isinstance(shown, str) and (cut := _CUT.fullmatch(mark)):
        more = int(cut["more"].replace(",", "") or 0)
        return shown.startswith(cut["head"]) and len(shown) == len(cut["head"]) + more
    return mark == left_out(len(to_json(shown)))


def _check(sent: Json, shown: Json, read: Json, marked: set[int], path: str) -> None:
    """See to it that a reader of what is put back reads no more than what was sent.

    Args:
        sent: What was sent.
        shown: What was sent, with what readers were shown in the place of each mark.
        read: What readers are shown of the result.
        marked: The ids of the objects and lists with marks in them.
        path: Where it stands, for the error.

    Raises:
        ToolError: They are shown something else.
    """
    if not has_mark(sent, marked):
        return
    if isinstance(sent, list):
        for index, item in enumerate(sent):
            _check(item, shown[index], read[index], marked, f"{path}[{index}]")
    elif isinstance(sent, dict):
        for key in shown:
            if key in sent:
                _check(sent[key], shown[key], read[key], marked, f"{path}.{key}")
            elif shown[key] != read[key]:
                raise _unknown_mark(f"{path}.{key}")
    elif shown != read:
        raise _unknown_mark(path)


def has_mark(value: Json, marked: set[int]) -> bool:
    """Tell whether there is a mark in a value, by the ids of the objects and lists that have one."""
    if isinstance(value, dict | list):
        return id(value) in marked
    return isinstance(value, str) and bool(NOT_SHOWN.search(value))


def _find_marks(value: Json, found: set[int]) -> bool:
    """Tell whether there is a mark in a JSON value; the ids of the objects and lists with one go to `found`."""
    if not isinstance(value, dict | list):
        return isinstance(value, str) and bool(NOT_SHOWN.search(value))
    items = [*value, *value.values()] if isinstance(value, dict) else value
    marked = [item for item in items if _find_marks(item, found)]
    if marked:
        found.add(id(value))
    return bool(marked)


def _numbers_marked(value: Json) -> Json:
    """Return a JSON value with marks for the numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _numbers_marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_marked(item) for item in value]
    return not_a_number(value) if isinstance(value, float) and not isfinite(value) else value


def _unknown_mark(path: str) -> ToolError:
    return ToolError(
        f'{quoted(path)} holds a mark for what was not shown ({REDACTED}, [left out: …] or "… [N more characters]"), '
        "and it is not known what belongs there: nothing was done. The mark may only be sent back just as it was read, "
        "at the same place and beside what names it; otherwise send the value itself, or have a person edit it in the "
        "Viam app."
    )
