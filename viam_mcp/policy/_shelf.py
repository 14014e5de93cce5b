"""Small things that several processes share until they expire: each is put once, under a name that nothing had.

Which questions were answered is kept here, and the calls that wait for a token.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Protocol

from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy._files import write_new
from viam_mcp.policy._state import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME = re.compile(r"^[a-z]+-[0-9a-f]{32}$")
_SWEEP_SECONDS = 60.0
_MOST_BYTES = 64 * 1_048_576
_OVERHEAD = 200  # bytes, about, that a thing takes besides its data


class Shelf(Protocol):
    """Where things are put that expire."""

    def put(self, name: str, data: bytes, expires: float) -> bool:
        """Put something down, unless something of that name is there.

        Args:
            name: A word and 32 hexadecimal digits.
            data: What it is.
            expires: Until when it has to be kept, in seconds since 1970.

        Returns:
            Whether it was put; of those that try at the same time, one is told so.

        Raises:
            PolicyError: It cannot be kept.
        """

    def get(self, name: str) -> bytes | None:
        """What is there under a name; None for nothing."""


class MemoryShelf:
    """A shelf of one process.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._things: dict[str, tuple[float, bytes]] = {}
        self._swept = clock()
        # Things are put from worker threads.
        self._lock = threading.Lock()

    def put(self, name: str, data: bytes, expires: float) -> bool:
        """See `Shelf`."""
        with self._lock:
            now = self._clock()
            if now - self._swept > _SWEEP_SECONDS:
                self._things = {key: thing for key, thing in self._things.items() if thing[0] > now}
                self._swept = now
            if sum(len(thing[1]) + _OVERHEAD for thing in self._things.values()) + len(data) > _MOST_BYTES:
                raise PolicyError("too many confirmations are open; they expire by themselves")
            return self._things.setdefault(name, thing := (expires, data)) is thing

    def get(self, name: str) -> bytes | None:
        """See `Shelf`."""
        thing = self._things.get(name)
        return None if thing is None else thing[1]


class FolderShelf:
    """A shelf of all processes that use one folder. Each thing is a file, and files are never overwritten.

    Args:
        folder: Where; it is made when it is first needed.
        clock: Seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._swept = 0.0

    def put(self, name: str, data: bytes, expires: float) -> bool:
        """See `Shelf`."""
        path = private_folder(self._folder) / _checked(name)
        self._sweep()
        try:
            write_new(path, f"{expires:.3f}\n".encode() + data)
        except FileExistsError:
            return False
        except OSError as error:
            raise PolicyError(f"{path} cannot be written: {error.strerror}") from None
        return True

    def get(self, name: str) -> bytes | None:
        """See `Shelf`."""
        try:
            return (self._folder / _checked(name)).read_bytes().partition(b"\n")[2]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PolicyError(f"{self._folder / name} cannot be read: {error.strerror}") from None

    def _sweep(self) -> None:
        now = self._clock()
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        for path in self._folder.iterdir():
            if not _NAME.match(path.name):
                continue
            try:
                with path.open("rb") as file:
                    first = file.readline(40)
                if first.endswith(b"\n") and float(first) < now:
                    path.unlink()
            except FileNotFoundError:
                continue  # another process sweeps as well
            except (OSError, ValueError):
                continue  # not ours to judge: it stays, and keeps its name taken


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"not the name of a thing on a shelf: {name!r}")
    return name
