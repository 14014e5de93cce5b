"""The log of a part, as the service keeps it: read by time, page by page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from viam_mcp.app import ResourceExhausted
from viam_mcp.logs._entries import SECOND, moment, nanoseconds
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from viam_mcp.app import AppClient, Page
    from viam_mcp.app import LogEntry as Record
    from viam_mcp.logs._query import Query
    from viam_mcp.proto.common import LogEntry

LARGEST_PAGE = 1_000
# The service looks back about a day by default. Said here, it also gives what a clock that is ahead has written.
DAY = 86_400 * SECOND
"""How far back the end of a log is looked for."""
_END = datetime(9999, 12, 31, tzinfo=UTC)


class Log:
    """Reads what the service has stored of a query."""

    def __init__(self, app: AppClient, query: Query) -> None:
        self._app = app
        self._query = query
        self._largest = LARGEST_PAGE

    async def newest(self, now: int, number: int, *, token: str = "") -> tuple[list[LogEntry], str]:
        """Return so many of the last day's newest entries, newest first, and the token for those before them."""
        page = await self._page(now - DAY, number, token, ascending=False)
        return [record.proto for record in page], page.next_page_token

    async def since(self, start: int) -> AsyncGenerator[tuple[list[LogEntry], bool]]:
        """Yield pages of the entries from a time on, oldest first, each with whether there are more.

        Pages go on by time and not by the service's tokens, so that an entry which is stored meanwhile shifts
        nothing. At a seam entries are given twice, all of one time in one page: `missing` tells them from twins.
        """
        token, tokens = "", {""}
        while True:
            page = await self._page(start, LARGEST_PAGE, token, ascending=True)
            entries = [record.proto for record in page]
            yield entries, bool(page.next_page_token)
            if not page.next_page_token:
                return
            (last,) = nanoseconds(entries[-1:]) or [start]
            if moment(last) > moment(start):
                start, token = last, ""
                continue
            # More of one time than a page holds. A token that comes a second time would go round for ever.
            token = page.next_page_token
            if token in tokens:
                return
            tokens.add(token)

    async def _page(self, start: int, limit: int, token: str, *, ascending: bool) -> Page[Record]:
        """Return one page, of fewer entries where so many are more than a message may hold."""
        while True:
            try:
                page = await self._app.robot_part_logs_page(
                    self._query.part_id,
                    filter=self._query.filter or None,
                    log_levels=["error"] if self._query.errors_only else (),
                    start=moment(start),
                    end=_END,
                    order=wire.LOG_ORDER_ASCENDING if ascending else wire.LOG_ORDER_DESCENDING,
                    limit=min(limit, self._largest),
                    page_token=token,
                )
            except ResourceExhausted:
                if self._largest == 1:
                    raise
                self._largest = max(min(limit, self._largest) // 4, 1)
            else:
                self._largest = min(2 * self._largest, LARGEST_PAGE)
                return page
