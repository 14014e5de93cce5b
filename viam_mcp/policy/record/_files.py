"""Files that are written whole or not at all, and lines that are added whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LOCK_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.000_5, 0.02


def write_new(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 that did not exist, so that a crash leaves it whole or not readable as such.

    Raises:
        FileExistsError: It exists.
        OSError: It cannot be written; nothing is left.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    # So that its name survives a crash as well.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def append(descriptor: int, data: bytes) -> None:
    """Write at the end of a file, and have it on the disk.

    Raises:
        OSError: It cannot be written whole; nothing of it is there.
    """
    end = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def lock(descriptor: int, seconds: float = _LOCK_SECONDS) -> None:
    """Have a file to oneself until its descriptor is closed.

    Raises:
        OSError: Another process has had it for that long; whoever waits without end cannot be stopped either.
    """
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise OSError(errno.EAGAIN, f"another process has held it for {seconds:.0f} s") from None
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)
        else:
            return
