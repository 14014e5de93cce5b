"""`/healthz`, `/readyz` and `/metrics`.

The first two say yes or no, and names of parts, to anybody: load balancers do not sign in. Numbers are for
whoever brings the operator's token, and without one for this computer alone.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from viam_mcp.server.operations._metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from starlette.requests import Request

    from viam_mcp.server.operations._health import Health
    from viam_mcp.server.operations._metrics import Metrics

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
_UNCACHED = {"cache-control": "no-store"}


def operations_routes(health: Health, metrics: Metrics, metrics_token: str = "") -> list[Route]:
    """The routes.

    Args:
        health: What is ready.
        metrics: What was counted.
        metrics_token: The bearer token that gives the numbers to other computers; empty for none.
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
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", numbers, methods=["GET"]),
    ]


def _may_read(request: Request, token: str) -> bool:
    if token:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())
    # What a proxy on this computer passes on comes from others.
    return not any(name in request.headers for name in _FORWARDED) and _is_local(request)


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
