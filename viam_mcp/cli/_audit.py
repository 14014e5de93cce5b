"""`viam-mcp audit`: what was decided and done, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from viam_mcp.policy import default_audit, entries, verify
from viam_mcp.settings import add_options
from viam_mcp.tools import sanitize

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommands and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="what was decided and done, oldest first")
    show.add_argument("--since", metavar="TIME", type=_time, help="such as 2h, 3d or 2026-01-31T08:00:00Z")
    show.add_argument("--until", metavar="TIME", type=_time, help="likewise")
    show.add_argument("--tool", metavar="NAME", help="a tool's name; * and ? are wildcards")
    show.add_argument("--outcome", metavar="WORD", help="such as done, failed, asked, declined, denied")
    show.add_argument("--json", action="store_true", help="print the lines as they are")
    check = actions.add_parser("verify", help="find the first line that was changed, if any")
    for action in (show, check):
        add_options(action, "common")
        action.add_argument("--audit", metavar="FILE", type=Path, help="default: in the state folder")


def run(options: argparse.Namespace) -> int:
    """Do what the subcommand says; 1 if the audit is broken."""
    named = os.environ.get("VIAM_MCP_AUDIT")
    path = options.audit or (Path(named) if named else default_audit())
    if options.action == "verify":
        return _verify(path)
    for entry in entries(path, since=options.since, until=options.until, tool=options.tool, outcome=options.outcome):
        print(json.dumps(entry, ensure_ascii=False) if options.json else _line(entry))
    return 0


def _verify(path: Path) -> int:
    verdict = verify(path)
    if verdict.broken is not None:
        print(f"{path}:{verdict.broken}: {verdict.reason}. {verdict.lines} lines in all.")
        return 1
    print(f"{path} is whole: {verdict.lines} lines. The last one's hash is {verdict.last}.")
    return 0


def _line(entry: dict[str, Any]) -> str:
    words = [entry["time"], f"{entry.get('outcome', ''):12}", entry.get("tool", "")]
    words.append(json.dumps(entry.get("arguments", {}), ensure_ascii=False))
    words += [f"{name}={entry[name]}" for name in ("caller", "client", "rule", "duration_ms") if name in entry]
    return sanitize("  ".join(str(word) for word in words)).replace("\n", " ")


def _time(text: str) -> datetime:
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2h or 2026-01-31T08:00:00Z, got {text!r}") from None
    return time if time.tzinfo else time.astimezone()
