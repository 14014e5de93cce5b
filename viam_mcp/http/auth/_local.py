"""Without authentication, only programs on this computer may call.

A proxy on this computer sends requests of other computers from here. It is recognized by the headers that it adds, or
by HTTP/1.0, which no MCP client speaks. A proxy that adds nothing and speaks HTTP/1.1 cannot be told from a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from viam_mcp.http._bind import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_ADDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"cf-connecting-ip"})
_ADDED_PREFIX = b"x-forwarded-"


class LocalOnly:
    """An ASGI app that wraps another and lets in only callers on this computer.

    Args:
        app: The wrapped app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sign = sign_of_others(scope) if scope["type"] == "http" else ""
        if sign:
            why = (
                f"This server is for programs on its own computer, and this request {sign}, so somebody else may have "
                "sent it. Behind a proxy, serve with --auth tokens:FILE or --auth oauth."
            )
            await JSONResponse({"error": why}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def sign_of_others(scope: Scope) -> str:
    """Return what shows that a request may come from another computer, or an empty text."""
    client = scope["client"]
    if client is None or not is_loopback(client[0]):
        return "comes from another computer"
    for name, _ in scope["headers"]:
        if name in _ADDED or name.startswith(_ADDED_PREFIX):
            return f"has the header {name.decode('latin-1')}, as proxies add it"
    return "came by HTTP/1.0, which proxies speak" if scope["http_version"] == "1.0" else ""
