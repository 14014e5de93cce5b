"""Where copies of the audit and checkpoints go: a file, standard error, or an address on the web.

Copies never hold up or stop a call. What could not be written is said once in the log.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from viam_mcp.store._errors import StoreAddressError

if TYPE_CHECKING:
    from viam_mcp.store._records import AuditLine

logger = logging.getLogger("viam_mcp.store")

_POST_SECONDS = 5.0
_MOST_WAITING = 1_000


class Sink(Protocol):
    """Takes lines of text."""

    def write(self, line: str) -> None:
        """Take a line."""

    def close(self) -> None:
        """Pass on what was taken, for a few seconds at most."""


class StreamSink:
    """Writes lines to a stream of this process, by default standard error."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor

    def write(self, line: str) -> None:
        """See `Sink`."""
        data = f"{line}\n".encode(errors="backslashreplace")
        try:
            os.write(sys.stderr.fileno() if self._descriptor is None else self._descriptor, data)
        except (OSError, ValueError) as error:
            _complain("the stream", error)

    def close(self) -> None:
        """See `Sink`."""


class FileSink:
    """Appends lines to a file, which a log shipper may rotate.

    Args:
        path: The file. It is made with mode 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        """See `Sink`."""
        data = f"{line}\n".encode(errors="backslashreplace")
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            _complain(str(self._path), error)

    def close(self) -> None:
        """See `Sink`."""


class UrlSink:
    """Posts each line, a JSON object, to an address.

    Args:
        url: The address.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """See `Sink`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._post_all, name="viam-mcp checkpoints", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(line)
        except queue.Full as error:
            _complain("the address of checkpoints", error)

    def close(self) -> None:
        """See `Sink`."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(_POST_SECONDS)

    def _post_all(self) -> None:
        while (line := self._waiting.get()) is not None:
            request = urllib.request.Request(  # noqa: S310 - the operator's own address
                self._url, line.encode(), {"Content-Type": "application/json"}, method="POST"
            )
            try:
                with urllib.request.urlopen(request, timeout=_POST_SECONDS) as answer:  # noqa: S310
                    answer.read(1)
            except (OSError, ValueError) as error:
                _complain("the address of checkpoints", error)


def parse_sink(text: str, *, urls: bool = False) -> Sink:
    """Return the sink that a setting names: `-` for standard error, a file, or where `urls` allows it an address.

    Raises:
        StoreAddressError: It is none of these.
    """
    if text == "-":
        return StreamSink()
    if not text.strip():
        raise StoreAddressError("where copies of the audit go is empty: expected a file, or - for standard error")
    if text.startswith(("http://", "https://")):
        if urls:
            return UrlSink(text)
        raise StoreAddressError("a copy of the audit goes to a file or to - (standard error), not to an address")
    return FileSink(Path(text).absolute())


def as_text(line: AuditLine) -> str:
    """Return a line of the audit as a line of JSON."""
    time = datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"number": line.number, "time": time, **line.entry, "hash": line.hash}, ensure_ascii=False)


def _complain(where: str, error: Exception) -> None:
    logger.warning("%s cannot be written (%s); the store itself has everything", where, type(error).__name__)
