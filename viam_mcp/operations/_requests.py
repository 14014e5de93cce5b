"""The id of an HTTP request in logs, and its span in traces.

In the 2025 era a request is handled in a task that an earlier request started. So the id and the trace are kept in the
scope of the request, and set where its message is handled.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from opentelemetry.trace import Tracer
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID: ContextVar[str] = ContextVar("viam_mcp_request_id", default="")
"""The id of the HTTP request that is handled; empty outside of requests."""

_HEADER = b"x-request-id"
_GIVEN = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
_ID, _TRACE = "viam_mcp.request_id", "viam_mcp.trace"


class Requests:
    """An ASGI app that wraps another and gives each request an id, which the answer has too, and a span.

    Args:
        app: The wrapped app.
        paths: The paths that spans are named after.
        tracer: Makes spans; None where tracing is off.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str] = (), tracer: Tracer | None = None) -> None:
        self._app = app
        self._paths = paths
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        identifier = given if _GIVEN.match(given) else secrets.token_hex(8).encode()
        scope[_ID] = identifier.decode()
        status: list[int] = []

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER, identifier)]
                status.append(message["status"])
            await send(message)

        if self._tracer is None:
            await self._app(scope, receive, named)
            return
        with self._span(self._tracer, scope, status):
            await self._app(scope, receive, named)

    @contextmanager
    def _span(self, tracer: Tracer, scope: Scope, status: Sequence[int]) -> Iterator[None]:
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        # Other paths are made up by callers, and would make as many names of spans.
        route = f" {scope['path']}" if scope["path"] in self._paths else ""
        with tracer.start_as_current_span(
            f"{scope['method']}{route}",
            context=extract(Headers(scope=scope)),
            kind=SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
        ) as span:
            scope[_TRACE] = contexts.get_current()
            yield
            for code in status[:1]:
                span.set_attribute("http.response.status_code", code)


async def in_request(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Handle a message as part of the HTTP request that it came with. A middleware of the MCP server."""
    scope = {} if ctx.request is None else ctx.request.scope
    token, context = REQUEST_ID.set(scope.get(_ID, "")), scope.get(_TRACE)
    attached = None if context is None else contexts.attach(context)
    try:
        return await call_next(ctx)
    finally:
        if attached is not None:
            contexts.detach(attached)
        REQUEST_ID.reset(token)
