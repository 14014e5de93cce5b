"""The handlers of resources, prompts and completion.

Clients request these by themselves, not because a person called a tool. So nobody is asked to confirm the calls that
they need, and a call that needs a confirmation is refused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from viam_mcp.policy import Refused, Way
from viam_mcp.server import _question_resource
from viam_mcp.server._requests import caller_of
from viam_mcp.tools import FORM_BYTES, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import mcp_types as types
    from mcp.server.context import ServerRequestContext
    from mcp_types.methods import CacheableMethod

    from viam_mcp.calls import Pipeline, Result
    from viam_mcp.policy import Question
    from viam_mcp.server._directory import Call

    Context = ServerRequestContext[Any, Any]

LISTS: tuple[CacheableMethod, ...] = ("resources/list", "resources/templates/list", "prompts/list")
"""The methods whose answers do not change while the server runs."""

_CALLERS = 64  # whose lists are remembered at the same time


class NobodyToAsk:
    """The asker for calls that no person made."""

    way = Way.PERSON
    carries = FORM_BYTES
    answer = None

    async def ask(self, question: Question) -> None:
        """Refuse.

        Raises:
            Refused: Always.
        """
        raise Refused(f"{question.tool} needs a confirmation, which a call of that tool asks for: call it instead.")


class Attachments:
    """The resources, prompts and completions of one caller.

    Args:
        pipeline: Runs the calls that they need.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        # Imported here, so that a client that only calls tools does not wait for these at the start.
        from viam_mcp.server._completions import Completions
        from viam_mcp.server._directory import Directory
        from viam_mcp.server._resources import Resources
        from viam_mcp.server.prompts._prompts import Prompts

        self._asks = pipeline.asks
        directory = Directory(pipeline.tools)
        self.resources = Resources(pipeline.tools)
        self.prompts = Prompts(pipeline.tools, directory)
        self.completions = Completions(directory, self.resources, self.prompts)

    def templates(self) -> dict[str, Any]:
        """Return the answer to `resources/templates/list`."""
        listed = self.resources.templates()
        if self._asks:
            listed["resourceTemplates"].append(_question_resource.definition())
        return listed


def handlers(pipeline_for: Callable[[Context], Pipeline], on_read: Callable[[Context, str], None]) -> dict[str, Any]:
    """Return the handlers for resources, prompts and completion, as the SDK's `Server` takes them.

    Args:
        pipeline_for: Returns the pipeline for a request.
        on_read: Called with each URI that is about to be read.
    """

    @lru_cache(maxsize=_CALLERS)
    def remembered(pipeline: Pipeline, caller: str) -> Attachments:
        # One for each caller: the lists that one caller may read, and that are remembered, another may not see.
        return Attachments(pipeline)

    def attachments(ctx: Context) -> Attachments:
        return remembered(pipeline_for(ctx), caller_of(ctx).id)

    def call_for(ctx: Context) -> Call:
        async def call(name: str, arguments: Mapping[str, Any]) -> Result:
            return await pipeline_for(ctx).call(name, arguments, no_progress, caller_of(ctx), NobodyToAsk())

        return call

    async def list_resources(ctx: Context, params: types.PaginatedRequestParams | None) -> Any:
        return _complete(attachments(ctx).resources.listing())

    async def list_templates(ctx: Context, params: types.PaginatedRequestParams | None) -> Any:
        return _complete(attachments(ctx).templates())

    async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        on_read(ctx, params.uri)
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        read = await _question_resource.read(params.uri, pipeline_for(ctx), caller_of(ctx))
        read = read or await attachments(ctx).resources.read(params.uri, call_for(ctx), modern=modern)
        # The fleet changes by itself, so clients must not cache what they read.
        return _complete({"ttlMs": 0, "cacheScope": "private", **read})

    async def list_prompts(ctx: Context, params: types.PaginatedRequestParams | None) -> Any:
        return _complete(attachments(ctx).prompts.listing())

    async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> Any:
        return _complete(await attachments(ctx).prompts.get(params.name, params.arguments or {}, call_for(ctx)))

    async def complete(ctx: Context, params: types.CompleteRequestParams) -> Any:
        return _complete(await attachments(ctx).completions.complete(params, call_for(ctx)))

    return {
        "on_list_resources": list_resources,
        "on_list_resource_templates": list_templates,
        "on_read_resource": read_resource,
        "on_list_prompts": list_prompts,
        "on_get_prompt": get_prompt,
        "on_completion": complete,
    }


def _complete(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as complete, which 2026-07-28 requires to be said."""
    return {"resultType": "complete", **answer}
