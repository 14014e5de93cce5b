"""How many sessions of the 2025 era a caller may have open.

The SDK bounds how many there are at all, and keeps one for half an hour after its last request. Without a bound for
each caller, one that opens sessions and ends none would lock out everybody else for as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.streamable_http import StreamableHTTPServerTransport
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

SESSIONS_PER_CALLER = 1_000
"""A tenth of what there is for all."""


def share_sessions(manager: StreamableHTTPSessionManager, most: int) -> None:
    """Have a session manager refuse a caller who has that many sessions open, as it does when there is no room."""
    admit = manager._admit_session  # the SDK has no other place to decide this at

    def admit_or_refuse(requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        owners = manager._session_owners.values()
        if requestor is not None and sum(owner == requestor for owner in owners) >= most:
            return None
        return admit(requestor)

    manager._admit_session = admit_or_refuse  # type: ignore[method-assign]
