"""What is in an answer of the official client, whose types allow more than this server ever sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.client.subscriptions import ResourceUpdated
from mcp_types import CallToolResult, TextContent

if TYPE_CHECKING:
    from mcp_types import ContentBlock


def text_of(content: ContentBlock) -> str:
    """Return the text of a piece of content, which has to be text."""
    assert isinstance(content, TextContent)
    return content.text


def text_in(result: object) -> str:
    """Return the text of the result of a tool, which has to be one piece of text."""
    assert isinstance(result, CallToolResult)
    (content,) = result.content
    return text_of(content)


def uri_of(event: object) -> str:
    """Return the URI that a notification is about."""
    assert isinstance(event, ResourceUpdated)
    return str(event.uri)
