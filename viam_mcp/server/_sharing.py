"""Requests that are no calls: how many of one caller are worked on at the same time.

Calls take turns of their own. What else is asked is answered at once, but not for nothing: a list of all tools takes
as long as ten calls, and whoever asks for two hundred of them would have everybody else wait for the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import anyio
from anyio.lowlevel import checkpoint

from viam_mcp.policy import LOCAL
from viam_mcp.server._requests import access_of

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

AT_ONCE = 8
"""How many requests of one caller are worked on at the same time. The others wait."""

# The former has turns, and the latter stays for as long as the client likes.
_FREE = frozenset({"tools/call", "subscriptions/listen"})


def sharing(at_once: int = AT_ONCE) -> ServerMiddleware[Any]:
    """A middleware of an MCP server that lets callers in by turns.

    Args:
        at_once: How many requests of one caller may be in.
    """
    # Whoever is in or waits keeps those of their caller: with the last of them they are forgotten.
    rooms: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()
    door = anyio.Lock(fast_acquire=True)

    async def let_in(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method in _FREE or ctx.request_id is None:
            return await call_next(ctx)
        access = access_of(ctx)
        caller = LOCAL.id if access is None else access.caller
        room = rooms.get(caller)
        if room is None:
            room = rooms[caller] = anyio.Semaphore(at_once, fast_acquire=True)
        async with room:
            # One after the other: many answers take nothing but computing, and between two of them the loop gets to
            # whatever else there is.
            async with door:
                await checkpoint()
            return await call_next(ctx)

    return let_in
