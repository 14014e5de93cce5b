"""Where the audit of a command is, and whether it can be written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from viam_mcp.policy import default_audit

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.assembly.settings import Settings


def audit_file(settings: Settings) -> Path:
    """Return the path of the audit file, which may not exist yet."""
    return settings.audit or default_audit()


def unwritable(path: Path) -> str | None:
    """Return why an audit file cannot be appended to, or None if it can. Writes and makes nothing."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        # Missing folders are made together with the file, so the nearest folder that exists decides.
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        return None if writable else f"nothing can be made in {folder}"
    except OSError as error:
        return error.strerror
    return None
