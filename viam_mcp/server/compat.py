"""The private parts of the MCP SDK that this program needs. No other module touches any.

Each has a test in `tests/server/test_compat.py` that fails when another version of the SDK takes it away, and a
reason why no public part does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server._otel import OpenTelemetryMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http import StreamableHTTPServerTransport
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    Admit = Callable[[AuthorizationContext | None], StreamableHTTPServerTransport | None]


def connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """Return the connection that a request came on.

    `ctx.session` is a new object for each message. Only the connection tells one session of the 2025 era from another,
    and only its exit stack runs when such a session ends.
    """
    connection: Connection = ctx.session._connection
    return connection


def without_spans(server: Server[Any]) -> None:
    """Take out the SDK's middleware that makes a span of each message, which costs time where nobody traces.

    The class has no public name.
    """
    server.middleware = [one for one in server.middleware if not isinstance(one, OpenTelemetryMiddleware)]


def open_sessions(manager: StreamableHTTPSessionManager) -> Collection[str]:
    """Return the ids of the sessions of the 2025 era that are open.

    A session ends by a DELETE or when it was idle for long. Nothing public tells either.
    """
    return manager._server_instances.keys()


def admit_by(manager: StreamableHTTPSessionManager, wrap: Callable[[Admit], Admit]) -> None:
    """Have another function decide which sessions of the 2025 era may be opened.

    The manager has a limit for all callers together and no public way to give each caller one.

    Args:
        manager: The manager of the sessions.
        wrap: Returns the function, given the manager's own. None for a transport means that there is no room.
    """
    manager._admit_session = wrap(manager._admit_session)  # type: ignore[assignment,method-assign]
