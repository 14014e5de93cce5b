"""Watches the process that started this one.

An MCP client ends a server on stdio by closing stdin. A client that is killed closes its pipes too, but not where
another process holds copies of them: the server would stay for ever.
"""

from __future__ import annotations

import asyncio
import os

_POLL_SECONDS = 1.0


async def parent_ended() -> None:
    """Wait until the parent of this process has ended. A process that has no parent, or init's, waits for ever."""
    parent = os.getppid()
    if parent <= 1:
        await asyncio.Event().wait()
    # When a parent ends, its children get another. Their own number is not taken over while they run.
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(_POLL_SECONDS)
