"""A store in a SQLite file, which several processes of one computer share.

Write-ahead logging, so that who reads holds up nobody who writes. One transaction writes at a time: threads of this
process take turns by a lock, which is quicker and fairer than SQLite's own waiting, and processes by SQLite's.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from viam_mcp.store._errors import (
    StoreCorrupted,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreOlder,
    StoreReadOnly,
    StoreUnavailable,
)
from viam_mcp.store.database._folder import check_folder, private_file, private_folder
from viam_mcp.store.database._schema import current_version, migrate, read_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from viam_mcp.store._records import Timeouts
    from viam_mcp.store.database._address import SqliteAddress
    from viam_mcp.store.database._database import Row

_OLDEST = (3, 35, 0)  # the first with RETURNING
_MOST_READERS = 8
_APPLICATION_ID = 0x5669_4D43  # "ViMC": https://sqlite.org/fileformat2.html#application_id


class SqliteConnection:
    """See `Connection`."""

    for_update = ""
    skip_locked = ""

    def __init__(self, raw: sqlite3.Connection, now: int) -> None:
        self._raw = raw
        self.now = now

    def execute(self, sql: str, /, **values: Any) -> list[Row]:
        """See `Connection`."""
        return self._raw.execute(sql, values).fetchall()

    def change(self, sql: str, /, **values: Any) -> int:
        """See `Connection`."""
        return self._raw.execute(sql, values).rowcount

    def insert(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        """See `Connection`."""
        self._raw.executemany(sql, rows)

    def tidy(self) -> None:
        """See `Connection`."""

    def stream(self, sql: str, /, **values: Any) -> Iterator[Row]:
        """See `Connection`."""
        with closing(self._raw.cursor()) as cursor:
            yield from cursor.execute(sql, values)


class SqliteDatabase:
    """A SQLite file. See `Database`.

    Args:
        address: Where it is.
        timeouts: How long to wait.
        clock: Seconds since 1970.
    """

    def __init__(self, address: SqliteAddress, timeouts: Timeouts, clock: Callable[[], float] = time.time) -> None:
        self._path = address.path
        self._log = address.path.with_name(address.path.name + "-wal")
        self._own_folder = address.own_folder
        self._timeouts = timeouts
        self._clock = clock
        self._writer: sqlite3.Connection | None = None
        self._write_lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._files: dict[Path, tuple[int, int] | None] = {}

    def open(self) -> None:
        """See `Database`."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreOlder(
                f"SQLite {sqlite3.sqlite_version} is too old, the store needs 3.35 or newer: use a newer Python, "
                "or a PostgreSQL server with --store"
            )
        if self._own_folder:
            private_folder(self._path.parent)
        else:
            check_folder(self._path.parent)
        private_file(self._path, create=True)
        for suffix in ("-wal", "-shm"):
            private_file(self._path.with_name(self._path.name + suffix), create=False)
        with self._errors():
            self._writer = self._connect()
            self._files = {self._path: _identity(self._path)}
            self._prepare(self._writer)

    @contextmanager
    def writing(self) -> Iterator[SqliteConnection]:
        """See `Database`."""
        if not self._write_lock.acquire(timeout=self._timeouts.transaction):
            raise StoreLocked(f"{self._path} was busy for {self._timeouts.transaction:.0f} s; try again")
        try:
            with self._errors():
                raw = self._open_writer()
                self._check_files()
                raw.execute("BEGIN IMMEDIATE")
                self._remember(self._log)
                try:
                    connection = SqliteConnection(raw, self._now())
                    read_version(connection)
                    yield connection
                    raw.execute("COMMIT")
                finally:
                    # A failed COMMIT may have ended the transaction or not.
                    if raw.in_transaction:
                        raw.execute("ROLLBACK")
        finally:
            self._write_lock.release()

    @contextmanager
    def reading(self) -> Iterator[SqliteConnection]:
        """See `Database`."""
        with self._errors():
            self._open_writer()
            self._check_files()
            try:
                raw = self._readers.pop()
            except IndexError:
                raw = self._connect()
            try:
                raw.execute("BEGIN")
                connection = SqliteConnection(raw, self._now())
                read_version(connection)
                yield connection
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
                if len(self._readers) < _MOST_READERS and self._writer is not None:
                    self._readers.append(raw)
                else:
                    raw.close()

    def close(self) -> None:
        """See `Database`."""
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, []
        for raw in (*readers, writer):
            if raw is not None:
                raw.close()

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            raise StoreUnavailable(f"the store {self._path} is closed")
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        raw = sqlite3.connect(
            self._path,
            isolation_level=None,  # transactions begin and end where this module says
            timeout=self._timeouts.statement,
            check_same_thread=False,
        )
        try:
            # A commit is on the disk when it returns.
            raw.execute("PRAGMA synchronous = FULL")
            # Nothing in the file may run code when it is read.
            raw.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            raw.close()
            raise
        return raw

    def _prepare(self, raw: sqlite3.Connection) -> None:
        """Bring a file to what this program needs, beside others that do the same."""
        (mode,) = raw.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreUnavailable(
                f"the file system of {self._path} cannot be shared by several processes (no write-ahead log): "
                "name a local folder with XDG_STATE_HOME or --store"
            )
        if self._is_current(raw):
            return
        raw.execute("BEGIN IMMEDIATE")
        try:
            connection = SqliteConnection(raw, self._now())
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master")[0]
            if tables and not self._is_ours(raw):
                raise StoreCorrupted(
                    f"{self._path} is the database of another program: give another place with --store"
                )
            migrate(connection, is_empty=not tables)
            raw.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            raw.execute("COMMIT")
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    def _is_ours(self, raw: sqlite3.Connection) -> bool:
        return bool(raw.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID)

    def _is_current(self, raw: sqlite3.Connection) -> bool:
        """Tell whether there is nothing to migrate, without waiting for who writes."""
        return self._is_ours(raw) and read_version(SqliteConnection(raw, 0)) == current_version()

    def _check_files(self) -> None:
        """Check that the files by these names are those that are open.

        Raises:
            StoreCorrupted: They were removed or exchanged.
        """
        for path, known in self._files.items():
            if _identity(path) != known:
                raise StoreCorrupted(
                    f"{path} was removed or exchanged while this program used it: put it back, "
                    "or restart to go on with what is there now"
                )

    def _remember(self, path: Path) -> None:
        """Note which file is open by this name. SQLite keeps both files as long as a connection is open."""
        if path not in self._files:
            self._files = {**self._files, path: _identity(path)}

    def _now(self) -> int:
        return int(self._clock() * 1000)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Inside, errors of SQLite become the store's."""
        try:
            yield
        except sqlite3.Error as error:
            raise _store_error(self._path, error) from None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """Return the store's error for one of SQLite. https://sqlite.org/rescode.html"""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return StoreUnavailable(f"the store {path} cannot be used ({error}); restart this program")
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreLocked(f"another program holds {path}; end it, or try again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return StoreReadOnly(
                f"{path} cannot be written; set XDG_STATE_HOME to a folder that can be, or name another with --store"
            )
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"there is no room for {path}; make some, or name another place with --store")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return StoreCorrupted(
                f"{path} is damaged, or no SQLite database; restore it from a backup, or move it away"
            )
        case sqlite3.SQLITE_ERROR | sqlite3.SQLITE_SCHEMA:
            return StoreCorrupted(f"{path} has not the tables of its version ({error}); restore it from a backup")
        case sqlite3.SQLITE_TOOBIG:
            return StoreFull(f"a value is too large for {path}; ask for less at once")
        case sqlite3.SQLITE_IOERR:
            return StoreUnavailable(
                f"{path} cannot be read or written (its disk fails or is full); look after the disk"
            )
    return StoreError(f"the store {path} failed ({error})")
