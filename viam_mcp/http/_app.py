"""The MCP server as a web app: both eras of the protocol at `/mcp`, by Streamable HTTP.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.middleware.cors import CORSMiddleware

from viam_mcp.calls import Kind, Limits
from viam_mcp.http._bodies import BodyRejected, answer_rejected
from viam_mcp.http._body_limits import BODY_SECONDS, BodyLimits
from viam_mcp.http._sessions import limit_sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.lowlevel import Server
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.routing import Route

    from viam_mcp.http.auth._auth import Authentication

PATH = "/mcp"
MAX_REQUEST_BYTES = 4 * 1_048_576
"""How large the body of a request may be by default."""


def build_app(
    server: Server[Any],
    security: TransportSecuritySettings,
    authentication: Authentication | None = None,
    *,
    routes: Sequence[Route] = (),
    origins: Sequence[str] = (),
    max_request_bytes: int = MAX_REQUEST_BYTES,
    body_seconds: float = BODY_SECONDS,
    sessions: bool = True,
    limits: Limits | None = None,
) -> BodyLimits:
    """Return the web app of a server.

    Args:
        server: The server.
        security: The hosts and origins that requests may name.
        authentication: How callers authenticate; None for callers who need not.
        routes: The routes besides `/mcp`. None of them is authenticated.
        origins: The origins of web pages that may read answers.
        max_request_bytes: How large the body of a request may be.
        body_seconds: How long the body of a request may take to arrive.
        sessions: Whether clients of the 2025 era get sessions, which live in one process. Without sessions, each of
            their requests stands alone: they subscribe to no resources, and confirm by token.
        limits: How large the bodies of requests may be together, and how many sessions there may be.
    """
    limits = limits or Limits()
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        # Elicitation, progress and cancellation need a stream.
        json_response=False,
        stateless_http=not sessions,
        max_request_body_size=max_request_bytes,
        transport_security=security,
        auth=None if authentication is None else authentication.settings,
        token_verifier=None if authentication is None else authentication.verifier,
        custom_starlette_routes=list(routes),
    )
    server.session_manager.max_sessions = limits.table[Kind.SESSIONS].in_all
    limit_sessions(server.session_manager, limits)
    # A path with one slash too many is not found. A redirect would name the host of the request, and the scheme that
    # the request had behind a proxy with TLS.
    app.router.redirect_slashes = False
    if authentication is not None:
        # The first route that matches is taken: these come before the SDK's own.
        app.router.routes[:0] = authentication.routes
    if origins:
        # The preflight request of a browser has no credential, so it is answered before the authentication.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Mcp-Session-Id", "WWW-Authenticate"],
        )
    app.add_exception_handler(BodyRejected, answer_rejected)
    return BodyLimits(app, limits, body_seconds=body_seconds)
