"""Files: written whole or not at all, read piece by piece."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path


async def write_file(dest: str, text: str) -> None:
    """Put `text` into the file at `dest`, readable by its owner alone, without blocking the event loop.

    Raises:
        OSError: If that fails; what was there before is still there then.
    """
    await asyncio.to_thread(_write, Path(dest), text)


def _write(dest: Path, text: str) -> None:
    # In the same folder, since a file is only replaced at one stroke within its file system; mode 0600.
    handle, draft = tempfile.mkstemp(dir=dest.parent, prefix=f".{dest.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(dest)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(draft).unlink()
        raise
