"""Versions of the schema: one numbered file of SQL each, which both databases take as it is.

`BIGINT`, `TEXT` and `BYTEA` mean to SQLite what they mean to PostgreSQL, and both undo a migration that fails. So a
file has no branches for a database, and nothing is needed that computes differences.
"""

from __future__ import annotations

import secrets
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from viam_mcp.store._errors import StoreCorrupted, StoreNewer

if TYPE_CHECKING:
    from viam_mcp.store.database._database import Connection


@cache
def migrations() -> tuple[str, ...]:
    """Return the SQL of every version, the first one first."""
    folder = files("viam_mcp.store.database") / "migrations"
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return tuple(one.read_text(encoding="utf-8") for one in found)


@cache
def current_version() -> int:
    """Return the version that this program works with."""
    return len(migrations())


def migrate(connection: Connection, *, is_empty: bool) -> None:
    """Bring the schema up to date, inside a transaction that no other program migrates beside.

    Args:
        connection: The transaction.
        is_empty: Whether the database has no tables at all.

    Raises:
        StoreNewer: The schema is that of a newer program.
    """
    version = 0 if is_empty else read_version(connection)
    for sql in migrations()[version:]:
        for statement in _statements(sql):
            connection.execute(statement)
    if is_empty:
        connection.execute("INSERT INTO schema_version (version) VALUES (0)")
        connection.execute(
            "INSERT INTO store (id, created) VALUES (:id, :now)", id=secrets.token_hex(16), now=connection.now
        )
    if version < current_version():
        connection.execute("UPDATE schema_version SET version = :version", version=current_version())


def read_version(connection: Connection) -> int:
    """Return the version of the schema, which this program may be too old for.

    Raises:
        StoreNewer: It is.
        StoreCorrupted: There is none.
    """
    rows = connection.execute("SELECT version FROM schema_version")
    if len(rows) != 1:
        raise StoreCorrupted("the store does not say which version it has: restore it from a backup, or move it away")
    return check_version(rows[0][0])


def check_version(version: int) -> int:
    """Return the version of a schema that this program can work with.

    Raises:
        StoreNewer: It cannot.
    """
    if version > current_version():
        raise StoreNewer(
            f"the store has the schema {version} of a newer viam-mcp, and this one knows {current_version()}: "
            "update this one, or give it another place with --store"
        )
    return version


def _statements(sql: str) -> list[str]:
    lines = (line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip()]
