"""Configurations that callers send: checked before anything else is done, and made whole where they read `[redacted]`.

Whoever reads a configuration gets it without its credentials, changes something and sends all of it back.
What was shown at a place and comes back there unchanged stands for what is stored there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from viam_mcp.tools._base import ToolError
from viam_mcp.tools._names import quoted
from viam_mcp.tools._secrets import REDACTED

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = Any

_EXACT = 2**53  # up to here a Struct, which keeps all numbers as doubles, tells integers apart

# What results say in place of what they do not show; the diff of a preview numbers its marks.
_NOT_SHOWN = re.compile(re.escape(REDACTED.removesuffix("]")) + r"(?: \d+)?\]|… \[[\d,]+ more characters\]")
_NAMES = ("name", "id")


def config_from(text: str) -> dict[str, Json]:
    """The configuration that JSON text holds.

    Raises:
        ValueError: It is not a JSON object, or says something twice, so that readers may understand it differently.
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
    """A number with a fraction or an exponent as a Struct gives it back: an integer, if it is one."""
    number = _finite(text)
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _integer(text: str) -> int:
    _finite(text)  # Python would refuse to read thousands of digits, in words for whoever runs it
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
    """Whether a configuration says of something in it that it is not shown."""
    return bool(_NOT_SHOWN.search(json.dumps(config, ensure_ascii=False)))


@dataclass(frozen=True)
class Stored:
    """A value as it is stored, and as it is shown to whoever reads it."""

    value: Json
    shown: Json

    def whole(self, sent: Json, path: str) -> Json:
        """What was sent, with what is stored in each place where it says what was shown.

        Args:
            sent: A JSON value that takes this one's place.
            path: Where it stands, for the error.

        Raises:
            ToolError: It says of something that it is not shown, and that is not what was shown there.
        """
        if isinstance(sent, dict):
            for key in sent:
                if _NOT_SHOWN.search(key) and not self._has(key):
                    raise _nothing_to_put_back(f"{path}.{key}")
            return {key: self._under(key).whole(item, f"{path}.{key}") for key, item in sent.items()}
        if isinstance(sent, list):
            return [
                self._like(item, index, len(sent)).whole(item, f"{path}[{index}]") for index, item in enumerate(sent)
            ]
        if not isinstance(sent, str) or not _NOT_SHOWN.search(sent):
            return sent
        if sent in (self.shown, self.value):
            return self.value
        raise _nothing_to_put_back(path)

    def _has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def _under(self, key: str) -> Stored:
        """What is stored under a key of an object."""
        both = isinstance(self.shown, dict) and key in self.shown and self._has(key)
        return Stored(self.value[key], self.shown[key]) if both else _NOTHING

    def _like(self, item: Json, index: int, length: int) -> Stored:
        """What is stored in a list for an item that was sent: by its name, else as it was shown, else by position."""
        if not (isinstance(self.value, list) and isinstance(self.shown, list)):
            return _NOTHING
        stored = [Stored(*pair) for pair in zip(self.value, self.shown, strict=True)]
        if name := _name(item):
            named = [each for each in stored if _name(each.shown) == name]
            return named[0] if len(named) == 1 else _NOTHING
        same = [each for each in stored if each.shown == item]
        if len(same) == 1:
            return same[0]
        return stored[index] if len(stored) == length and not _name(stored[index].shown) else _NOTHING


_NOTHING = Stored(None, None)


def _name(item: Json) -> tuple[str, Json] | None:
    """What an item of a list goes by."""
    if isinstance(item, dict):
        for key in _NAMES:
            if isinstance(item.get(key), str) and not _NOT_SHOWN.search(item[key]):
                return key, item[key]
    return None


def _nothing_to_put_back(path: str) -> ToolError:
    return ToolError(
        f'{quoted(path)} holds a mark for what was not shown ({REDACTED} or "… [N more characters]"), and it is not '
        "known what belongs there: nothing was done. The mark may only be sent back just as it was read, at the "
        "same place; otherwise send the value itself, or have a person edit it in the Viam app."
    )


def whole_config(
    sent: Mapping[str, Json], stored: Mapping[str, Json] | None, shown: Json, name: str
) -> dict[str, Json]:
    """The configuration that an argument means, given the stored one and how that is shown.

    Raises:
        ToolError: It says of something that it is not shown, and that is not what was shown there.
    """
    whole: dict[str, Json] = Stored(stored or {}, shown or {}).whole(dict(sent), name)
    return whole
