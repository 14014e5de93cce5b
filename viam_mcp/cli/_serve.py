"""`viam-mcp serve`: the fleet for an MCP client, over stdin and stdout or over HTTP."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import anyio

from viam_mcp.app import PermissionDenied
from viam_mcp.assembly._calls import open_calls
from viam_mcp.assembly._fleet import open_fleet, settings_of
from viam_mcp.assembly.settings import SettingsError, add_options
from viam_mcp.cli._audit_file import unwritable
from viam_mcp.server import build_server, stdio

if TYPE_CHECKING:
    import argparse

    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    add_options(parser, "fleet", "tools", "calls", "logs", "http")


def run(options: argparse.Namespace) -> int:
    """Serve until the client closes stdin, or a signal says to stop."""
    settings = settings_of(options)
    if settings.audit is not None and (reason := unwritable(settings.audit)):
        # Better told now than at each change. Without the one that nobody named, there is still what can be read.
        raise SettingsError(f"--audit: {settings.audit} cannot be written: {reason}.")
    if settings.transport == "http":
        # A client that starts a server waits for it, and over stdio nothing of this is needed.
        from viam_mcp.cli._http import run as run_http

        run_http(settings)
    else:
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    async with (
        open_fleet(settings, lazy=True) as app,
        open_calls(settings, app) as calls,
        anyio.create_task_group() as tasks,
    ):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, tasks.cancel_scope.cancel)
        # A client may ask what there is before the fleet has answered; it need not wait.
        tasks.start_soon(_check, app)
        server = build_server(calls, sandbox=settings.is_sandbox, notify_interval=settings.notify_interval)
        async with stdio() as (source, sink):
            await server.mcp.run(source, sink, server.mcp.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _check(app: AppClient) -> None:
    """End the server when its fleet is out of reach from the start: a wrong host or key is better told at once."""
    try:
        await app.list_organizations()
    except PermissionDenied:
        return  # the key may do something else
