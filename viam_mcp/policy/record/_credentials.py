"""Credentials that are given in a file: written once, readable by the owner, named by the answer."""

from __future__ import annotations

import json
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy.record._state import private_folder
from viam_mcp.tools import redacted, shorten

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from viam_mcp.tools import Spec

Json = Any

_RESERVED = 16_384  # bytes, which the answers that carry a new credential hardly ever need
_LONGEST_ANSWER = 1_000


class Undelivered(Refused):
    """The call was done, and the credential in its answer could not be given."""


class Delivery:
    """A file that is ready for a credential before the credential exists, so that none is made and then lost.

    Its room on the disk is taken from the start. Use it as a context: what was not written is taken away on the
    way out.

    Args:
        folder: Where the file goes; it is made if it does not exist.
        spec: The tool whose answer it holds.
        clock: The present time, aware.

    Raises:
        PolicyError: The file cannot be made; nothing should be minted then.
    """

    def __init__(self, folder: Path, spec: Spec, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        stamp = clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = private_folder(folder) / f"{spec.name}-{stamp}-{secrets.token_hex(8)}.json"
        self._spec = spec
        self._written = False
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise PolicyError(f"the file {self.path} for the credential cannot be made: {error.strerror}") from None
        try:
            self._put(b" " * _RESERVED)
        except OSError as error:
            self.__exit__()
            raise PolicyError(f"there is no room for the credential in {self.path}: {error.strerror}") from None

    def write(self, data: Json) -> str:
        """Write the answer with its credential.

        Returns:
            A sentence that names the file.

        Raises:
            Undelivered: It cannot be written; the message names what there is all the same, and what to do about it.
        """
        content = json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"
        try:
            # What was reserved may be all the room that is left, so it is written over and not replaced.
            self._put(content)
            os.ftruncate(self._descriptor, len(content))
            os.fsync(self._descriptor)
        except OSError as error:
            raise Undelivered(self._lost(data, error)) from None
        self._written = True
        return f"The credential is not shown here: it was written to {self.path} on the computer that runs this server."

    def _put(self, data: bytes) -> None:
        """Write from the start of the file on, and have it on the disk."""
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor, data[done:], done)
        os.fsync(self._descriptor)

    def _lost(self, data: Json, error: OSError) -> str:
        answer = shorten(json.dumps(redacted(data), ensure_ascii=False), _LONGEST_ANSWER)
        remedy = self._spec.remedy or "it can be read again"
        return (
            f"{self._spec.name} WAS DONE, but the credential in its answer is given nowhere, since it cannot be "
            f"written to {self.path} ({error.strerror}). Once there is room, {remedy}. Without the credential it is "
            f"{answer}"
        )

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, *reason: object) -> None:
        os.close(self._descriptor)
        if not self._written:
            self.path.unlink(missing_ok=True)
