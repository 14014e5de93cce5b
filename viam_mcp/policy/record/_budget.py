"""How many destructive calls may run within an hour.

What ran is kept in a file: a budget that lived in a process would be a new one after every restart, and in
every worker.
"""

from __future__ import annotations

import math
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from viam_mcp.policy._call import Stopped
from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.record._files import append, lock, write_new
from viam_mcp.policy.record._state import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

_HOUR = 3600.0
_MOST_OLD = 1_000  # lines that nobody needs any more, before they are taken out


class Budget:
    """A sliding window over the last hour, of all calls of all processes that use its file.

    Args:
        per_hour: How many calls may run.
        path: The file; it and its folder are made when they are first needed.
        clock: Seconds since 1970.
    """

    def __init__(self, per_hour: int, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._per_hour = per_hour
        self._path = path
        self._clock = clock

    def check(self) -> None:
        """Do nothing if one more call may run.

        Raises:
            Stopped: The budget is used up.
            PolicyError: That cannot be found out.
        """
        with self._window() as (_, ran, now):
            self._stop_beyond(ran, now)

    def take(self) -> None:
        """Count a call that is about to run.

        Raises:
            Stopped: The budget is used up.
            PolicyError: It cannot be counted.
        """
        with self._window() as (descriptor, ran, now):
            self._stop_beyond(ran, now)
            append(descriptor, _end(descriptor) + _lines([now]))

    @contextmanager
    def _window(self) -> Iterator[tuple[int, list[float], float]]:
        """The file, locked; when calls ran within the last hour, the oldest first; and the present time."""
        try:
            private_folder(self._path.parent)
            while True:
                with self._locked() as file:
                    now = self._clock()
                    times = [_time(line) for line in file.read().splitlines() if line]
                    # Times ahead are those of a clock that was set back since: they count from now on.
                    ran = sorted(min(one, now) for one in times if one > now - _HOUR)
                    if len(times) <= len(ran) + _MOST_OLD and not any(one > now for one in times):
                        yield file.fileno(), ran, now
                        return
                    self._replace(ran)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds something else than times"
            raise PolicyError(f"the budget {self._path} cannot be kept: {reason}") from None

    def _replace(self, times: list[float]) -> None:
        """Put another file in the place of the one that is locked, whole or not at all."""
        draft = self._path.with_name(f"{self._path.name}-{secrets.token_hex(8)}")
        write_new(draft, _lines(times))
        draft.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[IO[str]]:
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+") as file:
                lock(descriptor)
                # Whoever had the lock may have put another file in its place.
                if os.path.samestat(os.fstat(descriptor), self._path.lstat()):
                    yield file
                    return

    def _stop_beyond(self, ran: list[float], now: float) -> None:
        if len(ran) < self._per_hour:
            return
        advice = "The policy allows none."
        if self._per_hour:
            # The one whose end makes room.
            minutes = int((ran[-self._per_hour] + _HOUR - now) // 60) + 1
            advice = f"The next one may run in {minutes} min; the operator's policy sets destructive_per_hour."
        raise Stopped(
            Outcome.OVER_BUDGET,
            f"The budget of {self._per_hour} destructive calls an hour is used up. Nothing was done. {advice}",
        )


def _lines(times: Iterable[float]) -> bytes:
    # Rounded down: a time ahead of the clock would be taken for one of a clock that was set back.
    return "".join(f"{math.floor(one * 1_000) / 1_000:.3f}\n" for one in times).encode()


def _end(descriptor: int) -> bytes:
    """What ends the last line, if a crash cut it short: it is not made part of the next one."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _time(line: str) -> float:
    time = float(line)
    if not math.isfinite(time):
        raise ValueError(f"not a time: {line!r}")
    return time
