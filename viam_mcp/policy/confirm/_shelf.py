"""Small things that several processes share until they expire: each is put once, under a name that nothing had.

Which questions were answered is kept here, and the calls that wait for a token.
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy.record._files import write_new
from viam_mcp.policy.record._state import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_NAME = re.compile(r"^[a-z]+-[0-9a-f]{32}$")
_OWNER = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_SWEEP_SECONDS = 60.0
_LEEWAY = 300.0  # seconds that the clocks of computers which share a folder may be apart

MOST_THINGS = 2_000
"""How many things with data one owner may have on a shelf: more than anybody asks for before they expire."""
MOST_MARKS = 20_000
"""How many without: names that are taken, and nothing else."""
MOST_BYTES = 2 * 1_048_576
"""How many bytes all of an owner's things may take."""
_MOST_BYTES_IN_ALL = 64 * 1_048_576
_EMPTY = 20  # bytes of a file that holds nothing but its time


class Shelf(Protocol):
    """Where things are put that expire. Nobody's things take the room of others'."""

    def put(self, owner: str, name: str, data: bytes, expires: float) -> bool:
        """Put something down, unless its owner has something of that name there.

        Args:
            owner: Whose it is: up to 64 letters, digits, `-` and `_`.
            name: A word and 32 hexadecimal digits.
            data: What it is.
            expires: Until when it has to be kept, in seconds since 1970.

        Returns:
            Whether it was put; of those that try at the same time, one is told so.

        Raises:
            PolicyError: It cannot be kept, or its owner has too much there.
        """

    def get(self, owner: str, name: str) -> bytes | None:
        """What is there under a name; None for nothing."""

    def remove(self, owner: str, name: str) -> None:
        """Take away what is there under a name, if anything is."""


class MemoryShelf:
    """A shelf of one process.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._things: dict[str, dict[str, tuple[float, bytes]]] = {}
        self._swept = clock()
        # Things are put from worker threads.
        self._lock = threading.Lock()

    def put(self, owner: str, name: str, data: bytes, expires: float) -> bool:
        """See `Shelf`."""
        with self._lock:
            self._sweep()
            mine = self._things.setdefault(owner, {})
            _check_room(_sizes(mine), data)
            # A shelf that is full keeps nobody from answering: that an answer was given is a name alone.
            _check_all(sum(sum(_sizes(things)) for things in self._things.values()), data)
            return mine.setdefault(name, thing := (expires, data)) is thing

    def get(self, owner: str, name: str) -> bytes | None:
        """See `Shelf`."""
        thing = self._things.get(owner, {}).get(name)
        return None if thing is None else thing[1]

    def remove(self, owner: str, name: str) -> None:
        """See `Shelf`."""
        with self._lock:
            self._things.get(owner, {}).pop(name, None)

    def _sweep(self) -> None:
        now = self._clock()
        if now - self._swept > _SWEEP_SECONDS:
            kept = {
                owner: {name: thing for name, thing in things.items() if thing[0] > now}
                for owner, things in self._things.items()
            }
            self._things = {owner: things for owner, things in kept.items() if things}
            self._swept = now


class FolderShelf:
    """A shelf of all processes that use one folder. Each thing is a file, and files are never overwritten.

    Args:
        folder: Where; it is made when it is first needed, with a folder for each owner.
        clock: Seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._swept = 0.0
        self._in_all = 0  # bytes, as far as this process knows of others'

    def put(self, owner: str, name: str, data: bytes, expires: float) -> bool:
        """See `Shelf`."""
        path = self._path(owner, name)
        private_folder(self._folder)
        self._sweep()
        private_folder(path.parent)
        _check_room([size for _, size in _files(path.parent)], data)
        _check_all(self._in_all, data)
        try:
            write_new(path, f"{expires:.3f}\n".encode() + data)
        except FileExistsError:
            return False
        except OSError as error:
            raise PolicyError(f"{path} cannot be written: {error.strerror}") from None
        self._in_all += len(data)
        return True

    def get(self, owner: str, name: str) -> bytes | None:
        """See `Shelf`."""
        path = self._path(owner, name)
        try:
            return path.read_bytes().partition(b"\n")[2]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PolicyError(f"{path} cannot be read: {error.strerror}") from None

    def remove(self, owner: str, name: str) -> None:
        """See `Shelf`."""
        with suppress(OSError):  # it is swept away in the end
            self._path(owner, name).unlink()

    def _path(self, owner: str, name: str) -> Path:
        if not _NAME.match(name) or not _OWNER.match(owner):
            raise ValueError(f"not the name of a thing on a shelf: {owner!r}, {name!r}")
        return self._folder / owner / name

    def _sweep(self) -> None:
        now = self._clock()
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        self._in_all = 0
        for folder in self._folder.iterdir():
            if folder.is_dir() and _OWNER.match(folder.name):
                for path, size in _files(folder):
                    self._in_all += 0 if _remove_expired(path, now) else size


def _sizes(things: Mapping[str, tuple[float, bytes]]) -> list[int]:
    return [len(data) for _, data in things.values()]


def _check_room(sizes: Sequence[int], data: bytes) -> None:
    """See that there is room for one thing more, given the sizes of those that there are, 0 for a name alone."""
    with_data = sum(size > 0 for size in sizes)
    if data and (with_data >= MOST_THINGS or sum(sizes) + len(data) > MOST_BYTES):
        raise PolicyError("too many of your confirmations are open; they expire by themselves")
    if not data and len(sizes) - with_data >= MOST_MARKS:
        raise PolicyError("too many of your confirmations were answered; they expire by themselves")


def _check_all(in_all: int, data: bytes) -> None:
    if data and in_all + len(data) > _MOST_BYTES_IN_ALL:
        raise PolicyError("too many confirmations of all callers are open; they expire by themselves")


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    """The things in a folder, with the sizes of their data. Others may take them away meanwhile."""
    for entry in os.scandir(folder):
        if _NAME.match(entry.name):
            with suppress(FileNotFoundError):
                size = entry.stat().st_size
                yield folder / entry.name, size if size > _EMPTY else 0


def _remove_expired(path: Path, now: float) -> bool:
    """Take a thing away if its time is over; whether it is gone."""
    try:
        with path.open("rb") as file:
            first = file.readline(40)
        if not first.endswith(b"\n") or float(first) >= now - _LEEWAY:
            return False
        path.unlink()
    except FileNotFoundError:
        return True  # another process sweeps as well
    except (OSError, ValueError):
        return False  # not ours to judge: it stays, and keeps its name taken
    return True
