"""The store: transactions over everything that outlasts a call.

```python
store = open_store(None, os.environ)


def begin(tx: Transaction) -> Run:
    tx.budgets.take({"night shift": 20})
    run = tx.runs.start(entry, operation.id, caller)
    tx.audit.append({**entry, "outcome": "started", "call": run.id})
    return run


run = await store.write_async(begin)
```

Everything that one function does with its transaction takes effect together, or not at all.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from viam_mcp.store._errors import StoreCorrupted, StoreError, UnknownKeyError
from viam_mcp.store._heart import Heart
from viam_mcp.store._keys import StateKeys, open_keys
from viam_mcp.store._records import RoomLimits, Timeouts
from viam_mcp.store.audit._audit import Audit
from viam_mcp.store.audit._chain import Head, first_head
from viam_mcp.store.audit._checkpoints import make_checkpoint
from viam_mcp.store.audit._copies import as_text, parse_sink
from viam_mcp.store.database._address import PostgresAddress, SqliteAddress, parse_address
from viam_mcp.store.database._database import Again
from viam_mcp.store.rows._budgets import Budgets
from viam_mcp.store.rows._operations import Operations
from viam_mcp.store.rows._runs import Runs
from viam_mcp.store.rows._secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from viam_mcp.store._keys import KeyRing
    from viam_mcp.store._records import AuditLine
    from viam_mcp.store.audit._copies import Sink
    from viam_mcp.store.database._address import Address
    from viam_mcp.store.database._database import Connection, Database

T = TypeVar("T")

logger = logging.getLogger("viam_mcp.store")

_THREADS = 16
_SWEEP_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("viam_mcp.store.limiter")


class Transaction:
    """What one function may do with a store, all of it or nothing.

    Attributes:
        now: The time of the transaction. Where several computers share a database, it is the database's.
        operations: Calls that wait for an answer, and what became of them.
        runs: Calls that have begun.
        budgets: How many calls may run.
        secrets: Credentials that wait to be fetched.
        audit: What happened.
    """

    def __init__(
        self, connection: Connection, opened: _Opened, holder: str, rooms: RoomLimits, lease: float, known: Head | None
    ) -> None:
        milliseconds = int(lease * 1000)
        self.now = connection.now / 1000
        self.audit = Audit(connection, opened.keys, opened.id, known)
        self.operations = Operations(connection, opened.keys, rooms, milliseconds)
        self.runs = Runs(connection, self.operations, self.audit, holder, milliseconds)
        self.budgets = Budgets(connection)
        self.secrets = Secrets(connection, opened.keys)
        self._connection = connection

    def sweep(self) -> None:
        """Forget what is over, and mark what processes that have gone have left behind."""
        self.operations.sweep()
        self.runs.sweep()
        self.secrets.sweep()
        self._connection.tidy()


class _Opened:
    """What is read once when a store is opened."""

    def __init__(self, id: str, keys: KeyRing) -> None:
        self.id = id
        self.keys = keys


class Store:
    """A store. It is opened by its first use, so that a program that never writes never waits for it.

    Every method may be called from any thread and process. Methods raise `StoreError`s, each of which says what to do;
    after one, nothing of the transaction has happened (but see `CommitUnknown`).

    Args:
        address: Where it is.
        state_keys: What encrypts its keys.
        clock: Seconds since 1970; None for this computer's clock, or the clock of the database server.
        timeouts: How long to wait for the database.
        rooms: How much open operations may take.
        observers: Each is told of the lines of the audit of every transaction, once it has taken effect.
        checkpoints: Where checkpoints go; None for nowhere.
        checkpoint_lines: How many lines lie between two of them.
    """

    def __init__(
        self,
        address: Address,
        state_keys: StateKeys,
        *,
        clock: Callable[[], float] | None = None,
        timeouts: Timeouts | None = None,
        rooms: RoomLimits | None = None,
        observers: Iterable[Callable[[list[AuditLine]], None]] = (),
        checkpoints: Sink | None = None,
        checkpoint_lines: int = 1_000,
    ) -> None:
        self.address = address
        self._state_keys = state_keys
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._rooms = rooms or RoomLimits()
        self._observers = list(observers)
        self._checkpoints = checkpoints
        self._checkpoint_lines = checkpoint_lines
        self._holder = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._opened: _Opened | None = None
        self._known: Head | None = None
        self._is_closed = False
        self._swept: float | None = None
        self._heart = Heart(self._timeouts.lease / 4, self._beat)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Return what a function returns that may read and write. What it does takes effect when it returns.

        The function may be called more than once, where the database undid the first try. So it must do nothing
        besides what it does with its transaction.
        """
        result, lines = self._write(work)
        if lines:
            self._tell(lines)
        self._sweep_sometimes()
        return result

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Return what a function returns that reads one consistent state."""
        _, opened = self._open()
        try:
            return self._read(work)
        except UnknownKeyError:
            self._read_keys_again(opened)
            return self._read(work)

    async def write_async(self, work: Callable[[Transaction], T]) -> T:
        """Call `write` in a thread. A cancellation waits until the transaction has ended one way or the other."""
        return await anyio.to_thread.run_sync(self.write, work, limiter=_thread_limiter())

    async def read_async(self, work: Callable[[Transaction], T]) -> T:
        """Call `read` in a thread."""
        return await anyio.to_thread.run_sync(self.read, work, limiter=_thread_limiter())

    def observe(self, observer: Callable[[list[AuditLine]], None]) -> None:
        """Have somebody else told of the lines of the audit."""
        self._observers.append(observer)

    def close(self) -> None:
        """Write a last checkpoint, if this process wrote to the audit, and close the database."""
        self._heart.stop()
        database = self._database
        if database is None or self._is_closed:
            return
        self._is_closed = True
        try:
            if self._known is not None and self._opened is not None:
                self._write_checkpoint(self._known)
            with suppress(StoreError):
                self._write(lambda tx: tx.runs.leave())
        finally:
            if self._checkpoints is not None:
                self._checkpoints.close()
            database.close()

    def _write(self, work: Callable[[Transaction], T]) -> tuple[T, list[AuditLine]]:
        """Do what `write` does, and return the lines that were written to the audit too."""
        deadline = time.monotonic() + self._timeouts.transaction
        pause = _FIRST_PAUSE
        while True:
            database, opened = self._open()
            try:
                with database.writing() as connection:
                    tx = self._transaction(connection, opened)
                    result = work(tx)
                    written = tx.audit.write()
            except Again as again:
                if time.monotonic() + pause > deadline:
                    raise again.reason from None
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that two do not meet again
                pause = min(_LONGEST_PAUSE, 2 * pause)
            except UnknownKeyError:
                self._read_keys_again(opened)
            else:
                self._heart.count(tx.runs.begun)
                if written is None:
                    return result, []
                head, lines = written
                self._remember(head)
                return result, lines

    def _read(self, work: Callable[[Transaction], T]) -> T:
        database, opened = self._open()
        with database.reading() as connection:
            return work(self._transaction(connection, opened))

    def _transaction(self, connection: Connection, opened: _Opened) -> Transaction:
        return Transaction(connection, opened, self._holder, self._rooms, self._timeouts.lease, self._known)

    def _open(self) -> tuple[Database, _Opened]:
        if self._database is not None and self._opened is not None:
            return self._database, self._opened
        with self._lock:
            if self._database is None:
                if isinstance(self.address, PostgresAddress):
                    # A key that is missing is said whether the server can be reached or not.
                    self._state_keys.load()
                database = self._new_database()
                try:
                    database.open()
                except BaseException:
                    database.close()
                    raise
                self._database = database
            if self._opened is None:
                with self._database.writing() as connection:
                    self._opened = _prepare(connection, self._state_keys)
            return self._database, self._opened

    def _read_keys_again(self, old: _Opened) -> None:
        """Read the keys that another program has added.

        Raises:
            UnknownKeyError: There are none that this program did not know.
        """
        database, _ = self._open()
        with database.writing() as connection:
            opened = _prepare(connection, self._state_keys)
        if opened.keys.current.id == old.keys.current.id:
            raise UnknownKeyError("a row of the store has a key that is not there: restore the store from a backup")
        with self._lock:
            self._opened = opened

    def _new_database(self) -> Database:
        # Imported here: each takes time that a program without this kind of store, or with nothing to store, saves.
        if isinstance(self.address, PostgresAddress):
            from viam_mcp.store.database._postgres import PostgresDatabase

            return PostgresDatabase(self.address, self._timeouts, self._clock)
        from viam_mcp.store.database._sqlite import SqliteDatabase

        return SqliteDatabase(self.address, self._timeouts, self._clock or time.time)

    def _remember(self, head: Head) -> None:
        with self._lock:
            if self._known is None or head.number > self._known.number:
                self._known = head

    def _tell(self, lines: list[AuditLine]) -> None:
        for observer in self._observers:
            observer(lines)
        last = lines[-1].number
        if last // self._checkpoint_lines > (lines[0].number - 1) // self._checkpoint_lines:
            self._write_checkpoint(Head(last, int(lines[-1].time * 1000), bytes.fromhex(lines[-1].hash)))

    def _write_checkpoint(self, head: Head) -> None:
        if self._checkpoints is not None and self._opened is not None:
            self._checkpoints.write(make_checkpoint(head, self._opened.id, self._opened.keys).as_json())

    def _sweep_sometimes(self) -> None:
        """Forget what is over, and mark what processes that have gone have left behind."""
        now = time.monotonic()
        with self._lock:
            if self._swept is not None and now - self._swept < _SWEEP_SECONDS:
                return
            self._swept = now
        try:
            self.sweep()
        except StoreError as error:
            logger.warning("the store could not be tidied: %s", error)

    def sweep(self) -> None:
        """Forget what is over, and mark what processes that have gone have left behind. Happens by itself."""

        def work(tx: Transaction) -> None:
            tx.sweep()

        _, lines = self._write(work)
        if lines:
            self._tell(lines)

    def _beat(self) -> None:
        with suppress(StoreError):
            self._write(lambda tx: tx.runs.renew())


def _prepare(connection: Connection, state_keys: StateKeys) -> _Opened:
    """Read what is read once, inside a writing transaction."""
    # Locked, so that of several programs that open a new store one makes the keys.
    stores = connection.execute("SELECT id FROM store" + connection.for_update)
    if len(stores) != 1:
        raise StoreCorrupted("the store was changed by another program: restore it from a backup")
    ((store_id,),) = stores
    is_new = not connection.execute("SELECT id FROM keys")
    keys = open_keys(connection, state_keys)
    if is_new:
        first_head(keys.current, store_id, connection)
    return _Opened(store_id, keys)


def open_store(
    text: str | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    audit_log: str | None = None,
    checkpoints: str | None = None,
) -> Store:
    """Return the store that settings name. Nothing is opened or written yet.

    Args:
        text: Where it is: `postgresql://…`, or a file; None for `state.db` in the state folder.
        environment: The process's variables: where the state folder is, and the state keys.
        audit_log: Where a live copy of the audit goes: a file, or `-` for standard error; None for nowhere.
        checkpoints: Where checkpoints go: a file, `-` for standard error, or an address on the web. None for
            `checkpoints.jsonl` beside a SQLite file, and standard error otherwise.

    Raises:
        StoreAddressError: A setting cannot be used.
    """
    address = parse_address(text, environment)
    if checkpoints is None:
        file = checkpoint_file(address)
        checkpoints = "-" if file is None else str(file)
    store = Store(
        address,
        StateKeys(environment, address.key_file if isinstance(address, SqliteAddress) else None),
        checkpoints=parse_sink(checkpoints, urls=True),
    )
    if audit_log is not None:
        sink = parse_sink(audit_log)
        store.observe(lambda lines: sink.write("\n".join(map(as_text, lines))))
    return store


def checkpoint_file(address: Address, checkpoints: str | None = None) -> Path | None:
    """Return the file that checkpoints go to; None if they go elsewhere.

    Args:
        address: Where the store is.
        checkpoints: The setting; None for the default.
    """
    if checkpoints is None:
        return address.path.with_name("checkpoints.jsonl") if isinstance(address, SqliteAddress) else None
    return None if checkpoints == "-" or "://" in checkpoints else Path(checkpoints).absolute()


def _thread_limiter() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_THREADS)
        _limiter.set(limiter)
        return limiter
