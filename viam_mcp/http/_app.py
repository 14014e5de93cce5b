"""The MCP server as a web app: both eras of the protocol at `/mcp`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.middleware.cors import CORSMiddleware

from viam_mcp.http._bodies import BODIES_BYTES, CALLER_BYTES, Bodies, Refused, say_why
from viam_mcp.http._front import BODY_SECONDS, Front
from viam_mcp.http._sessions import SESSIONS_PER_CALLER, share_sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.lowlevel import Server
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.routing import Route

    from viam_mcp.http.auth._auth import Authentication

PATH = "/mcp"
MAX_REQUEST_BYTES = 4 * 1_048_576
"""How large the body of a request may be, if nobody says otherwise."""


def build_app(
    server: Server[Any],
    security: TransportSecuritySettings,
    authentication: Authentication | None = None,
    *,
    routes: Sequence[Route] = (),
    origins: Sequence[str] = (),
    max_request_bytes: int = MAX_REQUEST_BYTES,
    body_seconds: float = BODY_SECONDS,
    bodies_bytes: int = BODIES_BYTES,
    caller_bytes: int = CALLER_BYTES,
    sessions: bool = True,
    sessions_per_caller: int = SESSIONS_PER_CALLER,
) -> Front:
    """The web app around a server.

    Args:
        server: What is served.
        security: The hosts and origins that requests may name.
        authentication: How callers say who they are; None for callers who need not.
        routes: What there is besides `/mcp`. Nothing of it is authenticated.
        origins: The origins of web pages that may read answers.
        max_request_bytes: How large the body of a request may be.
        body_seconds: How long it may take to arrive.
        bodies_bytes: How large the bodies of all requests may be together, before they are parsed.
        caller_bytes: How large those of one caller may be together, until they are answered; one is always let in.
        sessions: Whether clients of the 2025 era get sessions, which live in one process. Without, each of their
            requests stands alone: they follow no resources, and confirm by token.
        sessions_per_caller: How many of them a caller may have open.
    """
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        # A question to the caller's user, progress and cancellation all need a stream.
        json_response=False,
        stateless_http=not sessions,
        max_request_body_size=max_request_bytes,
        transport_security=security,
        auth=None if authentication is None else authentication.settings,
        token_verifier=None if authentication is None else authentication.verifier,
        custom_starlette_routes=list(routes),
    )
    share_sessions(server.session_manager, sessions_per_caller)
    # A path with a slash too many is none of ours: an answer that sends elsewhere would name the host, and the
    # scheme before any proxy's TLS, that the request came with.
    app.router.redirect_slashes = False
    if authentication is not None:
        # Before the SDK's own, of which the first that fits is taken.
        app.router.routes[:0] = authentication.routes
    if origins:
        # A browser asks before it calls, and asks without a credential.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Mcp-Session-Id", "WWW-Authenticate"],
        )
    app.add_exception_handler(Refused, say_why)
    return Front(app, body_seconds=body_seconds, bodies=Bodies(bodies_bytes, max(caller_bytes, max_request_bytes)))
