"""The store as the policy uses it: opened by its first use, and with errors that the gate can word."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from viam_mcp.policy._errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from viam_mcp.store import Store, Transaction

T = TypeVar("T")

logger = logging.getLogger("viam_mcp.policy")


class LazyStore:
    """A store that is imported and opened by its first use: a server that only reads does neither.

    Args:
        open_store: Imports and returns the store.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self._store: Store | None = None
        self._lock = threading.Lock()
        self._is_failing = False

    def get(self) -> Store:
        """Return the store.

        Raises:
            PolicyError: The settings of the store cannot be used.
        """
        with self._lock:
            if self._store is None:
                with self._wording_errors():
                    self._store = self._open_store()
            return self._store

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Return what a function returns that reads and writes in one transaction.

        What it raises undoes the transaction. It may be called more than once.

        Raises:
            PolicyError: The store cannot be used. Nothing was written.
        """
        store = self.get()
        with self._wording_errors():
            result = await store.write_async(work)
        self._note_success()
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Return what a function returns that reads one consistent state.

        Raises:
            PolicyError: The store cannot be used.
        """
        store = self.get()
        with self._wording_errors():
            result = await store.read_async(work)
        self._note_success()
        return result

    def close(self) -> None:
        """Close the store, if it was opened. The next use opens another."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    async def aclose(self) -> None:
        """Call `close` in a thread, also where the caller is cancelled."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    @contextmanager
    def _wording_errors(self) -> Iterator[None]:
        """Inside, an error of the store becomes a PolicyError. The log says so once, until the store works again."""
        from viam_mcp.store import StoreError

        try:
            yield
        except StoreError as error:
            if not self._is_failing:
                self._is_failing = True
                logger.warning("nothing that changes something runs, since the store cannot be used: %s", error)
            raise PolicyError(str(error)) from None

    def _note_success(self) -> None:
        if self._is_failing:
            self._is_failing = False
            logger.warning("the store can be used again")
