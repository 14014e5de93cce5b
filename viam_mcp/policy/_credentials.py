"""Credentials that are given in a file: written once, readable by the owner, named by the answer."""

from __future__ import annotations

import json
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy._state import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = Any


class Delivery:
    """A file that is ready for a credential before the credential exists, so that none is made and then lost.

    Use it as a context: what was not written is taken away on the way out.

    Args:
        folder: Where the file goes; it is made if it does not exist.
        tool: The tool whose answer it holds.
        clock: The present time, aware.

    Raises:
        PolicyError: The file cannot be made; nothing should be minted then.
    """

    def __init__(self, folder: Path, tool: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        stamp = clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = private_folder(folder) / f"{tool}-{stamp}-{secrets.token_hex(8)}.json"
        self._written = False
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self.path, flags, 0o600), "wb")
        except OSError as error:
            raise PolicyError(f"the file {self.path} for the credential cannot be made: {error.strerror}") from None

    def write(self, data: Json) -> str:
        """Write the answer with its credential.

        Returns:
            A sentence that names the file.

        Raises:
            PolicyError: It cannot be written.
        """
        try:
            self._file.write(json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise PolicyError(f"the credential cannot be written to {self.path}: {error.strerror}") from None
        self._written = True
        return f"The credential is not shown here: it was written to {self.path} on the computer that runs this server."

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()
        if not self._written:
            self.path.unlink(missing_ok=True)
