"""Two configurations without their credentials: what is stored, and what takes its place.

In what is stored, each credential has a number, by its place alone: `[redacted 3]`. It keeps it where the caller sent
back the mark that it was read as. What a caller sends instead is a new value, even if it is the stored one: nobody
can try out what a credential is.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.previews.configs._changes import ordered
from viam_mcp.tools.redaction._configs import Stored
from viam_mcp.tools.redaction._marks import AS_STORED, NEW_VALUE, REDACTED
from viam_mcp.tools.redaction._secrets import may_be_code, redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from viam_mcp.tools.previews.configs._changes import Change
    from viam_mcp.tools.redaction._secrets import Label

Json = Any

_LABEL = REDACTED.removesuffix("]")
_NUMBERED = re.compile(rf"{re.escape(_LABEL)} (\d+)\]")

_CODE = ("modules", "processes", "packages", "fragments", "fragment_mods", "agent", "remotes")
_RUNS = ("module_id", "package", "version", "executable_path", "address", "args", "command", "cwd", "env")
"""What tells what an item runs."""
_ITEM = re.compile(rf"(?:{'|'.join(_CODE)})\.[^.]+")  # as fragment_mods say which they change


def sides(stored: Stored, sent: Mapping[str, Json], path: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what is stored and what takes its place, without credentials.

    Nothing in the second depends on a stored value that was not shown, so that it tells nothing of it.

    Raises:
        ToolError: What was sent says of something that it is not shown, and that is not what was shown there.
    """
    stored.whole(sent, path)
    labels = (f"{_LABEL} {number}]" for number in itertools.count(1))
    old = _hidden(ordered(stored.value), stored.shown, labels)
    back = Stored(old, stored.shown).put_back(dict(sent), path)
    new: Any = redacted(_told(ordered(back), _label), _label)
    return _settled(old), _settled(new)


def relabelled(changes: Sequence[Change]) -> list[Change]:
    """Return the changes with a credential's number only where it tells that it goes from one place to another."""
    old, new = (_numbers(getattr(change, side) for change in changes) for side in ("old", "new"))
    if not old and not new:
        return [*changes]
    both = old & new

    def told(value: Json, otherwise: str) -> Json:
        if isinstance(value, str):
            return _NUMBERED.sub(lambda found: found[0] if found[1] in both else otherwise, value)
        if isinstance(value, dict):
            return {key: told(item, otherwise) for key, item in value.items()}
        return [told(item, otherwise) for item in value] if isinstance(value, list) else value

    return [replace(change, old=told(change.old, REDACTED), new=told(change.new, AS_STORED)) for change in changes]


def _numbers(values: Iterable[Json]) -> frozenset[str]:
    """Return the numbers of the stored credentials in some values."""
    found: set[str] = set()
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and _LABEL in value:
            found.update(_NUMBERED.findall(value))
        elif isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return frozenset(found)


@dataclass(frozen=True)
class _Settled:
    """A value in which each credential is hidden already."""

    shown: Json


def _settled(value: Json) -> Json:
    if isinstance(value, _Settled):
        return value.shown
    if isinstance(value, dict):
        return {key: _settled(item) for key, item in value.items()}
    return [_settled(item) for item in value] if isinstance(value, list) else value


def _label(secret: object) -> object:
    return secret if isinstance(secret, _Settled) or may_be_code(secret) else NEW_VALUE


def _told(value: Json, label: Label) -> Json:
    """Return what a caller sends, with what tells what an item runs settled: what it stands in cannot hide it."""
    if isinstance(value, list):
        return [_told(item, label) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: _told(item, label) for key, item in value.items()}
    return {
        key: _Settled(_settled(redacted(item, label))) if _tells_what_runs(key) else item for key, item in told.items()
    }


def _tells_what_runs(key: str) -> bool:
    key = key.casefold()
    return key in _RUNS or bool(_ITEM.fullmatch(key))


def _hidden(value: Json, shown: Json, labels: Iterator[str]) -> Json:
    """Return a stored value in which all that was not shown is labelled."""
    if isinstance(value, dict):
        members = shown if isinstance(shown, dict) else {}
        return {key: _hidden(item, members.get(key), labels) for key, item in value.items()}
    if isinstance(value, list):
        items = shown if isinstance(shown, list) and len(shown) == len(value) else [None] * len(value)
        return [_hidden(*pair, labels) for pair in zip(value, items, strict=True)]
    marked = shown if isinstance(shown, str) and REDACTED in shown else None
    if marked is None and shown == value:
        return value
    return _Settled(re.sub(re.escape(REDACTED), lambda _: next(labels), marked or REDACTED))
