"""Configurations that callers send: checked before anything else is done, and made whole where they read `[redacted]`.

Whoever reads a configuration gets it without its credentials, changes something and sends all of it back.
What was shown at a place and comes back there unchanged stands for what is stored there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.redaction._marks import NOT_SHOWN, REDACTED
from viam_mcp.tools.redaction._matching import Looks, matches
from viam_mcp.tools.redaction._secrets import redacted
from viam_mcp.tools.redaction._text import sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = Any

_EXACT = 2**53  # up to here a Struct, which keeps all numbers as doubles, tells integers apart


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
    return plain_number(_finite(text))


def plain_number(number: float) -> float:
    """An integer, if it is one that is told apart from others."""
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
    return bool(NOT_SHOWN.search(json.dumps(config, ensure_ascii=False)))


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
            ToolError: It says of something that it is not shown, and that is not what was shown there, or would
                not read so there: whether a text is a credential depends on what stands beside it.
        """
        putting = _Putting(sent)
        whole = putting.back(sent, self, path)
        if whole is not sent:
            putting.check(sent, redacted(_as_read(whole)), path)
        return whole

    def put_back(self, sent: Json, path: str) -> Json:
        """As `whole`, without a look at how it would read."""
        return _Putting(sent).back(sent, self, path)

    def under(self, key: str) -> Stored:
        """What is stored under a key of an object."""
        both = isinstance(self.value, dict) and isinstance(self.shown, dict) and key in self.value and key in self.shown
        return Stored(self.value[key], self.shown[key]) if both else _NOTHING

    def items(self) -> list[Stored]:
        """What is stored in a list."""
        both = isinstance(self.value, list) and isinstance(self.shown, list) and len(self.value) == len(self.shown)
        return [Stored(*pair) for pair in zip(self.value, self.shown, strict=True)] if both else []


_NOTHING = Stored(None, None)


class _Putting:
    """What is stored goes back into what was sent. Each value is looked at a few times, however deep it stands."""

    def __init__(self, sent: Json) -> None:
        self._looks = Looks()
        self._lacking: set[int] = set()
        _find_lacking(sent, self._lacking)

    def back(self, sent: Json, stored: Stored, path: str) -> Json:
        if not self._lacks(sent):
            return sent
        if isinstance(sent, list):
            items = stored.items()
            found = matches([item.shown for item in items], sent, self._looks)
            behind = [_NOTHING if index is None else items[index] for index in found]
            return [self.back(*pair, f"{path}[{index}]") for index, pair in enumerate(zip(sent, behind, strict=True))]
        if isinstance(sent, dict):
            for key in sent:
                if NOT_SHOWN.search(key) and stored.under(key) is _NOTHING:
                    raise _nothing_to_put_back(f"{path}.{key}")
            return {key: self.back(item, stored.under(key), f"{path}.{key}") for key, item in sent.items()}
        if sent == stored.shown:
            return stored.value
        raise _nothing_to_put_back(path)

    def check(self, sent: Json, read: Json, path: str) -> None:
        """See to it that whoever reads it reads no more than what was sent."""
        if not self._lacks(sent):
            return
        if isinstance(sent, list):
            for index, item in enumerate(sent):
                self.check(item, read[index], f"{path}[{index}]")
        elif isinstance(sent, dict):
            if len(read) < len(sent):  # two keys that look the same: no telling which one is read
                raise _nothing_to_put_back(path)
            for key, item in sent.items():
                self.check(item, read[sanitize(key)], f"{path}.{key}")
        elif sent != read:
            raise _nothing_to_put_back(path)

    def _lacks(self, sent: Json) -> bool:
        return id(sent) in self._lacking if isinstance(sent, dict | list) else _is_lacking(sent)


def _find_lacking(value: Json, found: set[int]) -> bool:
    """Whether something in a JSON value says that it is not shown; the ids of the objects and lists it is in."""
    if not isinstance(value, dict | list):
        return _is_lacking(value)
    items = [*value, *value.values()] if isinstance(value, dict) else value
    lacking = [item for item in items if _find_lacking(item, found)]
    if lacking:
        found.add(id(value))
    return bool(lacking)


def _is_lacking(value: Json) -> bool:
    return isinstance(value, str) and bool(NOT_SHOWN.search(value))


def _as_read(value: Json) -> Json:
    """A JSON value as it reads before credentials are taken out."""
    if isinstance(value, dict):
        return {sanitize(key): _as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    return sanitize(value) if isinstance(value, str) else value


def _nothing_to_put_back(path: str) -> ToolError:
    return ToolError(
        f'{quoted(path)} holds a mark for what was not shown ({REDACTED} or "… [N more characters]"), and it is not '
        "known what belongs there: nothing was done. The mark may only be sent back just as it was read, at the same "
        "place and beside what names it; otherwise send the value itself, or have a person edit it in the Viam app."
    )
