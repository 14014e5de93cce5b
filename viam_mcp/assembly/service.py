"""The service for many callers: the server, a client of the fleet for each key, limits, metrics and traces."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from grpclib.const import Status

from viam_mcp.app import AccessToken, AppError, DeadlineExceeded, Unauthenticated, Unavailable
from viam_mcp.assembly.fleet import open_address
from viam_mcp.assembly.limits import limits_of
from viam_mcp.assembly.pipeline import chosen_tools, open_gates, pipeline_maker
from viam_mcp.calls import BroughtKeys, CallersKeys, ClientPool, UpstreamMonitor, call_limiter
from viam_mcp.logs import Memory
from viam_mcp.operations import Metrics, in_request, tracer
from viam_mcp.server import build_server, compat, lent_keys, pipelines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from opentelemetry.trace import Tracer

    from viam_mcp.app import AppClient, Exchange
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.calls import Access, Limits, Pipeline
    from viam_mcp.server import FleetServer

logger = logging.getLogger("viam_mcp.calls")

_ANSWERS = {"started": "accepted", "changed": "changed since it was shown"}
_NO_ANSWERS = ("done", "failed", "unknown")


@dataclass(frozen=True)
class Service:
    """The parts that serve callers.

    Attributes:
        server: The MCP server.
        metrics: The metrics.
        tracer: Makes spans; None where tracing is off.
        app: A client of the Viam app, with which readiness is checked.
        own_key: Whether that client has the key that calls are made with.
        pool: The clients of the Viam app, by caller and key.
        limits: The limits, with what is in use of them.
    """

    server: FleetServer
    metrics: Metrics
    tracer: Tracer | None
    app: AppClient
    own_key: bool
    pool: ClientPool
    limits: Limits

    async def check_upstream(self) -> None:
        """Do nothing if the Viam app answers, and accepts the server's key where the server has one.

        Raises:
            AppError: It does not.
        """
        try:
            await self.app.list_organizations()
        except AppError as error:
            refused = isinstance(error, Unauthenticated) and self.own_key
            if refused or isinstance(error, Unavailable | DeadlineExceeded):
                raise


@asynccontextmanager
async def open_service(settings: Settings, limits: Limits | None = None) -> AsyncIterator[Service]:
    """Return the service that the settings describe, which is closed when the block is left.

    Args:
        settings: The settings.
        limits: The limits; None for those of the settings.

    Raises:
        SettingsError: A setting cannot be used.
        PolicyError: The policy cannot be used.
        TracingError: Traces were asked for and cannot be sent.
    """
    spans = tracer()
    limits = limits or limits_of(settings)
    limiter = call_limiter(limits)
    tools = chosen_tools(settings)
    async with open_address(settings) as address:
        metrics = Metrics(
            {
                "calls_running": lambda: limiter.running,
                "calls_waiting": lambda: limiter.waiting,
                "fleets_open": lambda: pool.open,
                "tails_open": lambda: pool.tails,
                "subscribers": lambda: server.subscriptions.subscribers,
            }
        )
        watching = partial(UpstreamMonitor, on_repeat=metrics.repeated, tracer=spans)

        gates = open_gates(settings, partial(_count_question, metrics))

        memory = Memory(settings.log_memory)

        def maker(app: AppClient) -> Callable[[Access | None], Pipeline]:
            return pipeline_maker(
                settings,
                app,
                gates,
                tools,
                limiter=limiter,
                memory=memory,
                # Where every caller uses the server's key, its id in the audit would say nothing.
                key="" if app.api_key_id == own.api_key_id else app.api_key_id or "",
                watch=partial(_called, metrics),
            )

        source = BroughtKeys() if settings.credentials == "headers" else CallersKeys(address.credentials)
        pool = ClientPool(source, lambda credentials: address.client(credentials, watching()), maker, limits=limits)
        own = address.client(address.credentials or _NoKey(), watching())
        try:
            maker(own)(None)  # raises an error at the start where a setting cannot be used
            server = build_server(
                pipelines(pool),
                sandbox=settings.is_sandbox,
                notify_interval=settings.notify_interval,
                limits=limits,
            )
            server.mcp.middleware[:0] = [in_request, lent_keys] if settings.credentials == "headers" else [in_request]
            if spans is None:
                compat.without_spans(server.mcp)
            yield Service(server, metrics, spans, own, address.credentials is not None, pool, limits)
        finally:
            await pool.close()
            await own.session.close()
            await gates.store.aclose()


def _called(metrics: Metrics, tool: str, outcome: str, seconds: float) -> None:
    metrics.called(tool, outcome, seconds)
    if logger.isEnabledFor(logging.INFO):
        fields = {"tool": tool, "outcome": outcome, "ms": round(seconds * 1e3, 1)}
        logger.info("%s: %s", tool, outcome, extra={"fields": fields})


def _count_question(metrics: Metrics, entry: Mapping[str, Any]) -> None:
    outcome = entry.get("outcome", "")
    if entry.get("operation") and outcome not in _NO_ANSWERS:
        metrics.confirmation(_ANSWERS.get(outcome, outcome))


class _NoKey:
    """Stands in for a key in a check whether the Viam app answers at all."""

    api_key_id = None

    async def token(self, exchange: Exchange, refused: str | None) -> AccessToken:
        """See `TokenSource`."""
        if refused is not None:
            raise Unauthenticated(Status.UNAUTHENTICATED, "there is no key")
        return AccessToken("none", 0.0)

    def secrets(self) -> Iterable[str]:
        """See `TokenSource`."""
        return ()
