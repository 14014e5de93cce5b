"""`viam-mcp token`: tokens for callers over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from viam_mcp.assembly.settings import Option, add_flags, add_options, names, values_of
from viam_mcp.http import add
from viam_mcp.policy import state_dir

if TYPE_CHECKING:
    import argparse

_OPTIONS = (
    Option("file", "the token file; default in the state folder", Path, "FILE"),
    Option("scopes", "viam:read, viam:write, viam:destructive; default all", names, "A,B"),
    Option("toolsets", "only these toolsets; default all", names, "A,B"),
    Option("policy", "the policy for its calls, in place of the server's", Path, "FILE"),
    Option("api_key_id", "the key of a Viam organization for its calls, and ...", str, "ID"),
    Option("api_key_file", "... the file that holds it, or ...", Path, "FILE"),
    Option("api_key_env", "... the server's variable that does", str, "NAME"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommand and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a token, print it, and put its hash into the token file")
    add_options(new, "common")
    new.add_argument("name", metavar="NAME", help="who will hold it; the audit says this name")
    add_flags(new, _OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Print the token to stdout, and how to use it to stderr."""
    given = values_of(_OPTIONS, vars(options), {})
    path = given.pop("file", None) or state_dir() / "tokens.toml"
    token = add(path, options.name, **given)
    print(token)
    print(
        f"This is the only time it is shown. {path} has its hash: serve with --auth tokens:{path}, and have the client "
        "send the header Authorization: Bearer TOKEN.",
        file=sys.stderr,
    )
    return 0
