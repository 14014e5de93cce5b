"""`viam-mcp tools`: the tools as a table, or as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.assembly.options import add_options
from viam_mcp.assembly.output import as_json
from viam_mcp.assembly.pipeline import chosen_tools
from viam_mcp.assembly.settings import settings_of
from viam_mcp.tools import definition

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    add_options(parser, "tools")
    parser.add_argument("--json", action="store_true", help="print what tools/list answers, with effects")


def run(options: argparse.Namespace) -> int:
    """Print the tools that a server with these flags offers."""
    tools = chosen_tools(settings_of(options))
    if options.json:
        effects = {name: {"toolset": tool.spec.toolset, "effect": tool.spec.effect} for name, tool in tools.items()}
        print(as_json([{**definition(tool), **effects[name]} for name, tool in tools.items()], indent=2))
        return 0
    width = max(len(name) for name in tools)
    for tool in tools.values():
        spec = tool.spec
        marks = f"{spec.effect}{', credential' if spec.reveals_secret else ''}"
        print(f"{spec.name:{width}}  {spec.toolset:13}  {marks:23}  {spec.summary}")
    print(f"{len(tools)} tools")
    return 0
