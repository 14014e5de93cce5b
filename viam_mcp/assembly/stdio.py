"""A server for one MCP client, over stdin and stdout."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import anyio

from viam_mcp.app import PermissionDenied
from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.limits import limits_of
from viam_mcp.assembly.parent import parent_ended
from viam_mcp.assembly.pipeline import open_pipeline
from viam_mcp.calls import Kind
from viam_mcp.server import build_server
from viam_mcp.server.stdio import open_stdio, serve

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.calls import Limits, Pipeline

_GRACE_SECONDS = 1.0
"""How long running calls may take to finish once the server is told to stop. Clients kill it after a few seconds."""
_POLL_SECONDS = 0.02
_KILL_SECONDS = 4
"""After how long the process is killed that was told to stop and has not ended."""


async def serve_stdio(settings: Settings) -> None:
    """Serve until the client closes stdin or has ended, or a signal says to stop.

    Raises:
        SettingsError: A setting cannot be used.
        PolicyError: The policy cannot be used.
        AppError: The fleet cannot be reached or refuses the key.
        StdioError: stdin or stdout is closed.
    """
    limits = limits_of(settings)
    stopping = asyncio.Event()
    _on_signals(stopping)
    async with (
        open_fleet(settings, lazy=True) as app,
        open_pipeline(settings, app, limits) as pipeline,
        anyio.create_task_group() as tasks,
    ):
        # The client gets its first answers before the fleet has been asked anything.
        tasks.start_soon(_check, app)
        tasks.start_soon(_stop_when_parent_ended, stopping)
        tasks.start_soon(_stop, stopping, pipeline, limits, tasks.cancel_scope)
        server = build_server(
            pipeline, sandbox=settings.is_sandbox, notify_interval=settings.notify_interval, limits=limits
        )
        async with open_stdio(limits) as (source, sink):
            await serve(server.mcp, source, sink)
        tasks.cancel_scope.cancel()


def _on_signals(stopping: asyncio.Event) -> None:
    """Have signals stop the server, and kill it if it does not.

    The loop runs its own signal handlers only when it runs: not while the process writes to a stderr that nobody reads.
    """
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_KILL_SECONDS)
        loop.call_soon_threadsafe(stopping.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


async def _stop_when_parent_ended(stopping: asyncio.Event) -> None:
    await parent_ended()
    stopping.set()


async def _stop(stopping: asyncio.Event, pipeline: Pipeline, limits: Limits, scope: anyio.CancelScope) -> None:
    """Once the server is told to stop, let running calls finish for a moment, and cancel the rest."""
    await stopping.wait()
    pipeline.tails.stop_waiting()
    deadline = asyncio.get_running_loop().time() + _GRACE_SECONDS
    while limits.used(Kind.UNANSWERED) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - it is counted
        await asyncio.sleep(_POLL_SECONDS)
    scope.cancel()


async def _check(app: AppClient) -> None:
    """Raise an error that ends the server if the fleet cannot be used at all.

    A wrong host or key is better reported at the start than by every call.
    """
    try:
        await app.list_organizations()
    except PermissionDenied:
        return  # the key may be allowed to do something else
