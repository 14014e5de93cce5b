"""A newer program brings an older schema up to date, and an older program stops."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from viam_mcp.store import StoreNewer
from viam_mcp.store.database import _schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.store.conftest import Place
    from viam_mcp.store import Store

SECOND = "-- A comment.\nALTER TABLE operations ADD COLUMN note TEXT;\nCREATE TABLE more (a TEXT);\n"


def write(store: Store) -> None:
    store.write(lambda tx: tx.audit.append({"outcome": "done"}))


def program(monkeypatch: pytest.MonkeyPatch, *migrations: str) -> None:
    """Be the program that has these migrations."""
    monkeypatch.setattr(_schema, "migrations", lambda: migrations)
    monkeypatch.setattr(_schema, "current_version", lambda: len(migrations))
    monkeypatch.setattr("viam_mcp.store.database._sqlite.current_version", lambda: len(migrations))


@pytest.fixture
def first() -> Iterator[str]:
    (found,) = _schema.migrations()
    yield found


def test_an_older_schema_is_brought_up_to_date_and_keeps_its_rows(
    own_place: Place, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    old = own_place.open()
    write(old)
    with monkeypatch.context() as patch:
        program(patch, first, SECOND)
        new = own_place.open()
        write(new)
        assert new.read(lambda tx: tx.audit.verify()).lines == 2
        assert own_place.sql("SELECT version FROM schema_version") == [(2,)]
        own_place.sql("SELECT note FROM operations")
    with pytest.raises(StoreNewer, match="schema 2 of a newer viam-mcp"):
        write(old)
    with pytest.raises(StoreNewer):
        old.read(lambda tx: tx.audit.newest())
    with pytest.raises(StoreNewer):
        write(own_place.open())


def test_a_migration_that_fails_changes_nothing(own_place: Place, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    store = own_place.open()
    write(store)
    with monkeypatch.context() as patch:
        program(patch, first, SECOND + "CREATE TABLE audit (a TEXT);\n")
        with pytest.raises(Exception, match=r"failed|has not the tables"):
            write(own_place.open())
    write(store)
    assert own_place.sql("SELECT version FROM schema_version") == [(1,)]
    with pytest.raises(Exception, match="note"):
        own_place.sql("SELECT note FROM operations")


def test_programs_that_migrate_at_once_do_it_once(
    own_place: Place, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    write(own_place.open())
    program(monkeypatch, first, SECOND)
    start, failed = threading.Barrier(5), list[Exception]()

    def begin() -> None:
        store = own_place.open()
        start.wait(30)
        try:
            write(store)
        except Exception as error:
            failed.append(error)

    programs = [threading.Thread(target=begin) for _ in range(5)]
    for one in programs:
        one.start()
    for one in programs:
        one.join(30)
    assert failed == []
    assert own_place.open().read(lambda tx: tx.audit.verify()).lines == 6
