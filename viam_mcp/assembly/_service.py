"""From settings to a service for many callers: whose key a call is made with, how many run, what is counted."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from grpclib.const import Status

from viam_mcp.app import AccessToken, AppError, DeadlineExceeded, Unauthenticated, Unavailable
from viam_mcp.assembly._calls import calls_maker, chosen_tools, open_gates
from viam_mcp.assembly._fleet import open_place
from viam_mcp.calls import BroughtKeys, CallersKeys, Fleets, Limits, Turns, Upstream, lent_keys
from viam_mcp.operations import Metrics, in_request, tracer
from viam_mcp.server import build_server, compat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from opentelemetry.trace import Tracer

    from viam_mcp.app import AppClient, Exchange
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.calls import Calls, Grant
    from viam_mcp.server import FleetServer

logger = logging.getLogger("viam_mcp.calls")

_ANSWERS = {"started": "accepted", "changed": "changed since it was shown"}
_NO_ANSWERS = ("done", "failed", "unknown")


@dataclass(frozen=True)
class Service:
    """What callers are served with.

    Attributes:
        server: The MCP server.
        metrics: What is counted.
        tracer: Makes spans; None where nobody traces.
        app: A client of the app that shows whether it can be reached.
        own_key: Whether that client has the key that calls are made with.
        fleets: What is kept for each caller.
    """

    server: FleetServer
    metrics: Metrics
    tracer: Tracer | None
    app: AppClient
    own_key: bool
    fleets: Fleets

    async def check_upstream(self) -> None:
        """Do nothing if the app answers, and takes the server's key where it has one.

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
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """The service that the settings describe, until the block is left.

    Raises:
        SettingsError: A setting cannot be used.
        PolicyError: The policy cannot be used.
        TracingError: Traces were asked for and cannot be sent.
    """
    spans = tracer()
    # Without names or keys of their own nobody is one of several callers.
    alone = settings.auth.kind == "none" and settings.credentials != "headers"
    per_caller = settings.max_calls if alone else settings.max_calls_per_caller
    turns = Turns(Limits.shared(settings.max_calls, per_caller, settings.max_waiting))
    tools = chosen_tools(settings)
    async with open_place(settings) as place:
        metrics = Metrics(
            {
                "calls_running": lambda: turns.running,
                "calls_waiting": lambda: turns.waiting,
                "fleets_open": lambda: fleets.open,
                "tails_open": lambda: fleets.tails,
                "subscribers": lambda: server.subscriptions.watchers,
            }
        )
        watching = partial(Upstream, on_repeat=metrics.repeated, tracer=spans)

        gates = open_gates(settings, partial(_count_question, metrics))

        def maker(app: AppClient) -> Callable[[Grant | None], Calls]:
            return calls_maker(
                settings,
                app,
                gates,
                tools,
                turns=turns,
                # Beside a caller with the server's key, its id would say nothing.
                key="" if app.api_key_id == own.api_key_id else app.api_key_id or "",
                watch=partial(_called, metrics),
            )

        source = BroughtKeys() if settings.credentials == "headers" else CallersKeys(place.credentials)
        fleets = Fleets(source, lambda credentials: place.client(credentials, watching()), maker)
        own = place.client(place.credentials or _Stranger(), watching())
        try:
            everything = maker(own)(None)
            server = build_server(
                everything, fleets, sandbox=settings.is_sandbox, notify_interval=settings.notify_interval
            )
            server.mcp.middleware[:0] = [in_request, lent_keys] if settings.credentials == "headers" else [in_request]
            if spans is None:
                compat.without_spans(server.mcp)
            yield Service(server, metrics, spans, own, place.credentials is not None, fleets)
        finally:
            await fleets.close()
            await own.session.close()


def _called(metrics: Metrics, tool: str, outcome: str, seconds: float) -> None:
    metrics.called(tool, outcome, seconds)
    if logger.isEnabledFor(logging.INFO):
        fields = {"tool": tool, "outcome": outcome, "ms": round(seconds * 1e3, 1)}
        logger.info("%s: %s", tool, outcome, extra={"fields": fields})


def _count_question(metrics: Metrics, entry: Mapping[str, Any]) -> None:
    outcome = entry.get("outcome", "")
    if entry.get("question") and outcome not in _NO_ANSWERS:
        metrics.confirmation(_ANSWERS.get(outcome, outcome))


class _Stranger:
    """Somebody without a key, who finds out whether there is anybody at all."""

    api_key_id = None

    async def token(self, exchange: Exchange, refused: str | None) -> AccessToken:
        """See `TokenSource`."""
        if refused is not None:
            raise Unauthenticated(Status.UNAUTHENTICATED, "there is no key")
        return AccessToken("none", 0.0)

    def secrets(self) -> Iterable[str]:
        """See `TokenSource`."""
        return ()
