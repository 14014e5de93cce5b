"""Keys in the headers of requests, where they have no business: a client that sends one anyway learns it at once.

Ignoring them would leave the client in the belief that its own key is used, while its calls are made with
another. That is refused, and so is a key that is there twice, of which two readers could take a different one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from viam_mcp.server._keys import ID_HEADER, KEY_HEADER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class KeyHeaders:
    """An ASGI app around another.

    Args:
        app: The other.
        taken: Whether requests bring keys.
    """

    def __init__(self, app: ASGIApp, *, taken: bool) -> None:
        self._app = app
        self._most = 1 if taken else 0
        self._why = (
            f"Send {ID_HEADER} and {KEY_HEADER} once each."
            if taken
            else f"This server has keys of its own: do not send {ID_HEADER} or {KEY_HEADER}. Only with --credentials "
            "headers it takes keys from requests."
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if any(len(headers.getlist(name)) > self._most for name in (ID_HEADER, KEY_HEADER)):
                await JSONResponse({"error": self._why}, 400)(scope, receive, send)
                return
        await self._app(scope, receive, send)
