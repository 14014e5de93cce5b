"""Progress notifications of a call, for clients that sent a token for them.

Several clients give a call five seconds, and begin anew with each notification. So a call that takes longer reports
every few seconds that it still runs.

https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/progress
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.server.context import ServerRequestContext

    from viam_mcp.tools import Progress

INTERVAL = 3.0
"""Seconds without a notification after which a call reports that it still runs."""
_STEP = 1e-3  # the protocol wants every value to be larger than the one before


@contextmanager
def reporting(ctx: ServerRequestContext[Any, Any]) -> Iterator[Progress]:
    """Return what a call reports its progress with. Inside the block, it is reported that the call still runs.

    The SDK sends nothing to a client without a token.
    """
    reports = _Reports(ctx)
    # A call that is quick costs a timer and no task.
    timer = asyncio.get_running_loop().call_later(INTERVAL, reports.begin)
    try:
        yield reports.report
    finally:
        timer.cancel()
        reports.end()


class _Reports:
    """The notifications of one call."""

    def __init__(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._session = ctx.session
        self._last = 0.0
        self._has_news = False
        self._task: asyncio.Task[None] | None = None

    async def report(self, done: float, total: float | None, message: str) -> None:
        """See `Progress`."""
        self._last = max(done, self._last + _STEP)
        self._has_news = True
        await self._session.report_progress(self._last, total, message)

    def begin(self) -> None:
        """Begin to report that the call still runs, whenever nothing else was reported for a while."""
        self._task = asyncio.create_task(self._keep_alive())

    def end(self) -> None:
        """Report nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _keep_alive(self) -> None:
        # If the client cannot be notified, the end of the call shows it.
        with suppress(Exception):
            while True:
                if not self._has_news:
                    await self.report(self._last, None, "still running")
                self._has_news = False
                await asyncio.sleep(INTERVAL)
