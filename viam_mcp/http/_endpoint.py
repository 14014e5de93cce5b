"""Checks whether `/mcp` works, with a request that goes through the whole SDK.

When a task of the SDK's session manager has died, `/mcp` fails and every other route goes on to work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.version import LATEST_MODERN_VERSION

from viam_mcp._version import __version__

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

_METHOD = "server/discover"


async def check_endpoint(server: Server[Any], host: str) -> None:
    """Send a `server/discover` request as a client does, without the network and the authentication.

    Args:
        server: The server, whose app runs.
        host: A host that requests may name.

    Raises:
        HTTPError: The answer is not a success.
    """
    meta = {
        PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
        CLIENT_INFO_META_KEY: {"name": "health check", "version": __version__},
        CLIENT_CAPABILITIES_META_KEY: {},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": LATEST_MODERN_VERSION,
        "mcp-method": _METHOD,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": _METHOD, "params": {"_meta": meta}}
    transport = httpx2.ASGITransport(server.session_manager.handle_request)
    async with httpx2.AsyncClient(transport=transport) as client:
        answer = await client.post(f"http://{host}/mcp", json=body, headers=headers)
    answer.raise_for_status()
