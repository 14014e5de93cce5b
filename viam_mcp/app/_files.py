"""Write files whole or not at all."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["write_file"]


async def write_file(dest: str, text: str) -> None:
    """Write `text` to the file at `dest`, readable by its owner alone, without blocking the event loop.

    Raises:
        OSError: If that fails; what was there before is still there then.
    """
    await asyncio.to_thread(_write, Path(dest), text)


def _write(dest: Path, text: str) -> None:
    # The draft is in the same folder, since a rename is atomic only within one file system. Its mode is 0600.
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
