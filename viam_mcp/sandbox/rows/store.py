"""The fleet's rows: one SQLite database, one transaction per rpc."""

from __future__ import annotations

import random
import secrets
import sqlite3
import string
import time
import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from viam_mcp.sandbox.rows.schema import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SCHEMA_VERSION", "FleetStore", "StateError", "new_api_key", "new_secret", "now"]

SCHEMA_VERSION = len(STEPS)

_ANOTHER = "Give another path, or move the file away."
_LOCK_WAIT = 0.1  # seconds; a sandbox that has the file locked keeps it until it stops


class StateError(Exception):
    """The state file cannot be used; the message says why and what to do."""


class FleetStore:
    """A fleet's rows.

    Args:
        path: The SQLite file that keeps the fleet, or None to keep it in memory.

    Raises:
        StateError: The file is not a fleet of this version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._rng: random.Random = random.SystemRandom()
        try:
            if path is not None:
                # The file holds credentials, so no other user may read it, not even while it is empty.
                path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=_LOCK_WAIT)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None
        try:
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA synchronous = NORMAL")
            if path is not None:
                # A second process on the same file would have other access tokens and other live logs.
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._open(path)
        except (OSError, sqlite3.Error) as error:
            self._db.close()
            raise _unusable(path, error) from None
        except StateError:
            self._db.close()
            raise

    def _open(self, path: Path | None) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        new = version == 0 and self._db.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        if not new and not (0 < version <= SCHEMA_VERSION and _columns(self._db) >= _fleet_columns(version)):
            raise StateError(
                f"the state file {path} is of version {version}, not {SCHEMA_VERSION}, or of another program: it is no"
                f" fleet of this release. {_ANOTHER}"
            )
        if path is not None:
            _close_to_others(path)
            self._db.execute("PRAGMA journal_mode = WAL")
        if version < SCHEMA_VERSION:
            steps = "".join(STEPS[version:])
            self._db.executescript(f"BEGIN; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def copy(self) -> FleetStore:
        """Return a copy of the fleet in memory."""
        twin = FleetStore()
        self._db.backup(twin._db)
        return twin

    def close(self) -> None:
        """Close the database; what was committed stays in the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Return a context whose writes are committed together, or rolled back if an exception leaves it."""
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Return every row of a query."""
        return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return row

    def value(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, *values)
        return None if row is None else row[0]

    def run(self, sql: str, *values: Any) -> int:
        """Execute a statement that changes rows. Return how many it changed."""
        return self._db.execute(sql, values).rowcount

    def insert(self, table: str, **columns: Any) -> None:
        """Add one row. Table and column names come from this package's code, values from anywhere."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608

    def insert_many(self, table: str, names: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
        """Add many rows that have the same columns."""
        marks = ", ".join("?" * len(names))
        self._db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608

    @contextmanager
    def ids_from(self, rng: random.Random) -> Iterator[None]:
        """Return a context in which new ids come from `rng`: the same every time if it is seeded. Secrets never do."""
        self._rng, before = rng, self._rng
        try:
            yield
        finally:
            self._rng = before

    def new_uuid(self) -> str:
        """Return a new id, for everything but locations."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def new_location_id(self) -> str:
        """Return a new id for a location: 10 lowercase alphanumerics."""
        return "".join(self._rng.choices(string.ascii_lowercase + string.digits, k=10))


def _columns(database: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return pairs of table and column, for all columns of all tables."""
    tables = "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
    return {(table, column) for table, column in database.execute(tables)}


def _fleet_columns(version: int) -> set[tuple[str, str]]:
    """Return the same for a fleet of a version of the schema."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("".join(STEPS[:version]))
        return _columns(database)


def _close_to_others(path: Path) -> None:
    """Take the file from the other users of this computer, now that it is known to be a fleet's."""
    # SQLite's files beside it were made with its mode.
    for file in (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))):
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def _unusable(path: Path | None, error: Exception) -> StateError:
    # The lowest byte is the primary result code.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        return StateError(f"another sandbox uses the state file {path}: stop it, or give another path.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StateError(f"cannot use the state file {path}: {reason}. {_ANOTHER}")


def new_api_key() -> str:
    """Return the value of a new API key. It cannot be guessed, and is plainly not a real fleet's."""
    return f"sandbox-{secrets.token_urlsafe(18)}"


def new_secret() -> str:
    """Return a new credential, which cannot be guessed even from a seeded store."""
    return secrets.token_urlsafe(24)


def now() -> int:
    """Return the present time in nanoseconds since 1970 UTC."""
    return time.time_ns()
