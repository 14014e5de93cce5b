"""A server for one MCP client, over stdin and stdout."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import anyio

from viam_mcp.app import PermissionDenied
from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.pipeline import open_pipeline
from viam_mcp.server import build_server, stdio

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings


async def serve_stdio(settings: Settings) -> None:
    """Serve until the client closes stdin, or a signal says to stop.

    Raises:
        SettingsError: A setting cannot be used.
        PolicyError: The policy cannot be used.
        AppError: The fleet cannot be reached or refuses the key.
        StdioError: stdin or stdout is closed.
    """
    async with (
        open_fleet(settings, lazy=True) as app,
        open_pipeline(settings, app) as calls,
        anyio.create_task_group() as tasks,
    ):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, tasks.cancel_scope.cancel)
        # The client gets its first answers before the fleet has been asked anything.
        tasks.start_soon(_check, app)
        server = build_server(calls, sandbox=settings.is_sandbox, notify_interval=settings.notify_interval)
        async with stdio() as (source, sink):
            await server.mcp.run(source, sink, server.mcp.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _check(app: AppClient) -> None:
    """Raise an error that ends the server if the fleet cannot be used at all.

    A wrong host or key is better reported at the start than by every call.
    """
    try:
        await app.list_organizations()
    except PermissionDenied:
        return  # the key may be allowed to do something else
