"""Refuses requests that a proxy and this server could understand differently, or that bring a key for nothing.

A proxy may have looked at the other one of two equal headers, or at the other one of two lengths of a body:
https://www.rfc-editor.org/rfc/rfc9112#section-6.3
Ignoring a key would leave the client in the belief that its calls are made with it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from viam_mcp.calls._keys import ID_HEADER, KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

_ID, _KEY = ID_HEADER.encode(), KEY_HEADER.encode()
_ONCE = frozenset({b"host", b"origin", b"authorization", b"content-type", _ID, _KEY})
_ONCE_PREFIX = b"mcp-"


class PlainHeaders:
    """An ASGI app that wraps another.

    Args:
        app: The wrapped app.
        keys: Whether requests bring API keys.
    """

    def __init__(self, app: ASGIApp, *, keys: bool) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := self._fault(scope["headers"])):
            # Where the body ends is not certain either, so nothing after it can be trusted.
            await JSONResponse({"error": why}, 400, {"connection": "close"})(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fault(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return what is wrong with the headers of a request, or an empty text."""
        names = [name for name, _ in headers]
        if not self._keys and (_ID in names or _KEY in names):
            return (
                f"This server has keys of its own: do not send {ID_HEADER} or {KEY_HEADER}. Only with --credentials "
                "headers it takes keys from requests."
            )
        if b"content-length" in names and b"transfer-encoding" in names:
            return "The headers content-length and transfer-encoding contradict each other: send one of them."
        if len(names) == len(set(names)):
            return ""
        for name, times in Counter(names).items():
            if times > 1 and (name in _ONCE or name.startswith(_ONCE_PREFIX)):
                shown = name.decode("latin-1")
                return f"The header {shown} came {times} times: those that decide something are sent once each."
        return ""
