"""`viam-mcp serve`: the fleet for MCP clients, over stdin and stdout or over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from viam_mcp.assembly.options import add_options
from viam_mcp.assembly.settings import settings_of

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    add_options(parser, "fleet", "tools", "calls", "logs", "http")


def run(options: argparse.Namespace) -> int:
    """Serve until the client closes stdin, or a signal says to stop."""
    settings = settings_of(options)
    # Only the modules that the transport needs are imported: clients wait for a server that they start.
    if settings.transport == "http":
        from viam_mcp.assembly.web import serve_http

        serve_http(settings)
    else:
        from viam_mcp.assembly.stdio import serve_stdio

        asyncio.run(serve_stdio(settings))
    return 0
