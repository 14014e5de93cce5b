"""Whether the server can do its work. Each part is checked by using it, and the result is kept for some seconds."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger("viam_mcp.operations")

FRESH_SECONDS = 5.0
_CHECK_SECONDS = 10.0


class Health:
    """The checks of a server.

    Args:
        checks: The checks by name. A check raises an error if its part does not work.
        clock: Seconds, never going back.
    """

    def __init__(
        self, checks: Mapping[str, Callable[[], Awaitable[None]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._found: dict[str, bool] = {}
        self._until = float("-inf")
        self._checking = anyio.Lock()

    async def check(self) -> Mapping[str, bool]:
        """Return whether each part works. Each is checked once in some seconds, however often this is called."""
        async with self._checking:
            if self._clock() >= self._until:
                async with anyio.create_task_group() as tasks:
                    for name in self._checks:
                        tasks.start_soon(self._try, name)
                self._until = self._clock() + FRESH_SECONDS
        return self._found

    async def _try(self, name: str) -> None:
        try:
            with anyio.fail_after(_CHECK_SECONDS):
                await self._checks[name]()
        except Exception as error:
            # The reason is for the log: anybody may ask for the health.
            if self._found.get(name, True):
                logger.exception("not ready: %s: %s", name, type(error).__name__)
            self._found[name] = False
        else:
            if not self._found.get(name, True):
                logger.warning("ready again: %s", name)
            self._found[name] = True
