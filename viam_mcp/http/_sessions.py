"""How many sessions of the 2025 era a caller may have open.

The SDK bounds how many there are in all, and keeps a session for half an hour after its last request. Without a limit
for each caller, a caller that opens sessions and ends none would lock out everybody else for that long.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#session-management
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.calls import Kind, LimitReached
from viam_mcp.server import compat

if TYPE_CHECKING:
    from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
    from mcp.server.streamable_http import StreamableHTTPServerTransport
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from viam_mcp.calls import Limits, Slot


def limit_sessions(manager: StreamableHTTPSessionManager, limits: Limits) -> None:
    """Have a session manager refuse a session where the caller, or the server, has all that it may have."""
    slots: dict[str, Slot] = {}

    def wrap(admit: compat.Admit) -> compat.Admit:
        def admit_or_refuse(requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
            for ended in slots.keys() - compat.open_sessions(manager):
                slots.pop(ended).release()
            try:
                slot = limits.take(Kind.SESSIONS, _holder(requestor))
            except LimitReached:
                return None
            transport = admit(requestor)
            if transport is None or transport.mcp_session_id is None:
                slot.release()
            else:
                slots[transport.mcp_session_id] = slot
            return transport

        return admit_or_refuse

    compat.admit_by(manager, wrap)


def _holder(requestor: AuthorizationContext | None) -> str | None:
    if requestor is None:
        return None
    return "\n".join(str(requestor[part]) for part in ("client_id", "issuer", "subject"))
