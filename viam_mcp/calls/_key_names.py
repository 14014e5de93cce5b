"""Where the key of a caller is kept on this computer."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.app import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_KEY_CHARACTERS = 4_096


class KeyProblem(Exception):  # noqa: N818 - KeyError is taken
    """A key cannot be read. The message says which, and what to do."""


@dataclass(frozen=True)
class KeyName:
    """Where the key of a caller is. The key itself is not in the file of callers.

    Attributes:
        api_key_id: The key's id.
        variable: The environment variable that holds the key; empty if a file does.
        file: The file that holds the key, and nothing else.
    """

    api_key_id: str
    variable: str = ""
    file: Path | None = None

    def read(self, environment: Mapping[str, str] = os.environ) -> Credentials:
        """Return the key as it is now: a file may be replaced while the server runs.

        Raises:
            KeyProblem: It is missing, or others can read it.
        """
        if self.file is None:
            key = environment.get(self.variable, "").strip()
            where = f"the variable {self.variable}"
        else:
            key, where = _read(self.file), f"the file {self.file}"
        if not key:
            raise KeyProblem(f"{where} holds no key")
        return Credentials(self.api_key_id, key)


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyProblem(f"others than its owner can read the file {path} with a key: chmod 600 {path}")
        return path.read_text()[:MAX_KEY_CHARACTERS].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyProblem(
            f"the file {path} with a key cannot be read: {getattr(error, 'strerror', 'not text')}"
        ) from None
