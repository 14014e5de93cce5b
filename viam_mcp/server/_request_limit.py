"""How many requests other than calls are handled at the same time for one caller.

Calls have limits of their own. Other requests need no upstream, but they do need time: a list of all tools takes as
long as ten calls, and a client that asks for two hundred of them would have everybody else wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

from viam_mcp.calls import ConcurrencyLimiter, Kind
from viam_mcp.policy import LOCAL
from viam_mcp.server._requests import access_of

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

    from viam_mcp.calls import Limits

# Calls have limits of their own. A subscription stays open for as long as the client likes.
_FREE = frozenset({"tools/call", "subscriptions/listen"})


def limit_requests(limits: Limits) -> ServerMiddleware[Any]:
    """Return a middleware that has the requests of a caller wait which are more than may be handled at once."""
    limiter = ConcurrencyLimiter(limits, Kind.REQUESTS)
    one_by_one = anyio.Lock(fast_acquire=True)

    async def wait_for_slot(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method in _FREE or ctx.request_id is None:
            return await call_next(ctx)
        access = access_of(ctx)
        with await limiter.take(LOCAL.id if access is None else access.caller):
            # One request starts in each turn of the loop, since most of them do nothing but compute: between two of
            # them the loop gets to everything else.
            async with one_by_one:
                await checkpoint()
            return await call_next(ctx)

    return wait_for_slot
