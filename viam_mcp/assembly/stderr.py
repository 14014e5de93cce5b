"""Logs to stderr, without ever waiting for the program that reads it.

A client that starts a server may leave its stderr unread. Once the pipe is full, a write to it blocks, and the whole
server with it.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import sys
import threading
from contextlib import suppress

_MAX_LINES = 10_000
_FLUSH_SECONDS = 0.5


class StderrHandler(logging.Handler):
    """Has a thread write log records to stderr. Lines that do not fit into its queue are dropped and counted."""

    def __init__(self) -> None:
        super().__init__()
        # Where stderr is closed, its descriptor may be something else by now.
        self._descriptor = None if sys.stderr is None else sys.stderr.fileno()
        self._lines: queue.Queue[str] = queue.Queue(_MAX_LINES)
        self._dropped = 0
        self._is_idle = threading.Event()
        self._is_idle.set()
        threading.Thread(target=self._write, name="stderr", daemon=True).start()
        atexit.register(self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        try:
            line = self.format(record)
            if self._dropped:
                line = f"({self._dropped:,} lines were dropped, because nobody reads stderr)\n{line}"
            self._is_idle.clear()
            self._lines.put_nowait(line)
            self._dropped = 0
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001 - as all handlers do
            self.handleError(record)

    def flush(self) -> None:
        """Wait until everything is written, but not for long."""
        self._is_idle.wait(_FLUSH_SECONDS)

    def _write(self) -> None:
        while True:
            data = f"{self._lines.get()}\n".encode(errors="backslashreplace")
            with suppress(OSError):  # nobody reads stderr any more
                while data and self._descriptor is not None:
                    data = data[os.write(self._descriptor, data) :]
            if self._lines.empty():
                self._is_idle.set()


def log_to_stderr(*, debug: bool, json: bool = False, serves: bool = False) -> None:
    """Configure the logs of a command.

    Libraries log whole messages when they debug, with the credentials in them: HTTP headers, chunks of answers, access
    tokens. So with `debug` this program's own loggers log everything, and all others no more than warnings.

    Args:
        debug: Whether to log everything that this program has to say, with tracebacks.
        json: Whether to log one JSON object a line.
        serves: Whether the command serves, so that it must never wait for the reader of stderr.
    """
    handler: logging.Handler = StderrHandler() if serves else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    if json:
        # The import takes time that commands without it need not spend.
        from viam_mcp.operations import JsonFormatter

        handler.setFormatter(JsonFormatter())
    if not debug:
        handler.addFilter(_without_traceback)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    own = logging.getLogger("viam_mcp")
    own.setLevel(logging.DEBUG if debug else logging.INFO if json else logging.WARNING)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Reduce an exception to its type: its text may hold anything, and its traceback helps only in debugging."""
    if record.exc_info and record.exc_info[0]:
        record.msg = f"{record.getMessage()} ({record.exc_info[0].__name__}; --debug shows where)"
        record.args, record.exc_info = (), None
    return True
