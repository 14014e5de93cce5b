"""`viam-mcp secret`: credentials that wait in the store, each of which can be fetched once."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from viam_mcp.assembly.options import OPTIONS, SettingsError, add_flags, add_options, values_of
from viam_mcp.policy import Outcome
from viam_mcp.store import open_store

if TYPE_CHECKING:
    import argparse

    from viam_mcp.store import Store, Transaction

_STORE = [option for option in OPTIONS["calls"] if option.name == "store"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommands and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    take = actions.add_parser("take", help="print a credential, and remove it from the store")
    take.add_argument("id", metavar="ID", help="from the answer of the call that made it, such as sec-7f3k-9q2m")
    waiting = actions.add_parser("list", help="what waits to be fetched, newest first, without the credentials")
    for action in (take, waiting):
        add_options(action, "common")
        add_flags(action, _STORE)


def run(options: argparse.Namespace) -> int:
    """Print a credential to stdout, or what waits."""
    store = open_store(values_of(_STORE, vars(options), os.environ).get("store"))
    try:
        return _list(store) if options.action == "list" else _take(store, options.id)
    finally:
        store.close()


def _list(store: Store) -> int:
    for secret in store.read(lambda tx: tx.secrets.waiting()):
        made = datetime.fromtimestamp(secret.created, UTC).isoformat(timespec="seconds")
        print(f"{secret.id}  {made}  {secret.tool}")
    return 0


def _take(store: Store, secret: str) -> int:
    def work(tx: Transaction) -> str | None:
        known, content = tx.secrets.find(secret), tx.secrets.take(secret)
        if known is not None and content is not None:
            # A person who can read the state folder, or has the state key, is the operator.
            caller = f"operator (user {os.getuid()})"
            tx.audit.append({"caller": caller, "tool": known.tool, "secret": secret, "outcome": Outcome.TAKEN.value})
        return content

    content = store.write(work)
    if content is None:
        raise SettingsError(f"There is no credential {secret} in {store.address}, or it was fetched before.")
    print(content)
    print("This is the only time it is shown: it is not in the store any more.", file=sys.stderr)
    return 0
