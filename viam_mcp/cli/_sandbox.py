"""`viam-mcp sandbox`: the sandbox alone, over gRPC."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from viam_mcp.sandbox.run import run as serve


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="the address to listen on; default 127.0.0.1")
    parser.add_argument("--port", default=0, type=_port, metavar="P", help="the port; default 0, a free one")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the fleet in this file across restarts")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal says to stop."""
    asyncio.run(serve(options.host, options.port, options.state))
    return 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)
