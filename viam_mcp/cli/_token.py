"""`viam-mcp token`: tokens for callers over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from viam_mcp.policy import state_dir
from viam_mcp.server.http import add
from viam_mcp.settings import add_options, names

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommand and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a token, print it, and put its hash into the token file")
    add_options(new, "common")
    new.add_argument("name", metavar="NAME", help="who will hold it; the audit says this name")
    new.add_argument("--file", type=Path, metavar="FILE", help="the token file; default in the state folder")
    new.add_argument("--scopes", type=names, metavar="A,B", help="viam:read, viam:write, viam:destructive; default all")
    new.add_argument("--toolsets", type=names, default=(), metavar="A,B", help="only these toolsets")
    new.add_argument("--policy", type=Path, metavar="FILE", help="the policy for its calls, in place of the server's")
    new.add_argument("--api-key-id", metavar="ID", help="the key of a Viam organization for its calls, and ...")
    new.add_argument("--api-key-file", type=Path, metavar="FILE", help="... the file that holds it, or ...")
    new.add_argument("--api-key-env", metavar="NAME", help="... the server's variable that does")


def run(options: argparse.Namespace) -> int:
    """Print the token to stdout, and how to use it to stderr."""
    path = options.file or state_dir() / "tokens.toml"
    token = add(
        path,
        options.name,
        scopes=options.scopes,
        toolsets=options.toolsets,
        policy=options.policy,
        api_key_id=options.api_key_id,
        api_key_env=options.api_key_env,
        api_key_file=options.api_key_file,
    )
    print(token)
    print(
        f"This is the only time it is shown. {path} has its hash: serve with --auth tokens:{path}, and have the client "
        "send the header Authorization: Bearer TOKEN.",
        file=sys.stderr,
    )
    return 0
