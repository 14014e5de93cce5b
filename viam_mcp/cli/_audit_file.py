"""The audit file of a command, and whether lines can be added to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from viam_mcp.policy import default_audit

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.assembly.settings import Settings


def audit_file(settings: Settings) -> Path:
    """Where the audit is, which may not exist yet."""
    return settings.audit or default_audit()


def unwritable(path: Path) -> str | None:
    """Why lines cannot be added to an audit; None if they can. Nothing is written, and no file made."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        # Folders that are missing are made with it, so the nearest one that there is decides.
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        return None if writable else f"nothing can be made in {folder}"
    except OSError as error:
        return error.strerror
    return None
