"""`viam-mcp token`: tokens for callers over HTTP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from viam_mcp.assembly.options import TOKEN_OPTIONS, add_flags, add_options, values_of
from viam_mcp.http import add
from viam_mcp.store import state_folder

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommand and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a token, print it, and put its hash into the token file")
    add_options(new, "common")
    new.add_argument("name", metavar="NAME", help="who will hold it; the audit says this name")
    add_flags(new, TOKEN_OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Print the token to stdout, and how to use it to stderr."""
    given = values_of(TOKEN_OPTIONS, vars(options), {})
    path = given.pop("file", None) or state_folder() / "tokens.toml"
    token = add(path, options.name, **given)
    print(token)
    print(
        f"This is the only time it is shown. {path} has its hash: serve with --auth tokens:{path}, and have the client "
        "send the header Authorization: Bearer TOKEN.",
        file=sys.stderr,
    )
    return 0
