"""A part's log as a resource that can be subscribed to: its URI, and the call that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.shared.uri_template import UriTemplate

from viam_mcp.logs import Query
from viam_mcp.tools import Effect, ToolError, quoted

if TYPE_CHECKING:
    from viam_mcp.policy import Caller

Json = Any

TOOL = "tail_robot_part_logs"
URI = "viam://parts/{robot_part_id}/logs{?errors_only,filter,cursor,limit}"
VARIABLES = ("robot_part_id", "errors_only", "filter", "cursor", "limit")
MOST = 1_000
_DEFAULT_LIMIT = 100
_TEMPLATE = UriTemplate.parse(URI)
_SWITCH = {"true": True, "false": False}


def definition() -> dict[str, Json]:
    """Return its entry in the answer to `resources/templates/list`."""
    return {
        "uriTemplate": URI,
        "name": "part-logs",
        "title": "Live log of a part",
        "description": "What a machine part logs, by its id, the latest last: errors only unless errors_only=false. "
        "With cursor=next_cursor of an earlier read, only what is new since. Subscribe to be notified when there is "
        "more.",
        "mimeType": "application/json",
    }


def arguments_at(uri: str) -> dict[str, Json] | None:
    """Return the arguments of the call that reads a URI, or None if the URI is not that of a log.

    Raises:
        ToolError: It is the URI of a log, with a value that cannot be right.
    """
    match = _TEMPLATE.match(uri)
    if match is None:
        return None
    given = {name: str(value) for name, value in match.items() if value not in (None, "")}
    arguments: dict[str, Json] = {
        "robot_part_id": given.get("robot_part_id", ""),
        "errors_only": _switch(given.get("errors_only", "true")),
        "limit": _limit(given.get("limit", str(_DEFAULT_LIMIT))),
        "wait_seconds": 0,
    }
    arguments.update({name: given[name] for name in ("filter", "cursor") if name in given})
    if "cursor" not in arguments:
        # Someone who attaches a log to a conversation wants to see what is in it already.
        arguments["backlog"] = min(arguments["limit"], _DEFAULT_LIMIT)
    return arguments


def query_of(arguments: dict[str, Json]) -> Query:
    """Return the log that such a call reads."""
    return Query(arguments["robot_part_id"], arguments["errors_only"], arguments.get("filter", ""))


def may_read(caller: Caller) -> bool:
    """Return whether a caller's credential opens logs at this moment."""
    return caller.opens is None or caller.opens(TOOL, Effect.READ)


def _switch(text: str) -> bool:
    if text not in _SWITCH:
        raise ToolError(f"errors_only: expected true or false, got {quoted(text)}.")
    return _SWITCH[text]


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise ToolError(f"limit: expected a number from 1 to {MOST}, got {quoted(text)}.")
    return int(text)
