"""Where a new credential goes instead of the answer: a file of this computer, or the store.

A place is made before the credential exists, so that none is minted that cannot be given.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.to_thread

from viam_mcp.policy._digests import digest
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.tools import redacted, shorten

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from viam_mcp.policy._call import Caller
    from viam_mcp.policy.record._store import LazyStore
    from viam_mcp.store import Store, Transaction
    from viam_mcp.tools import Spec

Json = Any

_RESERVED = 16_384  # bytes, which the answers that carry a new credential hardly ever need
_LONGEST_ANSWER = 1_000


class Undelivered(Refused):
    """The call was done, and the credential in its answer could not be given."""


class Delivery(Protocol):
    """A place for one credential."""

    async def write(self, data: Json) -> str:
        """Write the answer with its credential.

        Returns:
            A sentence that says where it is.

        Raises:
            Undelivered: It cannot be written. The message names the rest of the answer, and what to do.
        """


class Deliveries(Protocol):
    """Makes places for credentials."""

    def new(self, spec: Spec, caller: Caller) -> AbstractAsyncContextManager[Delivery]:
        """Return a place, as a context: a place that nothing was written to is removed at its end.

        Args:
            spec: The tool whose answer it holds.
            caller: For whom.

        Raises:
            PolicyError: There can be none. Nothing should be minted then.
        """


class FileDeliveries:
    """Files of this computer, each readable by its owner alone.

    Args:
        folder: Returns the folder. It is made if it does not exist.
        clock: The present time, aware.
    """

    def __init__(self, folder: Callable[[], Path], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._clock = clock

    @asynccontextmanager
    async def new(self, spec: Spec, caller: Caller) -> AsyncIterator[FileDelivery]:
        """See `Deliveries`."""
        stamp = self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{spec.name}-{stamp}-{secrets.token_hex(8)}.json"
        delivery = await anyio.to_thread.run_sync(lambda: FileDelivery(self._folder() / name, spec))
        try:
            yield delivery
        finally:
            delivery.close()


class FileDelivery:
    """A file whose room on the disk is taken from the start.

    Args:
        path: The file.
        spec: The tool whose answer it holds.

    Raises:
        PolicyError: It cannot be made.
    """

    def __init__(self, path: Path, spec: Spec) -> None:
        self.path = path
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
            self.close()
            raise PolicyError(f"there is no room for the credential in {self.path}: {error.strerror}") from None

    async def write(self, data: Json) -> str:
        """See `Delivery`."""
        content = json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"
        try:
            # A cancellation must not lose a credential that exists.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._replace, content)
        except OSError as error:
            reason = f"it cannot be written to {self.path} ({error.strerror}). Once there is room"
            raise Undelivered(_undelivered(self._spec, data, reason)) from None
        self._written = True
        return f"The credential is not shown here: it was written to {self.path} on the computer that runs this server."

    def close(self) -> None:
        """Close the file, and remove it if nothing was written."""
        os.close(self._descriptor)
        if not self._written:
            self.path.unlink(missing_ok=True)

    def _replace(self, content: bytes) -> None:
        # The reserved room may be all that is left on the disk, so it is overwritten, and not replaced by a new file.
        self._put(content)
        os.ftruncate(self._descriptor, len(content))
        os.fsync(self._descriptor)

    def _put(self, data: bytes) -> None:
        """Write from the start of the file on, and have it on the disk."""
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor, data[done:], done)
        os.fsync(self._descriptor)


class StoreDeliveries:
    """The store, which several computers share: a credential can be fetched once from any of them.

    Args:
        store: The store.
    """

    def __init__(self, store: LazyStore) -> None:
        self._store = store

    @asynccontextmanager
    async def new(self, spec: Spec, caller: Caller) -> AsyncIterator[StoreDelivery]:
        """See `Deliveries`."""
        owner = digest(caller.account)
        reserved = await self._store.write(lambda tx: tx.secrets.reserve(owner, spec.name))
        delivery = StoreDelivery(self._store, reserved, spec)
        try:
            yield delivery
        finally:
            with anyio.CancelScope(shield=True):
                await delivery.close()


class StoreDelivery:
    """A reserved row of the store.

    Args:
        store: The store.
        id: The id of the credential.
        spec: The tool whose answer it holds.
    """

    def __init__(self, store: LazyStore, id: str, spec: Spec) -> None:
        self.id = id
        self._store = store
        self._spec = spec
        self._written = False

    async def write(self, data: Json) -> str:
        """See `Delivery`."""
        content = json.dumps(data, indent=2, ensure_ascii=False)
        try:
            with anyio.CancelScope(shield=True):
                await self._store.write(lambda tx: tx.secrets.fill(self.id, content))
        except PolicyError as error:
            reason = f"it cannot be stored ({error}). Once it can be"
            raise Undelivered(_undelivered(self._spec, data, reason)) from None
        self._written = True
        return (
            "The credential is not shown here: it is in the store of this server. Its operator fetches it, once, with: "
            f"viam-mcp secret take {self.id}"
        )

    async def close(self) -> None:
        """Give the row back if nothing was written."""
        if self._written:
            return
        try:
            await self._store.write(self._discard)
        except PolicyError:
            return  # the store removes it in time

    def _discard(self, tx: Transaction) -> None:
        tx.secrets.discard(self.id)


def deliveries_of(store: LazyStore) -> Deliveries:
    """Return where credentials go: files on one computer, and the store where several computers share one.

    Raises:
        PolicyError: The settings of the store cannot be used.
    """
    from viam_mcp.store import SqliteAddress

    address = store.get().address
    if not isinstance(address, SqliteAddress):
        return StoreDeliveries(store)
    return FileDeliveries(lambda: _secrets_folder(store.get()))


def _secrets_folder(store: Store) -> Path:
    from viam_mcp.store import SqliteAddress, StoreError, private_folder

    assert isinstance(store.address, SqliteAddress)  # noqa: S101 - see deliveries_of
    try:
        return private_folder(store.address.path.parent / "secrets")
    except StoreError as error:
        raise PolicyError(str(error)) from None


def _undelivered(spec: Spec, data: Json, reason: str) -> str:
    """Return what the caller of a tool is told whose credential is lost."""
    answer = shorten(json.dumps(redacted(data), ensure_ascii=False), _LONGEST_ANSWER)
    remedy = spec.remedy or "it can be read again"
    return (
        f"{spec.name} WAS DONE, but the credential in its answer is given nowhere, since {reason}, {remedy}. Without "
        f"the credential it is {answer}"
    )
