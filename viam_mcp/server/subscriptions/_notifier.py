"""Notifies the subscribers of one log when it has something new."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from viam_mcp.app import AppError
from viam_mcp.tools import ToolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from viam_mcp.logs import Query, Tail, Tails

    Notify = Callable[[], Awaitable[None]]

logger = logging.getLogger("viam_mcp.server")

INTERVAL = 0.25
"""Seconds between two notifications about one log, at least."""
_RETRY_SECONDS = 30.0


class Notifier:
    """Notifies every subscriber of one log whose calls go through the same tails.

    The first news are told at once, further ones not before the interval is over.

    Args:
        tails: Follows logs.
        query: The log.
        interval: Seconds between two notifications, at least.

    Attributes:
        subscribers: Each notifies one subscriber.

    Raises:
        AppError: The log cannot be followed.
        Busy: The caller follows as many logs as one caller may.
    """

    def __init__(self, tails: Tails, query: Query, interval: float) -> None:
        self.subscribers: list[Notify] = []
        self._tails = tails
        self._query = query
        self._interval = interval
        self._stack = ExitStack()
        self._watch()
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Stop following the log."""
        self._task.cancel()
        self._stack.close()

    def _watch(self) -> None:
        self._news = asyncio.Event()
        self._tail = self._stack.enter_context(self._tails.watch(self._query))
        self._stack.enter_context(self._tail.listening(self._news))

    async def _run(self) -> None:
        while True:
            try:
                await self._follow(self._tail, self._news)
            except Exception:
                logger.exception("notifications about part %s stopped", self._query.part_id)
            # The log cannot be followed now, which its readers have been told. Try again later.
            await self._tails.pause(_RETRY_SECONDS)
            self._stack.close()
            try:
                self._watch()
            except (AppError, ToolError) as error:
                logger.warning("part %s is not followed any more: %s", self._query.part_id, error)
                return

    async def _follow(self, tail: Tail, news: asyncio.Event) -> None:
        """Notify all subscribers whenever there is something new, until the tail fails."""
        if not tail.begun:
            await tail.begin()
            news.clear()
        while tail.failure is None:
            await news.wait()
            news.clear()
            for notify in list(self.subscribers):
                await notify()
            await self._tails.pause(self._interval)
