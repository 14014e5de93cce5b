"""The audit: what was decided and what was done, one JSON line each, which cannot be changed unnoticed.

Each line carries the SHA-256 of the line before, as it stands in the file, so that a line that is changed,
removed or put in between breaks the chain. What the chain alone cannot show is that lines are missing at
the end: for that, keep `viam-mcp audit verify`'s last hash elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy.record._files import append, lock
from viam_mcp.policy.record._state import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import IO

Json = Any

FIRST = "0" * 64
"""What the first line carries in place of a hash."""

_BLOCK = 65_536


class Audit:
    """An audit file. Processes may share it.

    Args:
        path: The file; it and its folder are made when they are first needed.
        own_folder: Whether the folder is this program's alone, to be closed to everybody else.
        clock: The present time, aware.
        watch: Told of every entry that was written.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Callable[[Mapping[str, Json]], None] | None = None,
        *,
        own_folder: bool = False,
    ) -> None:
        self.path = path
        self._own_folder = own_folder
        self._clock = clock
        self._watch = watch

    def append(self, entry: Mapping[str, Json]) -> None:
        """Write a line and have it on the disk.

        Args:
            entry: What happened, as JSON values, without credentials.

        Raises:
            PolicyError: It cannot be written; nothing that depends on it may go on.
        """
        try:
            self._prepare()
            with self._locked() as file:
                last = _last_line(file)
                # A line that a crash cut short stays as evidence; the chain goes on after it.
                start = b"" if last is None or last.endswith(b"\n") else b"\n"
                time = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                line = {"time": time, **entry, "previous": FIRST if last is None else _hash(last)}
                text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
                append(file.fileno(), start + text.encode(errors="backslashreplace") + b"\n")
        except OSError as error:
            raise PolicyError(f"the audit {self.path} cannot be written: {error.strerror}") from None
        if self._watch is not None:
            self._watch(entry)

    def _prepare(self) -> None:
        if self._own_folder or not self.path.parent.exists():
            private_folder(self.path.parent)

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            lock(descriptor)
            yield file


def _last_line(file: IO[bytes]) -> bytes | None:
    """The last line of a file with what ends it; None if there is none."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return None
    tail = b""
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        tail = file.read(end - start) + tail
        end = start
        newline = tail.rfind(b"\n", 0, len(tail) - 1)
        if newline >= 0:
            return tail[newline + 1 :]
    return tail


def _hash(line: bytes) -> str:
    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What came of looking through an audit.

    Attributes:
        lines: How many lines it has.
        broken: The lines, from 1, that do not follow from the one before, or are not whole, each with what is wrong.
        last: The hash of the last line: what a copy kept elsewhere is compared with.
    """

    lines: int
    broken: Mapping[int, str]
    last: str = FIRST


def verify(path: Path) -> Verdict:
    """Look for lines of an audit that were changed, or whose neighbours were.

    Raises:
        PolicyError: The file cannot be read.
    """
    previous, number, broken = FIRST, 0, dict[int, str]()
    for number, line in enumerate(_lines(path), start=1):
        if reason := _wrong(line, previous):
            broken[number] = reason
        previous = _hash(line)
    return Verdict(number, broken, previous)


def _wrong(line: bytes, previous: str) -> str:
    entry = _entry(line)
    if entry is None or not line.endswith(b"\n"):
        return "it is not a whole line of JSON: a crash cut it short, or somebody changed it"
    if entry.get("previous") != previous:
        return "it does not follow from the line before: one of the two was changed, or lines between them are gone"
    return ""


def entries(
    path: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tool: str | None = None,
    outcome: str | None = None,
) -> Iterator[dict[str, Json]]:
    """The lines of an audit, oldest first, without those that are not whole.

    Args:
        path: The file.
        since: Only lines from this time on; aware.
        until: Only lines before this time; aware.
        tool: Only lines about tools whose name matches this pattern.
        outcome: Only lines with this outcome.

    Raises:
        PolicyError: The file cannot be read.
    """
    for line in _lines(path):
        entry = _entry(line)
        if entry is None:
            continue
        time = datetime.fromisoformat(entry["time"])
        if (
            (since is None or time >= since)
            and (until is None or time < until)
            and (tool is None or fnmatchcase(str(entry.get("tool", "")), tool))
            and (outcome is None or entry.get("outcome") == outcome)
        ):
            yield entry


def _entry(line: bytes) -> dict[str, Json] | None:
    try:
        entry = json.loads(line)
        return entry if datetime.fromisoformat(entry["time"]).tzinfo else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise PolicyError(f"the audit {path} cannot be read: {error.strerror}") from None
