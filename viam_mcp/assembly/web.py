"""A server for many MCP clients, over HTTP."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import partial
from typing import TYPE_CHECKING

from viam_mcp.app import AppError
from viam_mcp.assembly.limits import limits_of
from viam_mcp.assembly.options import SettingsError
from viam_mcp.assembly.service import open_service
from viam_mcp.assembly.workers import supervise, worker
from viam_mcp.http import (
    PATH,
    Authentication,
    HttpServer,
    LocalOnly,
    PlainHeaders,
    Trust,
    build_app,
    by_oauth,
    by_tokens,
    check_endpoint,
    is_loopback,
    listen,
    room_for_connections,
    tls_context,
    transport_security,
    url,
)
from viam_mcp.operations import OPERATIONS, Health, Requests, operations_routes

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.types import ASGIApp

    from viam_mcp.assembly.service import Service
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.assembly.workers import ParentLink
    from viam_mcp.http import BodyLimits
    from viam_mcp.operations import Metrics

logger = logging.getLogger("viam_mcp.http")

_SAMPLE_SECONDS = 5.0


def serve_http(settings: Settings) -> None:
    """Serve until a signal says to stop, in one process or several.

    Raises:
        HttpError: The settings would let in callers that they should not, or cannot be used.
        SettingsError: A setting that is not about HTTP cannot be used.
    """
    link = worker()
    if link is not None:
        asyncio.run(_serve(settings, link.listener, link.report_ready, link))
        return
    check(settings)
    with listen(settings.host, settings.port) as listener:
        base = url(settings.host, listener.getsockname()[1], tls=settings.tls_cert is not None)
        announce = partial(print, f"viam-mcp serves {base}{PATH}", flush=True)
        if settings.workers > 1:
            asyncio.run(supervise(settings.workers, listener, announce))
        else:
            asyncio.run(_serve(settings, listener, announce))


def check(settings: Settings) -> None:
    """Do nothing if the settings can be served.

    Raises:
        HttpError: They would let in callers that they should not, or cannot be used.
        SettingsError: A setting that is not about HTTP cannot be used.
    """
    authentication = authentication_of(settings)
    _security(settings, authentication)
    tls = tls_context(settings.tls_cert, settings.tls_key)
    if tls is None and not is_loopback(settings.host):
        logger.warning("without --tls-cert, tokens cross the network unencrypted unless a proxy in front adds TLS")
    if settings.workers > 1 and settings.sandbox:
        raise SettingsError(
            "with --workers, each process would have a sandbox of its own: start one with viam-mcp sandbox, and set "
            "the variables that it prints."
        )
    if settings.credentials == "tokens" and settings.auth.tokens is None:
        raise SettingsError("--credentials tokens needs --auth tokens:FILE, the file that names the keys.")
    if settings.files_dir is not None and settings.credentials == "headers" and authentication is None:
        raise SettingsError(
            "--files-dir with --credentials headers needs --auth: callers who bring different keys would share the "
            "folder."
        )


async def _serve(
    settings: Settings, listener: socket.socket, on_start: Callable[[], None], link: ParentLink | None = None
) -> None:
    limits = limits_of(settings, room_for_connections())
    async with open_service(settings, limits) as service, asyncio.TaskGroup() as tasks:
        app, front = app_of(settings, service)
        tls = tls_context(settings.tls_cert, settings.tls_key)
        server = HttpServer(
            app,
            [listener],
            tls=tls,
            on_start=on_start,
            on_stop=[front.close, service.server.subscriptions.close, service.pool.stop_waiting],
            limits=limits,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        if link is not None:
            link.watch(server.stop)
        background = [tasks.create_task(_warn_if_out_of_reach(service)), tasks.create_task(_sample(service.metrics))]
        await server.run_until_stopped()
        for task in background:
            task.cancel()


def app_of(settings: Settings, service: Service) -> tuple[ASGIApp, BodyLimits]:
    """Return the whole web app, and the part of it that ends its streams.

    Raises:
        HttpError: The settings would let in callers that they should not, or cannot be used.
    """
    authentication = authentication_of(settings)
    security = _security(settings, authentication)
    front = build_app(
        service.server.mcp,
        security,
        authentication,
        routes=operations_routes(_health(settings, service), service.metrics, security, settings.metrics_token),
        origins=settings.allowed_origins,
        max_request_bytes=settings.max_request_bytes,
        sessions=settings.workers == 1,
        limits=service.limits,
    )
    app: ASGIApp = PlainHeaders(front, keys=settings.credentials == "headers")
    if authentication is None:
        app = LocalOnly(app)
    return Requests(app, [PATH, *OPERATIONS], service.tracer), front


def authentication_of(settings: Settings) -> Authentication | None:
    """Return how callers authenticate, or None if they need not.

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


def _security(settings: Settings, authentication: Authentication | None) -> TransportSecuritySettings:
    return transport_security(
        settings.host,
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
        authenticated=authentication is not None,
    )


def _health(settings: Settings, service: Service) -> Health:
    host = "127.0.0.1" if is_loopback(settings.host) else settings.allowed_hosts[0]
    return Health({"upstream": service.check_upstream, "mcp": partial(check_endpoint, service.server.mcp, host)})


async def _warn_if_out_of_reach(service: Service) -> None:
    """Log a warning if the fleet cannot be used at the start. The server stays: the fleet may come back."""
    try:
        await service.check_upstream()
    except AppError as error:
        logger.warning("the fleet cannot be used yet: %s", error)


async def _sample(metrics: Metrics) -> None:
    """Refresh the gauges now and then, for another worker may answer a request for the metrics of all."""
    while True:
        metrics.sample()
        await asyncio.sleep(_SAMPLE_SECONDS)
