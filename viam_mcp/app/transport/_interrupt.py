"""Keep grpclib's way to wake a task from marking the task as cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpclib.exceptions import GRPCError, StreamTerminatedError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Interrupted"]


class Interrupted:
    """Takes back the cancellation by which grpclib wakes a task that waits.

    grpclib reports deadlines and broken connections by cancelling the task and raising another error in
    place of CancelledError. It never calls `uncancel()`, and a task that stays marked makes later task
    groups and timeouts of the caller misbehave.
    """

    __slots__ = ("_before", "_task")

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of asyncio always runs in a task
        self._task = task
        self._before = task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (StreamTerminatedError, TimeoutError, GRPCError)) and (
            self._task.cancelling() > self._before and self._task.uncancel() > self._before
        ):
            # The task was also cancelled by its caller, which has to win.
            raise asyncio.CancelledError from error
