"""Lists, cut where the caller or the byte budget says, with a cursor to go on from.

A cursor says where in the service's pages the next item is: the page's token, how many of its items
were given already, and how many in all. It is bound to the query that it came from, and holds
nothing secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from viam_mcp.tools._base import ListTool, ToolError
from viam_mcp.tools._budget import fit
from viam_mcp.tools._output import Many, encode_item

if TYPE_CHECKING:
    from viam_mcp.app import AppClient

Json = Any

_PAGE = 250  # what is asked of the service at once where the caller names no limit
_LARGEST_PAGE = 1000


@dataclass(frozen=True)
class Position:
    """Where the next item is."""

    token: str = ""
    skip: int = 0
    given: int = 0


async def collect(tool: ListTool, app: AppClient, *, reveal: bool, budget: int) -> dict[str, Json]:
    """The part of the list that the arguments ask for, as the tool's whole result.

    Args:
        tool: The call.
        app: The fleet.
        reveal: Give credentials as they are.
        budget: How many bytes of compact JSON the items may take together.

    Raises:
        ToolError: The cursor or a name in `fields` is not one.
    """
    returns = tool.spec.returns
    if not isinstance(returns, Many):
        raise TypeError(f"{tool.spec.name} is a list and does not return one")
    keep = _projection(tool, returns)
    here = _decode(tool) if tool.cursor else Position()
    total = tool.total()
    wanted = min(
        limit
        for limit in (tool.limit, None if total is None else total - here.given, _LARGEST_PAGE)
        if limit is not None
    )
    asked = wanted if tool.limit or total is not None else _PAGE
    page = await tool.page(app, here.token, min(here.skip + asked, _LARGEST_PAGE))

    result: dict[str, Json] = {name: [] for name in returns.lists}
    warnings: list[str] = []
    taken = size = 0
    rest = _labelled(page, returns)[here.skip :]
    for name, item in rest[:wanted]:
        encoded = encode_item(item, reveal=reveal)
        if keep is not None:
            encoded = {key: value for key, value in encoded.items() if key in keep}
        length = len(to_json(encoded)) + 1
        if size + length > budget:
            if taken:
                warnings.append(
                    f"The result was cut at {budget:,} bytes: go on with next_cursor, or ask for fewer fields."
                )
                break
            encoded, said = fit(encoded, budget)
            warnings += said
            length = len(to_json(encoded)) + 1
        result[name].append(encoded)
        taken, size = taken + 1, size + length

    given = here.given + taken
    if taken < len(rest):
        following = Position(here.token, here.skip + taken, given)
    else:
        following = Position(page.next_page_token, 0, given)
    more = (taken < len(rest) or bool(page.next_page_token)) and (total is None or given < total)
    if more:
        result["next_cursor"] = _encode(tool, following)
    if warnings:
        result["warnings"] = warnings
    return result


def _labelled(page: Any, returns: Many) -> list[tuple[str, Any]]:
    """The items with the name of the list that each belongs to. A tool with several lists gives one page of pairs."""
    if len(returns.lists) > 1:
        return list(page)
    (name,) = returns.lists
    return [(name, item) for item in page]


def _projection(tool: ListTool, returns: Many) -> frozenset[str] | None:
    if tool.fields is None:
        return None
    known = {field.name for kind in returns.lists.values() for field in kind.DESCRIPTOR.fields}
    unknown = sorted(set(tool.fields) - known)
    if unknown:
        raise ToolError(
            f"fields: {', '.join(unknown)} is not a field of an item. There are: {', '.join(sorted(known))}."
        )
    return frozenset(tool.fields)


def _query(tool: ListTool) -> str:
    """What a cursor is bound to: the tool and the arguments that choose what is in the list."""
    arguments = tool.model_dump_json(exclude={"limit", "cursor", "fields"})
    return hashlib.sha256(f"{tool.spec.name} {arguments}".encode()).hexdigest()[:12]


def _encode(tool: ListTool, position: Position) -> str:
    text = json.dumps([_query(tool), position.token, position.skip, position.given], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(tool: ListTool) -> Position:
    cursor = tool.cursor or ""
    try:
        query, token, skip, given = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = Position(str(token), int(skip), int(given))
    except (ValueError, TypeError, binascii.Error):
        raise ToolError("cursor: this is not one. Give next_cursor of the answer before, or leave it out.") from None
    if query != _query(tool) or position.skip < 0 or position.given < 0:
        raise ToolError(
            f"cursor: it belongs to another query. Repeat the {tool.spec.name} call that gave it, with the same "
            "arguments, or leave the cursor out to start over."
        )
    return position
