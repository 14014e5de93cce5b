"""The sandbox as a process of its own."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from viam_mcp.sandbox.live.generator import LIVE_INTERVAL
from viam_mcp.sandbox.server import Sandbox, open_fleet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run"]


async def run(host: str, port: int, state: Path | None) -> None:
    """Serve the demo fleet until SIGINT or SIGTERM.

    Once it can be reached, three lines that a shell can evaluate go to standard output: its URL, and
    the id and value of a key that works.

    Args:
        host: The address to listen on.
        port: The port, or 0 for a free one.
        state: The file that keeps the fleet, made if there is none. None: nothing is written.

    Raises:
        StartError: The file cannot be used, or nothing can listen there.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with Sandbox.start(open_fleet(state), host=host, port=port, live=LIVE_INTERVAL) as sandbox:
            settings = {
                "VIAM_MCP_APP_URL": sandbox.url,
                "VIAM_API_KEY_ID": sandbox.api_key_id,
                "VIAM_API_KEY": sandbox.api_key,
            }
            sys.stdout.writelines(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
            sys.stdout.flush()
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
