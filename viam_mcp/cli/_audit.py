"""`viam-mcp audit`: what was decided and done, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import json
import os
import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from viam_mcp.assembly.options import OPTIONS, SettingsError, add_flags, add_options, values_of
from viam_mcp.policy import CONFIRM_OPERATION, Outcome
from viam_mcp.store import (
    AuditFilter,
    AuditLine,
    SqliteAddress,
    as_text,
    checkpoint_file,
    open_store,
    read_checkpoints,
)
from viam_mcp.tools import TOOLS, sanitize

if TYPE_CHECKING:
    from viam_mcp.store import Checkpoint, Store, Transaction

_STORE = [option for option in OPTIONS["calls"] if option.name in ("store", "audit_checkpoints")]
_NAMED = ("caller", "client", "decision", "rule", "operation", "duration_ms")
_TOOLS = (*TOOLS, CONFIRM_OPERATION)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_PAGE = 50


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its subcommands and flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="what was decided and done, newest first, a page at a time")
    show.add_argument("--limit", metavar="N", type=_positive, default=_PAGE, help=f"lines of a page; default {_PAGE}")
    show.add_argument("--before", metavar="NUMBER", type=_positive, help="go on before this line")
    show.add_argument("--json", action="store_true", help="print the lines as JSON")
    export = actions.add_parser("export", help="all of it as lines of JSON, oldest first")
    for action in (show, export):
        _add_filter(action)
    check = actions.add_parser("verify", help="find lines that were changed, removed, cut off or exchanged")
    check.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="compare with the checkpoints in this file, such as a log of the server; may be given again. "
        "Those that the server keeps itself are compared anyway",
    )
    for action in (show, export, check):
        add_options(action, "common")
        add_flags(action, _STORE)


def _add_filter(action: argparse.ArgumentParser) -> None:
    action.add_argument("--since", metavar="TIME", type=_time, help="such as 2h, 3d or 2026-01-31T08:00:00Z")
    action.add_argument("--until", metavar="TIME", type=_time, help="likewise")
    action.add_argument("--tool", metavar="NAME", type=_pattern, help="a tool's name; * and ? are wildcards")
    action.add_argument("--caller", metavar="NAME", help="who called, as the audit names it")
    outcomes = [outcome.value for outcome in Outcome]
    action.add_argument("--outcome", metavar="WORD", choices=outcomes, help=", ".join(outcomes))
    action.add_argument("--machine", metavar="ID", help="what a call was about: a machine, or any other id")
    action.add_argument("--operation", metavar="ID", help="one operation, from the question to the outcome")


def run(options: argparse.Namespace) -> int:
    """Do what the subcommand says; 1 if the audit is not whole, or not there."""
    settings = values_of(_STORE, vars(options), os.environ)
    # This command writes nothing to the audit, so it has no checkpoint to write either.
    store = open_store(settings.get("store"), checkpoints="-")
    try:
        if options.action == "show":
            return _show(store, options)
        if options.action == "export":
            return _export(store, options)
        checkpoints = _checkpoints(store, options.checkpoint, settings.get("audit_checkpoints"))
        if not checkpoints and isinstance(store.address, SqliteAddress) and not store.address.path.exists():
            # Opening it would make it, and find an empty audit that is whole.
            print(f"There is no store in {store.address}: nothing was written to it yet, or it was removed.")
            return 1
        return _verify(store, checkpoints)
    finally:
        store.close()


def _show(store: Store, options: argparse.Namespace) -> int:
    wanted, limit = _filter(options), options.limit
    # One more than is shown, which tells whether there is another page.
    lines = store.read(lambda tx: tx.audit.newest(wanted, before=options.before, limit=limit + 1))
    for line in lines[:limit]:
        print(as_text(line) if options.json else _line(line))
    if len(lines) > limit and not options.json:
        print(f"There are older lines: --before {lines[limit - 1].number}")
    return 0


def _export(store: Store, options: argparse.Namespace) -> int:
    wanted = _filter(options)

    def export(tx: Transaction) -> None:
        for line in tx.audit.oldest(wanted):
            print(as_text(line))

    store.read(export)
    return 0


def _verify(store: Store, checkpoints: list[Checkpoint]) -> int:
    verdict = store.read(lambda tx: tx.audit.verify(checkpoints))
    for finding in verdict.findings:
        print(f"{finding.fault}: {finding.text}.")
    if verdict.more:
        print(f"{verdict.more:,} more findings are not shown.")
    if not verdict.is_whole:
        print(f"The audit in {store.address} is NOT whole.")
        return 1
    compared = f", as {verdict.checkpoints:,} checkpoints say" if verdict.checkpoints else ""
    print(f"The audit in {store.address} is whole: {verdict.lines:,} lines{compared}. Its last hash is {verdict.last}.")
    return 0


def _checkpoints(store: Store, files: list[Path], setting: str | None) -> list[Checkpoint]:
    """Return the checkpoints in the files that were named, and in the one that the server writes.

    Raises:
        SettingsError: A file cannot be read, or holds something else.
    """
    own = checkpoint_file(store.address, setting)
    if own is not None and own.exists():
        files = [own, *files]
    found: list[Checkpoint] = []
    for file in files:
        try:
            found += read_checkpoints(file.read_text(encoding="utf-8", errors="replace").splitlines())
        except OSError as error:
            raise SettingsError(f"--checkpoint: {file} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise SettingsError(f"--checkpoint: {file} is not whole: {error}.") from None
    return found


def _filter(options: argparse.Namespace) -> AuditFilter:
    return AuditFilter(
        since=_seconds(options.since),
        until=_seconds(options.until),
        tools=None if options.tool is None else [name for name in _TOOLS if fnmatchcase(name, options.tool)],
        callers=None if options.caller is None else [options.caller],
        outcomes=None if options.outcome is None else [options.outcome],
        subject=options.machine,
        operation=options.operation,
    )


def _line(line: AuditLine) -> str:
    entry, time = line.entry, datetime.fromtimestamp(line.time, UTC)
    words = [f"{line.number:6}", time.isoformat(timespec="milliseconds").replace("+00:00", "Z")]
    words += [f"{entry.get('outcome', ''):12}", entry.get("tool", "")]
    words.append(json.dumps(entry.get("arguments", {}), ensure_ascii=False))
    words += [f"{name}={entry[name]}" for name in _NAMED if name in entry]
    return sanitize("  ".join(str(word) for word in words)).replace("\n", " ")


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _pattern(text: str) -> str:
    if not any(fnmatchcase(name, text) for name in _TOOLS):
        raise argparse.ArgumentTypeError(f"there is no tool {text!r}; there are {', '.join(_TOOLS)}")
    return text


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,9}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _time(text: str) -> datetime:
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2h or 2026-01-31T08:00:00Z, got {text!r}") from None
    return time if time.tzinfo else time.astimezone()
