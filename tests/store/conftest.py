"""Stores over both databases: every test that takes `place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.server import PostgresServer
from viam_mcp.store import (
    KEYS_VARIABLE,
    GivenAnswer,
    NewOperation,
    Operation,
    SqliteAddress,
    StateKeys,
    Store,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from viam_mcp.store import PostgresAddress

KEY = "5a" * 32
YES = GivenAnswer("accepted", "alice", "form")


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """Where a store is, and everything that a test does there.

    Attributes:
        address: The address.
        server: The PostgreSQL server; None for SQLite.
        environment: The process's variables.
        clock: The clock of its stores.
    """

    address: SqliteAddress | PostgresAddress
    server: PostgresServer | None = None
    environment: dict[str, str] = field(default_factory=lambda: {KEYS_VARIABLE: KEY})
    clock: Clock = field(default_factory=Clock)
    _stores: list[Store] = field(default_factory=list)

    def open(self, **options: Any) -> Store:
        """Open it as another process would."""
        file = self.address.key_file if isinstance(self.address, SqliteAddress) else None
        options = {"clock": self.clock, **options}
        store = Store(self.address, StateKeys(self.environment, file), **options)
        self._stores.append(store)
        return store

    def sql(self, statement: str) -> list[Any]:
        """Run a statement as another program would; its rows."""
        if self.server is not None:
            database = self.address.name.rpartition("/")[2]  # type: ignore[union-attr]
            return self.server.sql(database, statement)
        assert isinstance(self.address, SqliteAddress)
        with closing(sqlite3.connect(self.address.path, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def close(self) -> None:
        """Close all stores."""
        for store in self._stores:
            store.close()


def an_operation(**changes: Any) -> NewOperation:
    """An operation that may be answered for ten minutes from the clock's first time on."""
    fields: dict[str, Any] = {
        "caller": "caller-a",
        "owner": "owner-a",
        "tool": "delete_robot",
        "arguments": '{"robot_id": "m1"}',
        "preview": "Delete machine m1",
        "fingerprint": "f" * 32,
        "rule": "destructive",
        "way": "token",
        "expires": Clock().now + 600,
        "subjects": ("m1",),
    }
    return NewOperation(**{**fields, **changes})


def ask(store: Store, **changes: Any) -> Operation:
    """Store an operation."""
    return store.write(lambda tx: tx.operations.ask(an_operation(**changes)))


def approve(store: Store, operation: Operation) -> Operation:
    """Have an operation approved."""
    return store.write(lambda tx: tx.operations.answer(operation.id, operation.caller, YES, approved=True))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def shared_database(postgres: PostgresServer) -> str:
    """A database that tests use one after the other: to empty its tables is ten times quicker than to make another."""
    name = postgres.new_database()
    store = Store(parse_address(postgres.url(name)), StateKeys({KEYS_VARIABLE: KEY}))
    store.read(lambda tx: tx.now)
    store.close()
    return name


def empty(server: PostgresServer, database: str) -> None:
    """Leave a database as a migration leaves it."""
    tables = server.sql(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'viam_mcp'")
    kept = ("schema_version", "store")
    server.sql(database, "; ".join(f"DELETE FROM {table}" for (table,) in tables if table not in kept))


KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for a store, of each kind."""
    if request.param == "sqlite":
        found = _file_place(tmp_path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        database: str = request.getfixturevalue("shared_database")
        empty(server, database)
        found = Place(parse_address(server.url(database)), server)
    yield found
    found.close()


@pytest.fixture(params=KINDS)
def own_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for a store, of each kind, whose tables a test may change."""
    if request.param == "sqlite":
        found = _file_place(tmp_path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        found = Place(parse_address(server.url(server.new_database())), server)
    yield found
    found.close()


@pytest.fixture
def remote_place(postgres: PostgresServer) -> Iterator[Place]:
    """A place on the PostgreSQL server, whose tables a test may change."""
    found = Place(parse_address(postgres.url(postgres.new_database())), postgres)
    yield found
    found.close()


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Iterator[Place]:
    """A place for a store in a file."""
    found = _file_place(tmp_path)
    yield found
    found.close()


@pytest.fixture
def store(place: Place) -> Store:
    """A store of each kind."""
    return place.open()


def _file_place(folder: Path) -> Place:
    return Place(SqliteAddress(folder / "state" / "state.db", own_folder=True))
