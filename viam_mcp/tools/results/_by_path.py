"""Large configurations, read by path and in pages.

A path is a JSON Pointer (https://www.rfc-editor.org/rfc/rfc6901). The value there comes as it does in the whole
configuration, credentials redacted; a list, an object or a text that does not fit comes in pages: some of its items,
members or characters each, in order. What alone is larger than a page is left out, and can be read by its own path.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic_core import to_json

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.redaction._marks import left_out
from viam_mcp.tools.results._budget import ROOM
from viam_mcp.tools.results._encode import FreeForm
from viam_mcp.tools.results._output import One

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = Any

ConfigPath = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    Field(description="JSON Pointer such as /components/0: answers with that value alone; / is all of it"),
]
ConfigCursor = Annotated[str, Field(description="next_cursor of the answer before, for the next page of the value")]

_Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
_LONGEST_CHARACTER = 6  # bytes of one in JSON, of a control
_IDENTIFYING = ("id", "name", "last_updated")
_MOST_NAMED = 20  # members of an object, for the error


class _Cursor(NamedTuple):
    """How much of which value was given already."""

    path: str
    revision: str
    given: _Count


_CURSOR = TypeAdapter(_Cursor, config=ConfigDict(defer_build=True))


@dataclass(frozen=True)
class ByPath:
    """A record of which one value of its configuration is asked for.

    Attributes:
        record: The record.
        path: Where the value is.
        cursor: Where the last page ended; None for the first page.
        budget: How many bytes of compact JSON the answer may take.
    """

    record: Any
    path: str
    cursor: str | None
    budget: int


@dataclass(frozen=True)
class OneByPath(One):
    """One message under `name`, or where it is asked for `ByPath`, one value of its configuration.

    Attributes:
        config: The message's field that holds the configuration.
    """

    config: str

    def properties(self) -> dict[str, Json]:
        """Return the JSON schema of each member."""
        return {**super().properties(), "value_at_path": {}, "next_cursor": {"type": "string"}}

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """Return the members; credentials redacted unless they are to be revealed."""
        if not isinstance(value, ByPath):
            return super().encode(value, reveal=reveal)
        message = super().encode(value.record, reveal=reveal)[self.name]
        which = {name: message[name] for name in _IDENTIFYING if name in message}
        whole = at_path(message.get(self.config, {}), value.path)
        room = max(value.budget - len(to_json({self.name: which})) - ROOM, 1)
        page, following = page_of(whole, _given(whole, value), room)
        answer = {self.name: which, "value_at_path": page}
        if following is not None:
            cursor = _Cursor(value.path, _revision(whole), following)
            answer["next_cursor"] = base64.urlsafe_b64encode(to_json(cursor)).decode().rstrip("=")
        return answer


def at_path(value: Json, path: str) -> Json:
    """Return what is at a JSON Pointer.

    Raises:
        ToolError: There is nothing.
    """
    path = path if path.startswith("/") else f"/{path}"
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    walked = ""
    for step in steps if path != "/" else ():
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and step.isascii() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ToolError(f"path: {quoted(walked or '/')} has no {quoted(step)}. {_there_is(value)}")
        walked += f"/{step}"
    return value


def _there_is(value: Json) -> str:
    if isinstance(value, list):
        return f"It is a list of {len(value):,} items, from 0 on."
    if not isinstance(value, dict):
        return "It has no members."
    names = ", ".join(quoted(name, 40) for name in [*value][:_MOST_NAMED])
    more = f" and {len(value) - _MOST_NAMED:,} more" if len(value) > _MOST_NAMED else ""
    return f"There are: {names}{more}." if value else "It is empty."


def page_of(value: Json, given: int, budget: int) -> tuple[Json, int | None]:
    """Return a page of a value, and how much is given with it; None if that is all.

    Args:
        value: The value.
        given: How many of its items, members or characters were given before.
        budget: How many bytes of compact JSON the page may take.
    """
    if not given and len(to_json(value)) <= budget:
        return value, None
    if isinstance(value, str):
        end = given + max(budget // _LONGEST_CHARACTER, 1)
        return value[given:end], end if end < len(value) else None
    if isinstance(value, dict):
        members = [*value.items()][given:]
        taken = _fitting(members, budget, lambda name, item: len(to_json({name: item})))
        page: Json = FreeForm(taken)
    elif isinstance(value, list):
        members = [*enumerate(value)][given:]
        taken = _fitting(members, budget, lambda _, item: len(to_json(item)) + 1)
        page = [item for _, item in taken]
    else:
        return value, None
    end = given + len(taken)
    return page, end if end < len(value) else None


def _fitting(
    members: Iterable[tuple[Any, Json]], budget: int, size_of: Callable[[Any, Json], int]
) -> list[tuple[Any, Json]]:
    """Return as many members as fit, at least one; one that is too large for a page has a mark in its place.

    Args:
        members: The members, each with its name or place.
        budget: How many bytes of compact JSON they may take.
        size_of: How many bytes a member takes, with its name.
    """
    taken: list[tuple[Any, Json]] = []
    room = budget
    for name, item in members:
        size = size_of(name, item)
        if size > budget:
            item = left_out(len(to_json(item)))  # noqa: PLW2901 - what stands for it
            size = size_of(name, item)
        room -= size
        if room < 0 and taken:
            break
        taken.append((name, item))
    return taken


def _given(whole: Json, asked: ByPath) -> int:
    """Return how much of a value was given before.

    Raises:
        ToolError: The cursor is not one, or of another value.
    """
    if not asked.cursor:
        return 0
    try:
        cursor = _CURSOR.validate_json(base64.urlsafe_b64decode(asked.cursor + "=" * (-len(asked.cursor) % 4)))
    except ValueError:
        raise ToolError("cursor: this is not one. Give next_cursor of the answer before, or leave it out.") from None
    if cursor.path != asked.path or cursor.revision != _revision(whole):
        raise ToolError(
            "cursor: it belongs to another path, or the value there was changed since. Leave the cursor out to start "
            "over."
        )
    return cursor.given


def _revision(value: Json) -> str:
    return hashlib.sha256(to_json(value)).hexdigest()[:12]
