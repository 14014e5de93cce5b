"""The logs of machine parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import to_json

from viam_mcp.proto import app as wire
from viam_mcp.proto.common import LogEntry as WireLogEntry
from viam_mcp.tools._base import ListTool
from viam_mcp.tools._encode import encode
from viam_mcp.tools._files import Dest, Overwrite, save
from viam_mcp.tools._output import Many
from viam_mcp.tools._types import Duration, LogLevel, PartId, Text, Time

if TYPE_CHECKING:
    from viam_mcp.app import AppClient, LogEntry, Page
    from viam_mcp.tools._environment import Environment

_ORDERS = {"ascending": wire.LOG_ORDER_ASCENDING, "descending": wire.LOG_ORDER_DESCENDING}

Contains = Annotated[Text, Field(description="Only messages that contain this text")]


class GetRobotPartLogs(ListTool, toolset="logs", returns=Many(entries=WireLogEntry)):
    """Read what a part logged, newest first unless order says otherwise: for a machine that is offline, its
    last words. Narrow it by level, text and time (start and end, or range back from now or from end). With
    dest, all of the entries are also written to a file, as JSON lines. For what the part logs from now on, use
    tail_robot_part_logs."""

    robot_part_id: PartId
    filter: Contains | None = None
    dest: Dest | None = None
    log_levels: list[LogLevel] = Field(default_factory=list)
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
        if self.dest is None or self.cursor is not None:
            return
        entries = await app.get_robot_part_logs(
            self.robot_part_id, num_log_entries=self.num_log_entries, **self._selection()
        )
        lines = b"".join(to_json(encode(entry.proto)) + b"\n" for entry in entries)
        await save(environment, self.dest, lines, overwrite=self.overwrite)

    async def page(self, app: AppClient, token: str, limit: int) -> Page[LogEntry]:
        return await app.robot_part_logs_page(self.robot_part_id, limit=limit, page_token=token, **self._selection())

    def _selection(self) -> dict[str, Any]:
        return {
            "filter": self.filter,
            "log_levels": self.log_levels,
            "start": self.start,
            "end": self.end,
            "order": None if self.order is None else _ORDERS[self.order],
            "range": self.range,
        }


class TailRobotPartLogs(ListTool, toolset="logs", returns=Many(entries=WireLogEntry)):
    """Wait for what a part logs from now on, errors only unless errors_only is false, and return it as soon as
    something comes; nothing came when entries is empty. For what it logged before, use get_robot_part_logs."""

    robot_part_id: PartId
    errors_only: bool = True
    filter: Contains | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=60, description="How long to wait at most")] = 10

    async def run(self, app: AppClient) -> list[LogEntry]:
        stream = await app.tail_robot_part_logs(self.robot_part_id, self.errors_only, self.filter)
        try:
            async with asyncio.timeout(self.wait_seconds):
                async for batch in stream:
                    return batch
        except TimeoutError:
            pass
        finally:
            await stream.aclose()
        return []
