"""A thread that says from time to time that this process lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Heart:
    """Calls a function again and again while something runs.

    Args:
        seconds: How long between two calls.
        beat: The function.
    """

    def __init__(self, seconds: float, beat: Callable[[], None]) -> None:
        self._seconds = seconds
        self._beat = beat
        self._lock = threading.Lock()
        self._running = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, more: int) -> None:
        """Note that so many more things run than before."""
        with self._lock:
            self._running += more
            if self._running > 0 and self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._beat_on, name="viam-mcp heart", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop for good."""
        self._stopped.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _beat_on(self) -> None:
        while not self._stopped.wait(self._seconds):
            with self._lock:
                if self._running <= 0:
                    self._thread = None
                    return
            self._beat()
