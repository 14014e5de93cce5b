"""Where things are kept that outlast the process: the audit, delivered credentials, spent confirmations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from viam_mcp.policy._errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """The state folder: `$XDG_STATE_HOME/viam-mcp`, by default `~/.local/state/viam-mcp`. It may not exist yet."""
    home = environment.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "viam-mcp"


def private_folder(path: Path) -> Path:
    """The folder, made if it does not exist, readable by its owner alone.

    Raises:
        PolicyError: It cannot be made, or it is something else.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise PolicyError(f"the folder {path} cannot be used: {error.strerror}") from None
    return path
