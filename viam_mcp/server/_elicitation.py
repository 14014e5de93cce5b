"""How a client asks its user, in both eras of the protocol: a form (elicitation), or an id in the result.

https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from viam_mcp.policy import Answer, Reply, TokenAsker, Way
from viam_mcp.server._question_resource import uri_of
from viam_mcp.tools import FORM_BYTES

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from viam_mcp.policy import Asker, Question

Json = Any

_KEY = "confirm"
_FAILURES = (MCPError, ValidationError, anyio.ClosedResourceError, anyio.BrokenResourceError)


class ModernAsker:
    """For clients of 2026-07-28: the question is an `InputRequiredResult`, the answer comes with the same call again.

    The operation's id is the request state. The operation is bound to the tool, the arguments, the caller, the time and
    what was shown, and is good once: wrapping the id with the SDK's own boundary would add nothing.
    """

    way = Way.PERSON
    carries = FORM_BYTES

    def __init__(self, params: types.CallToolRequestParams) -> None:
        self.answer: Answer | None = None
        if params.request_state is not None:
            response = (params.input_responses or {}).get(_KEY)
            self.answer = _answer(params.request_state, response)

    async def ask(self, question: Question) -> None:
        """Return None: the answer comes with another call."""


class LegacyAsker:
    """For clients before 2026-07-28: the question is sent to the client while the call waits."""

    way = Way.PERSON
    carries = FORM_BYTES
    answer = None

    def __init__(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._ctx = ctx

    async def ask(self, question: Question) -> Answer:
        """Ask, and wait as long as the question stays open."""
        with anyio.move_on_after(question.seconds):
            try:
                response = await self._ctx.session.elicit_form(
                    _message(question), form(question), related_request_id=self._ctx.request_id
                )
            except _FAILURES:
                return Answer(question.id, Reply.LOST)
            return _answer(question.id, response)
        return Answer(question.id, Reply.TIMED_OUT)


def can_ask(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the client of a request can show its user a form."""
    capabilities = ctx.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    # An empty object means forms: https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
    if elicitation is None or not (elicitation.form is not None or elicitation.url is None):
        return False
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS or ctx.session.can_send_request


def asker_for(ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> Asker:
    """Return how a question about this call can be asked."""
    if not can_ask(ctx):
        return TokenAsker()
    return ModernAsker(params) if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else LegacyAsker(ctx)


def input_required(question: Question) -> types.InputRequiredResult:
    """Return the question as a client of 2026-07-28 takes it."""
    params = types.ElicitRequestFormParams(message=_message(question), requested_schema=form(question))
    return types.InputRequiredResult(
        input_requests={_KEY: types.ElicitRequest(params=params)}, request_state=question.id
    )


def _message(question: Question) -> str:
    """Return the text of a form. Some clients show a few lines of it, so it says where all of them are."""
    return f"{question.message}\nAll of it can also be read at {uri_of(question.operation)}"


def form(question: Question) -> dict[str, Json]:
    """Return the schema of the form that a client shows: one box to tick, or a name to type."""
    if not question.is_last:
        more = {"type": "boolean", "title": f"Show page {question.page + 1} of {question.of}", "default": False}
        return {"type": "object", "properties": {_KEY: more}, "required": [_KEY]}
    if question.type_name:
        field = {"type": "string", "title": "Name", "description": "Type the name exactly as it is shown"}
        return {"type": "object", "properties": {"name": field}, "required": ["name"]}
    box = {"type": "boolean", "title": f"Yes, do {question.tool}", "default": False}
    return {"type": "object", "properties": {_KEY: box}, "required": [_KEY]}


def _answer(operation: str, response: Any) -> Answer:
    """Return what a client sent in answer to a form. Whatever is not clearly a yes is none."""
    if not isinstance(response, types.ElicitResult):
        return Answer(operation, Reply.CANCELLED)
    content = response.content or {}
    typed = content.get("name")
    replies = {"accept": Reply.ACCEPTED, "decline": Reply.DECLINED}
    return Answer(
        operation,
        replies.get(response.action, Reply.CANCELLED),
        agreed=content.get(_KEY) is True,
        typed=typed if isinstance(typed, str) else None,
    )
