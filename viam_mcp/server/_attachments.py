"""Resources, prompts and completion, as the SDK's handlers.

Clients ask for these by themselves, so nobody is asked to confirm what they need: what does not go without
that, does not go this way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from viam_mcp.policy import Refused, Way
from viam_mcp.server._requests import caller_of
from viam_mcp.tools import FORM_BYTES, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import mcp_types as types
    from mcp.server.context import ServerRequestContext
    from mcp_types.methods import CacheableMethod

    from viam_mcp.calls._pipeline import Pipeline, Result
    from viam_mcp.policy import Question
    from viam_mcp.server._directory import Call

    Context = ServerRequestContext[Any, Any]

LISTS: tuple[CacheableMethod, ...] = ("resources/list", "resources/templates/list", "prompts/list")
"""The methods whose answers stay the same for as long as the server runs."""

_CALLERS = 64  # whose names are remembered at the same time


class NobodyToAsk:
    """The asker of what a client reads by itself."""

    way = Way.PERSON
    carries = FORM_BYTES
    answer = None

    async def ask(self, question: Question) -> None:
        """Refuse.

        Raises:
            Refused: Always.
        """
        raise Refused(f"{question.tool} needs a confirmation, which a call of that tool asks for: call it instead.")


class Offer:
    """What one caller is offered.

    Args:
        calls: Where its reads go.
    """

    def __init__(self, calls: Pipeline) -> None:
        # A client that only calls tools does not wait for these at the start.
        from viam_mcp.server._completions import Completions
        from viam_mcp.server._directory import Directory
        from viam_mcp.server._resources import Resources
        from viam_mcp.server.prompts._prompts import Prompts

        directory = Directory(calls.tools)
        self.resources = Resources(calls.tools)
        self.prompts = Prompts(calls.tools, directory)
        self.completions = Completions(directory, self.resources, self.prompts)


def handlers(calls_for: Callable[[Context], Pipeline], on_read: Callable[[Context, str], None]) -> dict[str, Any]:
    """What `Server` takes for resources, prompts and completion.

    Args:
        calls_for: From a request to where the calls of whoever sent it go.
        on_read: Told of each URI that is about to be read.
    """

    @lru_cache(maxsize=_CALLERS)
    def remembered(calls: Pipeline, caller: str) -> Offer:
        # One for each caller: what one may list, and so has remembered, another may not see.
        return Offer(calls)

    def offer(ctx: Context) -> Offer:
        return remembered(calls_for(ctx), caller_of(ctx).id)

    def call_for(ctx: Context) -> Call:
        async def call(name: str, arguments: Mapping[str, Any]) -> Result:
            return await calls_for(ctx).call(name, arguments, no_progress, caller_of(ctx), NobodyToAsk())

        return call

    async def list_resources(ctx: Context, params: types.PaginatedRequestParams | None) -> Any:
        return _complete(offer(ctx).resources.listing())

    async def list_templates(ctx: Context, params: types.PaginatedRequestParams | None) -> Any:
        return _complete(offer(ctx).resources.templates())

    async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        on_read(ctx, params.uri)
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        read = await offer(ctx).resources.read(params.uri, call_for(ctx), modern=modern)
        # The fleet changes by itself: what was read is not kept.
        return _complete({"ttlMs": 0, "cacheScope": "private", **read})

    async def list_prompts(ctx: Context, params: types.PaginatedRequestParams | None) -> Any:
        return _complete(offer(ctx).prompts.listing())

    async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> Any:
        return _complete(await offer(ctx).prompts.get(params.name, params.arguments or {}, call_for(ctx)))

    async def complete(ctx: Context, params: types.CompleteRequestParams) -> Any:
        return _complete(await offer(ctx).completions.complete(params, call_for(ctx)))

    return {
        "on_list_resources": list_resources,
        "on_list_resource_templates": list_templates,
        "on_read_resource": read_resource,
        "on_list_prompts": list_prompts,
        "on_get_prompt": get_prompt,
        "on_completion": complete,
    }


def _complete(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that nothing is missing from, which 2026-07-28 wants to be said."""
    return {"resultType": "complete", **answer}
