"""`viam-mcp logs`: the log of a part, through the same pipeline as the calls of MCP clients."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.options import add_options
from viam_mcp.assembly.pipeline import open_pipeline
from viam_mcp.assembly.settings import settings_of
from viam_mcp.server._directory import Directory, ThingKind, is_id
from viam_mcp.tools import line, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.assembly.settings import Settings
    from viam_mcp.calls import Pipeline, Result

Json = Any

LEVELS = ("debug", "info", "warn", "error")
_COLORS = {"debug": "2", "warn": "33", "error": "31"}
_MOST = 1_000
_WAIT_SECONDS = 50


class LogsError(Exception):
    """The log cannot be read. The message says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command its flags."""
    parser.add_argument("part", metavar="PART", help="its id, or its name")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what it logs from now on")
    parser.add_argument("-n", "--lines", type=_lines, default=20, metavar="N", help="the last N entries; default 20")
    parser.add_argument("--level", choices=LEVELS, default="debug", help="only this level and those above it")
    parser.add_argument("--grep", metavar="TEXT", default="", help="only messages that contain this")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    add_options(parser, "fleet", "calls", "logs")


def run(options: argparse.Namespace) -> int:
    """Print the entries, oldest first."""
    asyncio.run(_print(settings_of(options), options))
    return 0


async def _print(settings: Settings, options: argparse.Namespace) -> None:
    async with open_fleet(settings) as app, open_pipeline(settings, app) as calls:
        part_id = await _part(calls, options.part)
        log = _Log(calls, part_id, LEVELS.index(options.level), options.grep)
        color = options.color == "always" or (options.color == "auto" and _is_terminal())
        cursor = await log.cursor() if options.follow else None
        seen = set()
        for entry in await log.last(options.lines):
            seen.add(text := line(entry))
            _show(entry, color=color)
        while cursor is not None:
            data = await log.after(cursor)
            cursor = data["next_cursor"]
            for entry in data["entries"]:
                # Entries that came while the last ones were read are in both.
                if (text := line(entry)) in seen:
                    seen.discard(text)
                elif log.wants(entry):
                    _show(entry, color=color)


class _Log:
    """The log of one part, read with the tools.

    Args:
        calls: The pipeline.
        part_id: The part.
        level: The lowest level to show, as its index in `LEVELS`.
        text: A text that messages have to contain; empty for none.
    """

    def __init__(self, calls: Pipeline, part_id: str, level: int, text: str) -> None:
        self._calls = calls
        self._levels = list(LEVELS[level:])
        self._arguments: dict[str, Json] = {"robot_part_id": part_id, **({"filter": text} if text else {})}
        self._state = ""

    def wants(self, entry: Mapping[str, Json]) -> bool:
        """Return whether an entry is shown. An entry without a known level is."""
        return entry.get("level") in self._levels or entry.get("level") not in LEVELS

    async def last(self, number: int) -> list[dict[str, Json]]:
        """Return the latest entries, oldest first."""
        levels = {} if len(self._levels) == len(LEVELS) else {"log_levels": self._levels}
        data: dict[str, Json] = {"next_cursor": None}
        entries: list[dict[str, Json]] = []
        while "next_cursor" in data and len(entries) < number:
            more = {"cursor": data["next_cursor"]} if data["next_cursor"] else {}
            data = await self._call("get_robot_part_logs", {"num_log_entries": number, **levels, **more})
            entries += data["entries"]
        return entries[::-1]

    async def cursor(self) -> str:
        """Return the cursor of the present end of the log."""
        levels = {"log_levels": ["error"]} if self._errors_only else {}
        data = await self._call("get_robot_part_logs", {"num_log_entries": 100, **levels})
        return str(data["tail_cursor"])

    async def after(self, cursor: str) -> dict[str, Json]:
        """Return what follows a cursor, as soon as there is something. Problems are printed to stderr."""
        arguments = {"errors_only": self._errors_only, "cursor": cursor, "wait_seconds": _WAIT_SECONDS}
        data = await self._call("tail_robot_part_logs", arguments)
        if "gap" in data:
            print("entries are missing:", _words(data["gap"]), file=sys.stderr)
        state = data["upstream"]["state"]
        if state != (self._state or "live"):
            print("connection:", _words(data["upstream"]), file=sys.stderr)
        self._state = state
        return data

    @property
    def _errors_only(self) -> bool:
        return self._levels == ["error"]

    async def _call(self, tool: str, arguments: dict[str, Json]) -> dict[str, Json]:
        return _data(await self._calls.call(tool, {**self._arguments, **arguments}, no_progress))


async def _part(calls: Pipeline, text: str) -> str:
    """Return the id of the part that a person means."""
    if is_id(ThingKind.PART, text):
        return text

    async def call(name: str, arguments: Mapping[str, Json]) -> Result:
        return await calls.call(name, arguments, no_progress)

    return (await Directory(calls.tools).named(ThingKind.PART, text, call)).id


def _data(result: Result) -> dict[str, Json]:
    if result.data is None:
        raise LogsError(result.text)
    return result.data


def _show(entry: dict[str, Json], *, color: bool) -> None:
    code = _COLORS.get(entry.get("level", "")) if color else None
    print(f"\x1b[{code}m{line(entry)}\x1b[0m" if code else line(entry), flush=True)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _words(members: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} {value}" for name, value in members.items())


def _lines(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _MOST):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {_MOST}, got {text!r}")
    return int(text)
