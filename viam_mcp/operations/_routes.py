"""`/healthz`, `/readyz` and `/metrics`.

`/healthz` and `/readyz` need no authentication, because load balancers have none. Metrics are for callers with the
operator's token, and without a configured token for this computer alone. Readiness names parts of the server. So
without the token, readiness and metrics are only for requests that name an allowed host, as at `/mcp`: a web page whose
name resolves to this server (DNS rebinding) gets neither. `/healthz` answers any host, because a container's probe
often knows only an address.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecurityMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from viam_mcp.http import sign_of_others
from viam_mcp.operations._metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.requests import Request

    from viam_mcp.operations._health import Health
    from viam_mcp.operations._metrics import Metrics

    _Answer = Callable[[Request], Awaitable[Response]]

OPERATIONS = HEALTHZ, READYZ, METRICS = "/healthz", "/readyz", "/metrics"
"""The paths."""

_UNCACHED = {"cache-control": "no-store"}


def operations_routes(
    health: Health, metrics: Metrics, security: TransportSecuritySettings, metrics_token: str = ""
) -> list[Route]:
    """Return the routes.

    Args:
        health: The checks of the server.
        metrics: The metrics.
        security: The hosts and origins that requests may name.
        metrics_token: The bearer token for the metrics; empty for none.
    """

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_UNCACHED)

    async def ready(request: Request) -> Response:
        found = await health.check()
        good = all(found.values())
        checks = {name: "ok" if works else "failed" for name, works in found.items()}
        return JSONResponse(
            {"status": "ok" if good else "failed", "checks": checks}, 200 if good else 503, headers=_UNCACHED
        )

    async def numbers(request: Request) -> Response:
        if not _may_read(request, metrics_token):
            return PlainTextResponse("Unauthorized\n", 401, headers={"www-authenticate": "Bearer", **_UNCACHED})
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE, **_UNCACHED})

    return [
        Route(HEALTHZ, alive, methods=["GET"]),
        Route(READYZ, _by_name(ready, security), methods=["GET"]),
        # No web page has the token, and Prometheus sends the address that it scrapes as Host.
        Route(METRICS, numbers if metrics_token else _by_name(numbers, security), methods=["GET"]),
    ]


def _by_name(answer: _Answer, security: TransportSecuritySettings) -> _Answer:
    """Return a handler that answers only requests with an allowed host and origin."""
    names = TransportSecurityMiddleware(security)

    async def checked(request: Request) -> Response:
        return await names.validate_request(request) or await answer(request)

    return checked


def _may_read(request: Request, token: str) -> bool:
    if token:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())
    # Requests through a proxy on this computer come from other computers.
    return not sign_of_others(request.scope)
