"""The logs of machine parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import to_json

from viam_mcp.logs import MOST_PARTS, PartName
from viam_mcp.proto import app as wire
from viam_mcp.proto.common import LogEntry as WireLogEntry
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools._saving import Dest, Overwrite, Saving, save
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._types import Duration, LocationId, LogLevel, PartId, Text, Time
from viam_mcp.tools.redaction._text import sanitize, shorten
from viam_mcp.tools.results._encode import encode
from viam_mcp.tools.results._log_entries import (
    LoggedEntries,
    NewEntries,
    as_lines,
    entry_json,
    gap_json,
    upstream_json,
)
from viam_mcp.tools.results._paging import fill, projection
from viam_mcp.tools.results._patterns import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.app import AppClient, LogEntry, Page
    from viam_mcp.logs import News, Tails
    from viam_mcp.tools._environment import Environment

_ORDERS = {"ascending": wire.LOG_ORDER_ASCENDING, "descending": wire.LOG_ORDER_DESCENDING}

_LOOKED_BACK = (
    "Without start or range, the service looks back about a day. For what was logged before, give a range such as 60d."
)
_SHOWN = 2_000  # characters of a batch that go out as progress
_TICK_SECONDS = 2.5  # between two reports of progress while nothing comes
_CURSOR_GROWTH = 1_000  # bytes by which a cursor may be longer after fewer entries

Contains = Annotated[Text, Field(description="Only messages that contain this text")]


class GetRobotPartLogs(Saving, ListTool, toolset="logs", core=True, returns=LoggedEntries()):
    """Read what a part logged, newest first unless order says otherwise: for a machine that is offline, its
    last words. Narrow it by level, text and time (start and end, or range back from now or from end). Without
    start or range the service looks back about a day: for a machine that has been offline for longer, give a range
    such as 60d. With dest, all of the entries are also written to a file, as JSON lines. For what the part logs
    from now on, use tail_robot_part_logs: without loss from these entries on with tail_cursor as its cursor, the
    same filter, and errors_only false unless log_levels is just error."""

    robot_part_id: PartId
    filter: Contains | None = None
    dest: Dest | None = None
    log_levels: Annotated[list[LogLevel], Field(max_length=10)] = Field(default_factory=list)
    num_log_entries: Annotated[int, Field(ge=0, description="0: all")] = 100
    start: Time | None = None
    end: Time | None = None
    order: Literal["ascending", "descending"] | None = None
    range: Duration | None = None
    overwrite: Overwrite = False

    exact_pages: ClassVar[bool] = True

    def total(self) -> int | None:
        return self.num_log_entries or None

    async def execute(self, app: AppClient, environment: Environment) -> None:
        path = self._path()
        if path is None:
            return
        entries = await app.get_robot_part_logs(
            self.robot_part_id, num_log_entries=self.num_log_entries, **self._selection()
        )
        lines = b"".join(to_json(encode(entry.proto)) + b"\n" for entry in entries)
        await save(environment, path, lines, overwrite=self.overwrite)

    def _path(self) -> str | None:
        # All of the entries are written with the first page.
        return self.dest if self.cursor is None else None

    async def page(self, app: AppClient, token: str, limit: int) -> Page[LogEntry]:
        return await app.robot_part_logs_page(self.robot_part_id, limit=limit, page_token=token, **self._selection())

    def besides(self, environment: Environment, items: Sequence[LogEntry], *, last: bool) -> dict[str, Any]:
        empty = last and not items and self.cursor is None and self.start is None and self.range is None
        return {**self._tail_cursor(environment, items, last=last), **({"warnings": [_LOOKED_BACK]} if empty else {})}

    def _tail_cursor(self, environment: Environment, items: Sequence[LogEntry], *, last: bool) -> dict[str, Any]:
        at_the_end = self.cursor is None and self.end is None and self.order != "ascending"
        if environment.tails is None or not at_the_end or self.log_levels not in ([], ["error"]):
            return {}
        cursor = environment.tails.cursor(
            self.robot_part_id,
            items,
            whole=last and self.start is None and self.range is None,
            errors_only=bool(self.log_levels),
            filter=self.filter or "",
        )
        return {"tail_cursor": cursor}

    def _selection(self) -> dict[str, Any]:
        return {
            "filter": self.filter,
            "log_levels": self.log_levels,
            "start": self.start,
            "end": self.end,
            "order": None if self.order is None else _ORDERS[self.order],
            "range": self.range,
        }


class _Tail(Tool):
    """What the tools that follow parts have in common."""

    errors_only: bool = True
    filter: Contains | None = None
    cursor: Annotated[str, Field(description="next_cursor or tail_cursor of an answer before")] | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=50, description="How long to wait at most")] = 4
    limit: Annotated[int, Field(ge=1, le=1000, description="At most this many entries")] = 100
    backlog: Annotated[int, Field(ge=0, le=100, description="Without cursor: also so many entries from before")] = 0
    fields: Annotated[list[str], Field(max_length=100, description="Only these fields of each entry")] | None = None

    async def _news(self, part_ids: Sequence[str], environment: Environment) -> News:
        reading = self._tails(environment).read(
            part_ids,
            errors_only=self.errors_only,
            filter=self.filter or "",
            cursor=self.cursor,
            limit=self.limit,
            wait=self.wait_seconds,
            backlog=self.backlog,
        )
        waiting = asyncio.create_task(self._say_waiting(environment))
        waiting.add_done_callback(_ended)
        try:
            return await reading
        finally:
            # Not waited for: the next subscriber finds the tail still open.
            waiting.cancel()

    def _tails(self, environment: Environment) -> Tails:
        if environment.tails is None:
            raise ToolError("Live logs are not available here. Use get_robot_part_logs.")
        return environment.tails

    async def _say_waiting(self, environment: Environment) -> None:
        """Send progress every few seconds: some clients give up on a call that says nothing."""
        pause, waited = self._tails(environment).pause, 0.0
        while True:
            await pause(_TICK_SECONDS)
            waited += _TICK_SECONDS
            # Below one, since the batch of entries counts them, and progress must not go back.
            done = min(waited / (self.wait_seconds + _TICK_SECONDS), 0.99)
            await environment.progress(done, None, f"no entries for {waited:g} s")


class TailRobotPartLogs(_Tail, toolset="logs", core=True, returns=NewEntries()):
    """Follow what a part logs, errors only unless errors_only is false: waits until there is something new, at most
    wait_seconds. Call it again with next_cursor and nothing is lost or given twice, whatever the connection does;
    gap says what is missing, upstream how the connection is doing. For several parts, use tail_logs; for what was
    logged before, get_robot_part_logs, whose tail_cursor goes on here."""

    robot_part_id: PartId

    async def execute(self, app: AppClient, environment: Environment) -> dict[str, Any]:
        keep = projection(self.fields, WireLogEntry)
        news = await self._news([self.robot_part_id], environment)
        (reading,) = news.readings
        entries, warnings = fill(map(entry_json, reading.entries), keep, environment.budget)
        news = news.cut(len(entries))
        (reading,) = news.readings
        result: dict[str, Any] = {"entries": entries, "next_cursor": news.cursor()}
        result["upstream"] = upstream_json(reading.upstream)
        if reading.gap is not None:
            result["gap"] = gap_json(reading.gap)
        return await _shown(result, warnings, environment)


class TailLogs(_Tail, toolset="logs", effect=Effect.READ, rpc=None, returns=NewEntries(several=True)):
    """Follow what several parts log, or all parts of the machines in a location: as tail_robot_part_logs, merged by
    time, each entry with its machine and part; upstreams are the connections that are not live. With group, entries
    that say the same come as one pattern with their number, which fits a noisy fleet into a short answer."""

    robot_part_ids: Annotated[list[PartId], Field(min_length=1, max_length=100, description="At most 16")] | None = None
    location_id: LocationId | None = None
    group: bool = False

    async def execute(self, app: AppClient, environment: Environment) -> dict[str, Any]:
        keep = projection(self.fields, WireLogEntry)
        tails = self._tails(environment)
        news = await self._news(await self._parts(tails), environment)
        merged = news.entries
        origins = [_origin(reading.part_id) for reading in news.readings]
        names = await tails.names.of([news.readings[number].part_id for number in {number for number, _ in merged}])
        for part_id, name in names.items():
            origins[[reading.part_id for reading in news.readings].index(part_id)] = _origin(part_id, name)
        encoded = [{**origins[number], **_kept(entry_json(entry), keep)} for number, entry in merged]
        cursor_room = len(news.cursor()) + _CURSOR_GROWTH
        result: dict[str, Any] = {"entries": []}
        if self.group:
            result["groups"], warnings = fill(fold(encoded), None, environment.budget - cursor_room)
            taken = len(merged)
        else:
            result["entries"], warnings = fill(encoded, None, environment.budget - cursor_room)
            taken = len(result["entries"])
        news = news.cut(taken)
        result["next_cursor"] = news.cursor()
        result["upstreams"] = [
            {"robot_part_id": reading.part_id, **upstream_json(reading.upstream)}
            for reading in news.readings
            if reading.upstream.state != "live"
        ]
        gaps = [{"robot_part_id": reading.part_id, **gap_json(reading.gap)} for reading in news.readings if reading.gap]
        if gaps:
            result["gaps"] = gaps
        return await _shown(result, warnings, environment)

    async def _parts(self, tails: Tails) -> list[str]:
        if (self.robot_part_ids is None) == (self.location_id is None):
            raise ToolError("Give either robot_part_ids or location_id.")
        if self.robot_part_ids is not None:
            part_ids = list(dict.fromkeys(self.robot_part_ids))
        else:
            assert self.location_id is not None  # noqa: S101 - one of the two is given
            try:
                part_ids = await tails.names.parts_of(self.location_id, MOST_PARTS)
            except ValueError as error:
                raise _too_many(str(error)) from None
        if not part_ids:
            raise ToolError("There are no parts in that location. list_robots shows what is where.")
        if len(part_ids) > MOST_PARTS:
            raise _too_many(f"{len(part_ids)} parts")
        return part_ids


def _ended(waiting: asyncio.Task[None]) -> None:
    """Take note of how reports of progress ended: that a client is gone is found out elsewhere."""
    if not waiting.cancelled():
        waiting.exception()


def _too_many(what: str) -> ToolError:
    return ToolError(f"There are {what}, and at most {MOST_PARTS} parts are followed at once: name some of them.")


def _origin(part_id: str, name: PartName | None = None) -> dict[str, str]:
    named = name or PartName()
    return {"robot_part_id": part_id, "machine": sanitize(named.machine), "part": sanitize(named.part)}


def _kept(entry: dict[str, Any], keep: frozenset[str] | None) -> dict[str, Any]:
    return entry if keep is None else {name: value for name, value in entry.items() if name in keep}


async def _shown(result: dict[str, Any], warnings: list[str], environment: Environment) -> dict[str, Any]:
    """The result, whose batch also goes out as progress, which a host may show while the model is not looking."""
    entries = result.get("groups") or result["entries"]
    if entries:
        batch: dict[str, Any] = {name: result[name] for name in result if name in ("entries", "groups")}
        await environment.progress(len(entries), None, shorten(as_lines(batch), _SHOWN))
    if warnings:
        result["warnings"] = warnings
    return result
