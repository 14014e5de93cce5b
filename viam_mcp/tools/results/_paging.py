"""Lists, cut where the caller or the byte budget says, with a cursor to go on from.

A cursor says where in the service's pages the next item is: the page's token, how many of its items
were given already, and how many in all. It is bound to the query that it came from, and holds
nothing secret.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from viam_mcp.tools._environment import Environment
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.results._budget import ROOM, fit
from viam_mcp.tools.results._encode import schema_of
from viam_mcp.tools.results._output import Many, encode_item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

    from viam_mcp.app import AppClient
    from viam_mcp.tools._tool import ListTool

Json = Any

_PAGE = 250  # what is asked of the service at once where the caller names no limit
_LARGEST_PAGE = 1000


_Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]


class Cursor(NamedTuple):
    """Where the next item is, in the list that `query` asks for."""

    query: str
    token: str = ""
    skip: _Count = 0
    given: _Count = 0


_CURSOR = TypeAdapter(Cursor, config=ConfigDict(defer_build=True))


async def collect(
    tool: ListTool,
    app: AppClient,
    *,
    reveal: bool,
    budget: int,
    environment: Environment | None = None,
) -> dict[str, Json]:
    """Return the part of the list that the arguments ask for, as the tool's whole result.

    Args:
        tool: The call.
        app: The fleet.
        reveal: Give credentials as they are.
        budget: How many bytes of compact JSON the result may take.
        environment: What the tool may use besides.

    Raises:
        ToolError: The cursor or a name in `fields` is not one.
    """
    returns = tool.spec.returns
    if not isinstance(returns, Many):
        raise TypeError(f"{tool.spec.name} is a list and does not return one")
    keep = projection(tool.fields, *returns.lists.values())
    here = _decode(tool)
    total = tool.total()
    left = None if total is None else max(total - here.given, 0)
    wanted = min(limit for limit in (tool.limit, left, _LARGEST_PAGE) if limit is not None)
    asked = wanted if tool.limit or total is not None else _PAGE
    page = await tool.page(app, here.token, min(here.skip + asked, _LARGEST_PAGE))

    result: dict[str, Json] = {name: [] for name in returns.lists}
    rest = _labelled(page, returns)[here.skip :]
    fitting, warnings = fill(
        (encode_item(item, reveal=reveal) for _, item in rest[:wanted]), keep, budget - len(to_json(result))
    )
    for (name, _), encoded in zip(rest, fitting, strict=False):
        result[name].append(encoded)
    taken = len(fitting)

    given = here.given + taken
    behind = here.skip + taken
    if taken == len(rest):
        following = here._replace(token=page.next_page_token, skip=0, given=given)
    elif token := await _token_behind(tool, app, here.token, page[:behind]):
        following = here._replace(token=token, skip=0, given=given)
    else:
        following = here._replace(skip=behind, given=given)
    more = (taken < len(rest) or bool(page.next_page_token)) and (total is None or given < total)
    if more:
        result["next_cursor"] = _encode(following)
    last = taken == len(rest) and not page.next_page_token
    result.update(tool.besides(environment or Environment(), [item for _, item in rest[:taken]], last=last))
    if warnings:
        result["warnings"] = [*result.get("warnings", ()), *warnings]
    return result


async def _token_behind(tool: ListTool, app: AppClient, token: str, items: list[Any]) -> str:
    """Return the service's own token for what follows these items, which begin at `token`; "" if there is none.

    Items that come in front or fall out while the caller reads shift what a number of items to skip means;
    they do not shift what a token means.
    """
    if not tool.exact_pages:
        return ""
    page = await tool.page(app, token, len(items))
    return page.next_page_token if page == items else ""


def _labelled(page: Any, returns: Many) -> list[tuple[str, Any]]:
    """Return the items with the name of the list that each belongs to; a tool with several lists gives pairs."""
    if len(returns.lists) > 1:
        return list(page)
    (name,) = returns.lists
    return [(name, item) for item in page]


def projection(fields: list[str] | None, *kinds: type[Message]) -> frozenset[str] | None:
    """Return the names of the fields that items of these kinds are to keep; None for all of them.

    Raises:
        ToolError: One of them is no field.
    """
    if fields is None:
        return None
    known = {name for kind in kinds for name in schema_of(kind)["properties"]}
    for name in fields:
        if name not in known:
            raise ToolError(f"fields: {quoted(name)} is no field of an item. There are: {', '.join(sorted(known))}.")
    return frozenset(fields)


def fill(
    items: Iterable[dict[str, Json]], keep: frozenset[str] | None, budget: int
) -> tuple[list[dict[str, Json]], list[str]]:
    """Return as many of the items as fit into a result, and what its reader should know about it.

    Args:
        items: The items, encoded.
        keep: Which of their fields stay; None for all.
        budget: How many bytes of compact JSON they may take, with what is kept free for the end of the result.
            The first one is made to fit.
    """
    taken: list[dict[str, Json]] = []
    warnings: list[str] = []
    size = ROOM
    for item in items:
        encoded = item if keep is None else {key: value for key, value in item.items() if key in keep}
        length = len(to_json(encoded)) + 1
        if size + length > budget:
            if taken:
                warnings.append("The result was cut because it is full: go on with next_cursor, or ask for less.")
                break
            encoded, said = fit(encoded, budget - size, room=0)
            warnings += said
            length = len(to_json(encoded)) + 1
        taken.append(encoded)
        size += length
    return taken, warnings


def _query(tool: ListTool) -> str:
    """Return what a cursor is bound to: the tool and the arguments that choose what is in the list."""
    arguments = tool.model_dump_json(exclude={"limit", "cursor", "fields"})
    return hashlib.sha256(f"{tool.spec.name} {arguments}".encode()).hexdigest()[:12]


def _encode(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(to_json(cursor)).decode().rstrip("=")


def _decode(tool: ListTool) -> Cursor:
    query = _query(tool)
    if not tool.cursor:
        return Cursor(query)
    try:
        cursor = _CURSOR.validate_json(base64.urlsafe_b64decode(tool.cursor + "=" * (-len(tool.cursor) % 4)))
    except ValueError:
        raise ToolError("cursor: this is not one. Give next_cursor of the answer before, or leave it out.") from None
    if cursor.query != query:
        raise ToolError(
            f"cursor: it belongs to another query. Repeat the {tool.spec.name} call that gave it, with the same "
            "arguments, or leave the cursor out to start over."
        )
    return cursor
