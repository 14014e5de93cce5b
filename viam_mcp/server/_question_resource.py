"""An open question as a resource: all that it shows, for those whose client shows a few lines of a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate

from viam_mcp.policy import Refused
from viam_mcp.tools import StaleCursor, page_of

if TYPE_CHECKING:
    from viam_mcp.calls._pipeline import Pipeline
    from viam_mcp.policy import Caller

Json = Any

URI = "viam://confirmations/{operation_id}{?cursor}"
MIME_TYPE = "text/plain"
_TEMPLATE = UriTemplate.parse(URI)


def uri_of(operation: str, cursor: str | None = None) -> str:
    """Return the URI of an open question, from one of its pages on."""
    return f"viam://confirmations/{operation}{f'?cursor={quote(cursor)}' if cursor else ''}"


def definition() -> dict[str, Json]:
    """Return its entry in the answer to `resources/templates/list`."""
    return {
        "uriTemplate": URI,
        "name": "confirmation",
        "title": "What an operation that waits for a confirmation would do",
        "description": "The whole text of an open question, by the id of its operation, for those who were asked. A "
        "long one has pages: each ends with the URI of the next.",
        "mimeType": MIME_TYPE,
    }


async def read(uri: str, pipeline: Pipeline, caller: Caller) -> dict[str, Json] | None:
    """Return the answer to `resources/read`, or None if the URI is not that of a question.

    Raises:
        MCPError: There is no such question that this caller was asked and that is open, or no such page.
    """
    match = _TEMPLATE.match(uri)
    if match is None:
        return None
    operation, cursor = str(match.get("operation_id", "")), match.get("cursor")
    try:
        page = page_of(await pipeline.question_text(operation, caller), None if cursor in (None, "") else str(cursor))
    except (Refused, StaleCursor) as error:
        raise MCPError(code=types.INVALID_PARAMS, message=str(error), data={"uri": uri}) from None
    text = page.text
    if page.next is not None:
        text = f"{text}\nThis is page {page.number} of {page.of}. The next is {uri_of(operation, page.next)}"
    return {"contents": [{"uri": uri, "mimeType": MIME_TYPE, "text": text}]}
