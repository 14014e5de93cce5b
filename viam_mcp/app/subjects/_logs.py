"""The logs of machine parts: what was written, and what is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app._errors import invalid
from viam_mcp.app._files import write_file
from viam_mcp.app.records._records import LogEntry, Page
from viam_mcp.app.subjects._subject import Subject, build, timestamp
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence
    from datetime import datetime

__all__ = ["LogMethods"]

# The service's limit for one answer.
_LARGEST_PAGE = 1_000


class LogMethods(Subject):
    """Methods about logs. Reading them is billed as egress."""

    async def get_robot_part_logs(
        self,
        robot_part_id: str,
        filter: str | None = None,
        dest: str | None = None,
        log_levels: Sequence[str] = (),
        num_log_entries: int = 100,
        start: datetime | None = None,
        end: datetime | None = None,
        order: app.LogOrder | None = None,
        range: str | None = None,
    ) -> list[LogEntry]:
        """Read the logs of a part, newest first unless asked otherwise, over as many pages as it takes.

        Args:
            robot_part_id: The part.
            filter: Only entries whose message contains this.
            dest: Path of a file to write, replaced as a whole or not at all and readable by its owner
                alone. One entry a line, in the order returned: time in RFC 3339, level, logger, file and
                line, message, separated by tabs; a stack trace follows on lines of its own, indented.
            log_levels: Only these of debug, info, warn, error; none for all.
            num_log_entries: At most so many; 0 for all.
            start: Only entries from this time on; aware. Without this and `range`, the service looks back
                about a day.
            end: Only entries before this time; aware.
            order: By time, newest first when None.
            range: A span such as "10m", "10h" or "10d": up to `end`, from `start` on, or up to now.

        Returns:
            The entries.

        Raises:
            InvalidArgument: Also before any call, for `range` together with both `start` and `end`, a
                time without a zone, or a negative number of entries.
            OSError: If the file cannot be written.
        """
        if num_log_entries < 0:
            raise invalid("GetRobotPartLogs", "num_log_entries is negative", "Give 0 for all entries.")
        entries: list[LogEntry] = []
        token, seen = "", {""}
        while True:
            page = await self.robot_part_logs_page(
                robot_part_id,
                filter=filter,
                log_levels=log_levels,
                start=start,
                end=end,
                order=order,
                range=range,
                limit=min(num_log_entries - len(entries), _LARGEST_PAGE) if num_log_entries else _LARGEST_PAGE,
                page_token=token,
            )
            entries.extend(page)
            token = page.next_page_token
            # A token that was seen before would be followed for ever.
            if token in seen or 0 < num_log_entries <= len(entries):
                break
            seen.add(token)
        if num_log_entries:
            del entries[num_log_entries:]
        if dest is not None:
            await write_file(dest, "".join(_lines(entries)))
        return entries

    async def robot_part_logs_page(
        self,
        robot_part_id: str,
        *,
        filter: str | None = None,
        log_levels: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        order: app.LogOrder | None = None,
        range: str | None = None,
        limit: int | None = None,
        page_token: str | None = None,
    ) -> Page[LogEntry]:
        """Read one page of the logs of a part.

        Args:
            robot_part_id: The part.
            filter: Only entries whose message contains this.
            log_levels: Only these of debug, info, warn, error; none for all.
            start: Only entries from this time on; aware. Without this and `range`, the service looks back
                about a day.
            end: Only entries before this time; aware.
            order: By time, newest first when None.
            range: A span such as "10m", "10h" or "10d": up to `end`, from `start` on, or up to now.
            limit: At most so many, up to 1,000; None leaves it to the server.
            page_token: The `next_page_token` of the page before; None or "" for the first page.

        Returns:
            The page, whose `next_page_token` is empty when it is the last. It may hold nothing and still
            not be the last.

        Raises:
            InvalidArgument: Also before any call, for `range` together with both `start` and `end`, or a
                time without a zone.
        """
        rpc = "GetRobotPartLogs"
        if range is not None and start is not None and end is not None:
            raise invalid(rpc, "range was given together with both start and end", "Leave one of the three out.")
        request = build(
            app.GetRobotPartLogsRequest,
            id=robot_part_id,
            filter=filter,
            page_token=page_token or None,
            levels=log_levels,
            start=timestamp(rpc, "start", start),
            end=timestamp(rpc, "end", end),
            limit=limit,
            order=order,
            range=range,
        )
        reply = await self._session.unary(self._stub.GetRobotPartLogs, request)
        return Page(map(LogEntry.from_proto, reply.logs), reply.next_page_token)

    async def tail_robot_part_logs(
        self, robot_part_id: str, errors_only: bool = True, filter: str | None = None
    ) -> AsyncGenerator[list[LogEntry]]:
        """Follow the logs of a part while they are written.

            async with aclosing(await app.tail_robot_part_logs(part_id)) as batches:
                async for entries in batches:
                    ...

        Args:
            robot_part_id: The part.
            errors_only: Only entries of level error.
            filter: Only entries whose message contains this.

        Returns:
            An iterator over batches of entries, none of them empty. The call is made when it is first
            asked, there is no deadline, and `aclose()` cancels it. It ends when the server ends it, and
            raises an `AppError` when the connection breaks; what was written meanwhile is then to be
            read with `get_robot_part_logs`.
        """
        request = build(app.TailRobotPartLogsRequest, id=robot_part_id, errors_only=errors_only, filter=filter)
        return self._batches(request)

    async def _batches(self, request: app.TailRobotPartLogsRequest) -> AsyncGenerator[list[LogEntry]]:
        replies = self._session.stream(self._stub.TailRobotPartLogs, request)
        try:
            async for reply in replies:
                # The server sends empty batches to show that it is alive.
                if reply.logs:
                    yield [LogEntry.from_proto(entry) for entry in reply.logs]
        finally:
            await replies.aclose()


def _lines(entries: Iterable[LogEntry]) -> Iterable[str]:
    for entry in entries:
        time = entry.time.isoformat() if entry.time else ""
        caller = entry.caller or {}
        place = f"{caller.get('File', '')}:{caller.get('Line', '')}" if caller else ""
        message = entry.message.replace("\n", "\n\t")
        yield f"{time}\t{entry.level}\t{entry.logger_name}\t{place}\t{message}\n"
        for line in entry.stack.splitlines():
            yield f"\t{line}\n"
