"""Lines that are no message, and what their sender is told.

The SDK drops a line that it cannot read, and a client that sent it as a request would wait for ever.
https://www.jsonrpc.org/specification#error_object
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json

if TYPE_CHECKING:
    from mcp_types import JSONRPCMessage

# Clients write the id of a request either before the method or at the very end of the line. Anywhere else, or without
# a method, it may be the id of something else.
_ID = rb'"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(-?\d{1,15}|"[ !#-\[\]-~]{0,100}")\s*'
_BEGINNING = re.compile(rb"\s*\{\s*" + _ID + rb',\s*"method"\s*:')
_METHOD = re.compile(rb'\s*\{\s*"method"\s*:')
_END = re.compile(_ID + rb"\}\s*\Z")

HEAD = 1_000
"""How many bytes at either end of a line are searched for its id."""


class Malformed(Exception):  # noqa: N818 - it is the sender's fault
    """A line is no message.

    Attributes:
        answer: The answer to its sender.
    """

    def __init__(self, code: int, reason: str, request_id: str | int | None) -> None:
        super().__init__(reason)
        self.answer = JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=reason))


def message_in(line: bytes) -> JSONRPCMessage:
    """Return the message in a line.

    Raises:
        Malformed: There is none.
    """
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        reason = fault["msg"].removeprefix("Invalid JSON: ")
        raise Malformed(PARSE_ERROR, f"The line is not JSON in UTF-8: {reason}.", _id_of(line))
    reason = (
        'The line is no JSON-RPC message: that is an object with "jsonrpc": "2.0", a method, params, if any, that are '
        "an object, and for a request an id that is a text or a whole number."
    )
    raise Malformed(INVALID_REQUEST, reason, _id_in(from_json(line)))


def too_long(head: bytes, most: int) -> Malformed:
    """Return what is wrong with a line of which only the beginning was kept.

    Args:
        head: The beginning.
        most: How many bytes a line may have.
    """
    return Malformed(PARSE_ERROR, f"The line is longer than {most:,} bytes.", _id_of(head))


def _id_of(line: bytes) -> Any:
    """Return the id of what was meant as a request, where it can be seen without parsing the line."""
    match = _BEGINNING.match(line[:HEAD]) or (_METHOD.match(line[:HEAD]) and _END.search(line[-HEAD:]))
    return json.loads(match[1]) if match else None


def _id_in(value: Any) -> str | int | None:
    identifier = value.get("id") if isinstance(value, dict) and "method" in value else None
    return identifier if type(identifier) in (str, int) else None
