"""`viam-mcp serve --transport http`: the fleet for many MCP clients at once."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from viam_mcp.app import AppError
from viam_mcp.cli._calls import calls_maker, chosen_tools
from viam_mcp.cli._fleet import open_fleet
from viam_mcp.server import Shares, build_server
from viam_mcp.server.http import (
    PATH,
    Authentication,
    HttpServer,
    Trust,
    build_app,
    by_oauth,
    by_tokens,
    is_loopback,
    listen,
    tls_context,
    transport_security,
    url,
)

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.settings import Settings

logger = logging.getLogger("viam_mcp.server.http")


async def serve(settings: Settings) -> None:
    """Serve until a signal says to stop.

    Raises:
        HttpError: The settings would let in whom they should not, or cannot be used.
    """
    authentication = authentication_of(settings)
    security = transport_security(
        settings.host,
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
        authenticated=authentication is not None,
    )
    tls = tls_context(settings.tls_cert, settings.tls_key)
    if tls is None and not is_loopback(settings.host):
        logger.warning("without --tls-cert, tokens cross the network unencrypted unless a proxy in front adds TLS")
    async with open_fleet(settings, lazy=True) as app:
        make = calls_maker(settings, app)
        calls = make(chosen_tools(settings), None)
        front = build_app(
            build_server(calls, Shares(calls, make), sandbox=settings.is_sandbox),
            security,
            authentication,
            origins=settings.allowed_origins,
            max_request_bytes=settings.max_request_bytes,
        )
        listener = listen(settings.host, settings.port)
        server = HttpServer(front, [listener], tls=tls, on_stop=[front.close])
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        base = url(settings.host, listener.getsockname()[1], tls=tls is not None)
        print(f"viam-mcp serves {base}{PATH}", flush=True)
        async with asyncio.TaskGroup() as tasks:
            check = tasks.create_task(_check(app))
            await server.run_until_stopped()
            check.cancel()


def authentication_of(settings: Settings) -> Authentication | None:
    """How callers say who they are; None if they need not.

    Raises:
        HttpError: The token file or the authorization server cannot be used.
    """
    if settings.auth.tokens is not None:
        return by_tokens(settings.auth.tokens)
    if settings.auth.kind == "oauth":
        return by_oauth(
            Trust(settings.oauth_issuer, settings.oauth_audience, settings.oauth_jwks_url, settings.required_scopes)
        )
    return None


async def _check(app: AppClient) -> None:
    """Say in the log when the fleet is out of reach from the start. It may come, so the server stays."""
    try:
        await app.list_organizations()
    except AppError as error:
        logger.warning("the fleet cannot be used yet: %s", error)
