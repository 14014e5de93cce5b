"""`viam-mcp call`: one call from the shell, through the same pipeline as the calls of MCP clients."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.options import SettingsError, add_options
from viam_mcp.assembly.output import as_json
from viam_mcp.assembly.pipeline import open_pipeline
from viam_mcp.assembly.settings import settings_of
from viam_mcp.assembly.terminal import TerminalAsker
from viam_mcp.tools import no_progress

if TYPE_CHECKING:
    import argparse

    from viam_mcp.assembly.settings import Settings
    from viam_mcp.calls import Result


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    parser.add_argument("tool", metavar="TOOL", help="its name; see viam-mcp tools")
    parser.add_argument("arguments", metavar="JSON", nargs="?", default="{}", help="its arguments, a JSON object")
    add_options(parser, "fleet", "tools", "calls")


def run(options: argparse.Namespace) -> int:
    """Print the answer as JSON to stdout, or the error to stderr."""
    result = asyncio.run(_call(settings_of(options), options.tool, _object(options.arguments)))
    if result.is_error:
        print(result.text, file=sys.stderr)
        return 1
    print(as_json(result.data, indent=2))
    return 0


async def _call(settings: Settings, tool: str, arguments: dict[str, Any]) -> Result:
    async with open_fleet(settings) as app, open_pipeline(settings, app) as calls:
        return await calls.call(tool, arguments, no_progress, asker=TerminalAsker())


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError(
            f"The arguments are not JSON: {error}. Give an object such as '{{\"limit\": 5}}'."
        ) from None
    if not isinstance(value, dict):
        raise SettingsError("The arguments are not a JSON object. Give one such as '{\"limit\": 5}'.")
    return value
