"""`viam-mcp audit`: what was decided and done, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import json
import os
import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from viam_mcp.assembly.options import OPTIONS, add_flags, add_options, values_of
from viam_mcp.policy import CONFIRM_OPERATION, Outcome
from viam_mcp.store import AuditFilter, AuditLine, as_text, open_store
from viam_mcp.tools import TOOLS, sanitize

if TYPE_CHECKING:
    from viam_mcp.store import Store, Transaction

_STORE = [option for option in OPTIONS["calls"] if option.name == "store"]
_NAMED = ("caller", "client", "decision", "rule", "duration_ms")
_TOOLS = (*TOOLS, CONFIRM_OPERATION)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommands and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="what was decided and done, oldest first")
    show.add_argument("--since", metavar="TIME", type=_time, help="such as 2h, 3d or 2026-01-31T08:00:00Z")
    show.add_argument("--until", metavar="TIME", type=_time, help="likewise")
    show.add_argument("--tool", metavar="NAME", type=_pattern, help="a tool's name; * and ? are wildcards")
    outcomes = [outcome.value for outcome in Outcome]
    show.add_argument("--outcome", metavar="WORD", choices=outcomes, help=", ".join(outcomes))
    show.add_argument("--json", action="store_true", help="print the lines as they are")
    check = actions.add_parser("verify", help="find the first line that was changed, if any")
    for action in (show, check):
        add_options(action, "common")
        add_flags(action, _STORE)


def run(options: argparse.Namespace) -> int:
    """Do what the subcommand says; 1 if the audit is broken."""
    store = open_store(values_of(_STORE, vars(options), os.environ).get("store"))
    try:
        return _verify(store) if options.action == "verify" else _show(store, options)
    finally:
        store.close()


def _show(store: Store, options: argparse.Namespace) -> int:
    tools = None if options.tool is None else [name for name in _TOOLS if fnmatchcase(name, options.tool)]
    wanted = AuditFilter(
        since=_seconds(options.since),
        until=_seconds(options.until),
        tools=tools,
        outcomes=None if options.outcome is None else [options.outcome],
    )

    def show(tx: Transaction) -> None:
        for line in tx.audit.oldest(wanted):
            print(as_text(line) if options.json else _line(line))

    store.read(show)
    return 0


def _verify(store: Store) -> int:
    verdict = store.read(lambda tx: tx.audit.verify())
    for finding in verdict.findings:
        print(f"{finding.number}: {finding.text}.")
    if verdict.findings:
        return 1
    print(f"{store.address} is whole: {verdict.lines} lines. The last one's hash is {verdict.last}.")
    return 0


def _line(line: AuditLine) -> str:
    entry, time = line.entry, datetime.fromtimestamp(line.time, UTC)
    words = [time.isoformat(timespec="milliseconds"), f"{entry.get('outcome', ''):12}", entry.get("tool", "")]
    words.append(json.dumps(entry.get("arguments", {}), ensure_ascii=False))
    words += [f"{name}={entry[name]}" for name in _NAMED if name in entry]
    return sanitize("  ".join(str(word) for word in words)).replace("\n", " ")


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _pattern(text: str) -> str:
    if not any(fnmatchcase(name, text) for name in _TOOLS):
        raise argparse.ArgumentTypeError(f"there is no tool {text!r}; there are {', '.join(_TOOLS)}")
    return text


def _time(text: str) -> datetime:
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2h or 2026-01-31T08:00:00Z, got {text!r}") from None
    return time if time.tzinfo else time.astimezone()
