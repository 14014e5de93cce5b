"""Limits on requests before they reach the app: how long a body may take to arrive, and how much room it may take.

It also ends the streams of the 2025 era, which never end by themselves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
from starlette.datastructures import Headers

from viam_mcp.http._bodies import Bodies, Body, BodyRejected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from viam_mcp.calls import Limits

BODY_SECONDS = 30.0
"""How long the body of a request may take to arrive."""


class BodyLimits:
    """An ASGI app that wraps another.

    Args:
        app: The wrapped app.
        limits: How large the bodies of requests may be together.
        body_seconds: How long the body of a request may take to arrive.
    """

    def __init__(self, app: ASGIApp, limits: Limits, *, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._bodies = Bodies(limits)
        self._body_seconds = body_seconds
        self._streams: set[anyio.CancelScope] = set()
        self._is_closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # The body of a GET has no meaning, and is limited all the same.
        with Body(self._bodies, scope, _within(self._body_seconds, receive)) as body:
            answer = self._answer_get if scope["method"] == "GET" else self._app
            await answer(scope, body.receive, body.before(send))

    def close(self) -> None:
        """End the streams on which clients of the 2025 era listen for messages, which have no end of their own."""
        self._is_closing = True
        for stream in self._streams:
            stream.cancel()

    async def _answer_get(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET, whose answer may be a stream without an end."""
        stream = anyio.CancelScope()

        async def note_stream(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and _is_stream(message):
                self._streams.add(stream)
                if self._is_closing:
                    stream.cancel()

        try:
            with stream:
                await self._app(scope, receive, note_stream)
        finally:
            self._streams.discard(stream)
        if stream.cancelled_caught:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_stream(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/event-stream")


def _within(seconds: float, receive: Receive) -> Receive:
    """Return what receives a body that has to arrive within so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    arriving = True

    async def receive_in_time() -> Message:
        nonlocal arriving
        if not arriving:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise BodyRejected(408, f"The request did not arrive within {seconds:g} s.") from None
        arriving = message.get("more_body", False)
        return message

    return receive_in_time
