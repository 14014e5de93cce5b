"""The command `viam-mcp`.

Each subcommand is a module of its own, which is imported only when it runs: a server that an MCP client starts has to
answer quickly.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

from viam_mcp._version import __version__
from viam_mcp.assembly.options import SettingsError, add_options
from viam_mcp.assembly.output import print_any_character
from viam_mcp.assembly.settings import wants_debug
from viam_mcp.assembly.stderr import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

COMMANDS = {
    "serve": "offer the fleet to an MCP client over stdin and stdout, or to many over HTTP",
    "sandbox": "the embedded demonstration fleet alone, over gRPC",
    "demo": "the main job from start to end, narrated",
    "tools": "the tools as a table",
    "call": "one call from the shell",
    "logs": "what a part logs, and what it logs from now on",
    "policy": "check a policy, explain what it decides, print one to start from",
    "audit": "what was decided and done, and whether the record of it is whole",
    "secret": "credentials that wait in the store, each of which can be fetched once",
    "token": "make tokens for callers over HTTP",
    "doctor": "what is configured, what can be reached, what to fix",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code."""
    # Imports make many objects and hardly any garbage. Collecting garbage meanwhile takes a tenth of the start.
    gc.disable()
    print_any_character()
    parser = argparse.ArgumentParser(prog="viam-mcp", description="An MCP server for fleets of Viam robots.")
    parser.add_argument("--version", action="version", version=f"viam-mcp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    words = list(sys.argv[1:] if arguments is None else arguments)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in words:
            import_module(f"viam_mcp.cli._{name}").configure(command)
            add_options(command, "common")
    options = parser.parse_args(words)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        debug = wants_debug(vars(options), os.environ)
    except SettingsError as error:
        return _failed(options, error)
    log_to_stderr(debug=debug, json=_log_format(options) == "json", serves=options.command == "serve")
    module = import_module(f"viam_mcp.cli._{options.command}")
    gc.freeze()
    gc.enable()
    try:
        code = int(module.run(options))
        # Not when Python ends: it would print a message where the reader of stdout has gone.
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of stdout has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - every error ends as one sentence
        if debug:
            traceback.print_exc()
        return _failed(options, error)


def _failed(options: argparse.Namespace, error: Exception) -> int:
    for handler in logging.getLogger().handlers:
        handler.flush()
    print(f"viam-mcp {options.command}: {_message(error)}", file=sys.stderr)
    return 1


def _log_format(options: argparse.Namespace) -> str:
    # Logging begins before the settings are read, because reading them may log something.
    return getattr(options, "log_format", None) or os.environ.get("VIAM_MCP_LOG_FORMAT", "")


def _message(error: Exception) -> str:
    """Return one sentence for a person. Only errors that were worded for people show their text."""
    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return _message(error.exceptions[0])
    if isinstance(error, SettingsError) or type(error).__module__.startswith("viam_mcp."):
        return str(error)
    return f"failed ({type(error).__name__}). Run it again with --debug to see where."
