"""How many sessions of the 2025 era a caller may have open.

The SDK bounds how many there are at all, and keeps one for half an hour after its last request. Without a bound for
each caller, a caller that opens sessions and ends none would lock out everybody else for as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.server import compat

if TYPE_CHECKING:
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.streamable_http import StreamableHTTPServerTransport
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

SESSIONS_PER_CALLER = 1_000
"""A tenth of what there is for all."""


def share_sessions(manager: StreamableHTTPSessionManager, most: int) -> None:
    """Have a session manager refuse a caller who has that many sessions open, as it does when there is no room."""
    owners: dict[str, AuthorizationContext] = {}

    def wrap(admit: compat.Admit) -> compat.Admit:
        def admit_or_refuse(requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
            for ended in owners.keys() - compat.open_sessions(manager):
                del owners[ended]
            if requestor is not None and sum(owner == requestor for owner in owners.values()) >= most:
                return None
            transport = admit(requestor)
            if requestor is not None and transport is not None and transport.mcp_session_id is not None:
                owners[transport.mcp_session_id] = requestor
            return transport

        return admit_or_refuse

    compat.admit_by(manager, wrap)
