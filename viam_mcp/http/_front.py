"""What stands before the app: requests that take too long to arrive end, or that there is no room for, and so do
streams that only wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
from starlette.datastructures import Headers

from viam_mcp.http._bodies import Bodies, Body, Refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 30.0
"""How long the body of a request may take to arrive."""


class Front:
    """An ASGI app around another.

    Args:
        app: The other.
        body_seconds: How long the body of a request may take to arrive.
        bodies: What the bodies of all requests may take.
    """

    def __init__(self, app: ASGIApp, *, body_seconds: float = BODY_SECONDS, bodies: Bodies | None = None) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._bodies = bodies or Bodies()
        self._standing: set[anyio.CancelScope] = set()
        self._closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # That of a GET means nothing, and is read all the same.
        with Body(self._bodies, scope, _in_time(receive, self._body_seconds)) as body:
            answer = self._stand if scope["method"] == "GET" else self._app
            await answer(scope, body.receive, body.before(send))

    def close(self) -> None:
        """End the streams on which clients of the 2025 era wait for whatever may come: they would stay for ever."""
        self._closing = True
        for standing in self._standing:
            standing.cancel()

    async def _stand(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET, whose answer may be a stream without an end."""
        standing = anyio.CancelScope()

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and _is_stream(message):
                self._standing.add(standing)
                if self._closing:
                    standing.cancel()

        try:
            with standing:
                await self._app(scope, receive, watched)
        finally:
            self._standing.discard(standing)
        if standing.cancelled_caught:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_stream(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/event-stream")


def _in_time(receive: Receive, seconds: float) -> Receive:
    deadline = asyncio.get_running_loop().time() + seconds
    arriving = True

    async def bounded() -> Message:
        nonlocal arriving
        if not arriving:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Refused(408, f"The request did not arrive within {seconds:g} s.") from None
        arriving = message.get("more_body", False)
        return message

    return bounded
