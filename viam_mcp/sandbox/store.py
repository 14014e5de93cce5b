"""The fleet's rows: one SQLite database, one transaction per rpc."""

from __future__ import annotations

import random
import secrets
import sqlite3
import string
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from viam_mcp.sandbox.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA_VERSION = 1


class StateError(Exception):
    """The state file cannot be used; the message says why and what to do."""


class Store:
    """A fleet's rows.

    Ids come from `rng`, so that a seeded store gives the same ids every time; secrets never do.

    Args:
        path: The SQLite file that keeps the fleet, or None to keep it in memory.
        rng: Where ids come from.

    Raises:
        StateError: The file is not a fleet of this version.
    """

    def __init__(self, path: Path | None = None, rng: random.Random | None = None) -> None:
        self._rng = rng or random.SystemRandom()
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA synchronous = NORMAL")
            if path is not None:
                self._db.execute("PRAGMA journal_mode = WAL")
            self.is_new = self._open()
        except sqlite3.Error as error:
            raise StateError(f"cannot use the state file {path}: {error}. Give another path or remove the file.") from None

    def _open(self) -> bool:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version == SCHEMA_VERSION:
            return False
        if version or self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise StateError(f"the state file is of version {version}, not {SCHEMA_VERSION}: it is not a fleet of this release.")
        self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        return True

    def close(self) -> None:
        """Close the database; what was committed stays in the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside happens, or, if an exception leaves the block, nothing of it."""
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a query."""
        return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return row

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, *values)
        return None if row is None else row[0]

    def run(self, sql: str, *values: Any) -> int:
        """Execute a statement that changes rows; how many it changed."""
        return self._db.execute(sql, values).rowcount

    def insert(self, table: str, **columns: Any) -> None:
        """Add one row. Table and column names come from this package's code, values from anywhere."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608

    def insert_many(self, table: str, names: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
        """Add many rows that have the same columns."""
        marks = ", ".join("?" * len(names))
        self._db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608

    def new_uuid(self) -> str:
        """An id for everything but locations."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def new_location_id(self) -> str:
        """An id for a location: 10 lowercase alphanumerics."""
        return "".join(self._rng.choices(string.ascii_lowercase + string.digits, k=10))


def new_secret() -> str:
    """A credential that nobody can guess, not even from a seeded store."""
    return secrets.token_urlsafe(24)


def now() -> int:
    """Nanoseconds since 1970 UTC."""
    return time.time_ns()
