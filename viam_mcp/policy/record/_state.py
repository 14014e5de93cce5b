"""The state folder: where what outlasts the process is kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from viam_mcp.policy._errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping


_PRIVATE = 0o700


def state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder: `$XDG_STATE_HOME/viam-mcp`, by default `~/.local/state/viam-mcp`. It may not exist.

    Raises:
        PolicyError: There is no home folder.
    """
    home = environment.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    if home and Path(home).is_absolute():
        return Path(home) / "viam-mcp"
    try:
        return Path.home().absolute() / ".local" / "state" / "viam-mcp"
    except RuntimeError:
        raise PolicyError("there is no place for the state folder: set XDG_STATE_HOME, or HOME") from None


def private_folder(path: Path) -> Path:
    """Return the folder, made if it does not exist, mode 0700.

    Raises:
        PolicyError: It cannot be made, or it is not a folder, or it belongs to somebody else.
    """
    try:
        # Missing folders above it get the same mode; `mkdir(parents=True)` would give them the default mode.
        for folder in [one for one in (*reversed(path.parents), path) if not one.exists()]:
            folder.mkdir(mode=_PRIVATE, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "no folder"
            raise PolicyError(f"the folder {path} cannot be used: it is {kind}")
        if status.st_uid != os.geteuid():
            raise PolicyError(f"the folder {path} cannot be used: it belongs to somebody else")
        if stat.S_IMODE(status.st_mode) != _PRIVATE:
            path.chmod(_PRIVATE)
    except OSError as error:
        raise PolicyError(f"the folder {path} cannot be used: {error.strerror}") from None
    return path
