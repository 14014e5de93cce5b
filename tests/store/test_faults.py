"""What a store says when it cannot be used, on both databases."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.store.conftest import KEY, Place, approve, ask, empty
from viam_mcp.store import (
    KEYS_VARIABLE,
    StateKeys,
    Store,
    StoreAddressError,
    StoreCorrupted,
    StoreFull,
    StoreLocked,
    StoreNewer,
    StoreOlder,
    StoreReadOnly,
    StoreSlow,
    StoreUnavailable,
    Timeouts,
    open_store,
    parse_address,
)
from viam_mcp.store.database import _postgres, _sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.store.server import PostgresServer
    from viam_mcp.store import Transaction

QUICK = Timeouts(connect=2, statement=0.5, transaction=2)


def write(store: Store) -> None:
    store.write(lambda tx: tx.audit.append({"outcome": "done"}))


def lines(store: Store) -> int:
    return store.read(lambda tx: len(tx.audit.newest()))


@contextmanager
def without_root() -> Iterator[None]:
    """Inside, this process may only what any user may. A store's threads are this one."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


# Any database.


def test_a_newer_schema_is_refused_at_the_start_and_while_running(place: Place) -> None:
    running = place.open()
    write(running)
    place.sql("UPDATE schema_version SET version = 99")
    try:
        for store in (running, place.open()):
            with pytest.raises(StoreNewer, match="update this one"):
                write(store)
            with pytest.raises(StoreNewer):
                lines(store)
    finally:
        place.sql("UPDATE schema_version SET version = 1")
    write(running)
    assert lines(running) == 2


def test_a_database_without_its_tables_is_said_to_be_damaged(own_place: Place) -> None:
    store = own_place.open()
    write(store)
    own_place.sql("DROP TABLE audit_head")
    with pytest.raises(StoreCorrupted, match=r"restore a backup|restore it from a backup"):
        write(store)


def test_a_closed_store_says_so(place: Place) -> None:
    store = place.open()
    write(store)
    store.close()
    for use in (write, lines):
        with pytest.raises(StoreUnavailable, match="closed"):
            use(store)


def test_a_database_that_is_too_old_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sqlite, "_OLDEST", (99, 0, 0))
    monkeypatch.setattr(_postgres, "_OLDEST", 990_000)
    with pytest.raises(StoreOlder, match="too old"):
        write(place.open())


def test_a_store_that_failed_to_open_opens_when_it_can(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = place.open()
    with monkeypatch.context() as patch:
        patch.setattr(_sqlite, "_OLDEST", (99, 0, 0))
        patch.setattr(_postgres, "_OLDEST", 990_000)
        with pytest.raises(StoreOlder):
            write(store)
    write(store)
    assert lines(store) == 1


def test_another_program_that_holds_the_database_is_waited_for_and_then_named(place: Place) -> None:
    store = place.open(timeouts=QUICK)
    write(store)
    with held(place):
        with pytest.raises(StoreLocked, match="another program holds"):
            write(store)
        assert lines(store) == 1
    write(store)
    assert lines(store) == 2


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Hold what every transaction with a line of the audit needs."""
    if place.server is None:
        with closing(sqlite3.connect(place.address.path, isolation_level=None)) as other:  # type: ignore[union-attr]
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    database = place.address.name.rpartition("/")[2]  # type: ignore[union-attr]
    with psycopg.connect(place.server.url(database)) as session:
        session.execute("SELECT * FROM viam_mcp.audit_head FOR UPDATE")
        yield


def test_two_programs_that_migrate_at_once_both_find_it_done(own_place: Place) -> None:
    start, failed = threading.Barrier(6), list[Exception]()

    def begin() -> None:
        store = own_place.open()
        start.wait(30)
        try:
            write(store)
        except Exception as error:
            failed.append(error)

    programs = [threading.Thread(target=begin) for _ in range(6)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(30)
    assert failed == []
    store = own_place.open()
    assert store.read(lambda tx: tx.audit.verify()).lines == 6
    assert own_place.sql("SELECT count(*) FROM keys")[0][0] == 1


# SQLite.


def test_a_folder_that_cannot_be_written_names_two_ways_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    store = open_store(None, {"XDG_STATE_HOME": str(tmp_path)})
    with without_root(), pytest.raises(StoreReadOnly, match=r"XDG_STATE_HOME .*--store"):
        write(store)


def test_a_database_that_became_read_only_says_so() -> None:
    # Not below pytest's own folder, which is root's alone where root runs the tests.
    with tempfile.TemporaryDirectory(prefix="viam-mcp-") as name:
        folder = Path(name)
        if not os.geteuid():
            os.chown(folder, 65_534, 65_534)
        with without_root():
            path = folder / "state.db"
            store = open_store(str(path), {KEYS_VARIABLE: KEY})
            write(store)
            store.close()
            path.chmod(0o400)
            folder.chmod(0o500)
            with pytest.raises(StoreReadOnly, match="--store"):
                write(open_store(str(path), {KEYS_VARIABLE: KEY}))
            folder.chmod(0o700)


def test_a_full_disk_says_so_and_what_was_there_stays(sqlite_place: Place) -> None:
    store = sqlite_place.open()
    write(store)
    raw = store._database._writer  # type: ignore[union-attr]
    (pages,) = raw.execute("PRAGMA page_count").fetchone()
    raw.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull, match="no room"):
        ask(store, arguments="x" * 100_000)
    raw.execute("PRAGMA max_page_count = 1000000")
    ask(store)
    assert store.read(lambda tx: tx.audit.verify()).is_whole


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 8_000])
def test_a_file_that_is_no_database_says_so(sqlite_place: Place, content: bytes) -> None:
    path = sqlite_place.address.path  # type: ignore[union-attr]
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupted, match="move it away"):
        write(sqlite_place.open())
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_left_alone(sqlite_place: Place) -> None:
    path = sqlite_place.address.path  # type: ignore[union-attr]
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE audit (number INTEGER)")
    with pytest.raises(StoreCorrupted, match="another program"):
        write(sqlite_place.open())
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("audit",)]


def test_a_damaged_page_says_so(sqlite_place: Place) -> None:
    store = sqlite_place.open()
    for _ in range(50):
        ask(store, preview="x" * 2_000)
    store.close()
    path = sqlite_place.address.path  # type: ignore[union-attr]
    data = bytearray(path.read_bytes())
    data[8_192:] = b"\xff" * (len(data) - 8_192)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupted, match=r"damaged|changed|has not the tables"):
        ask(sqlite_place.open())


def test_an_older_copy_of_an_operation_does_not_run_again(place: Place) -> None:
    store = place.open()
    asked = approve(store, ask(store))

    def begin(tx: Transaction) -> None:
        tx.runs.start({}, asked.id, asked.caller)
        tx.audit.append({"outcome": "started", "operation": asked.id})

    place.sql("CREATE TABLE older AS SELECT * FROM operations")
    try:
        store.write(begin)
        place.sql("DELETE FROM operations")
        place.sql("INSERT INTO operations SELECT * FROM older")
    finally:
        place.sql("DROP TABLE older")
    with pytest.raises(StoreCorrupted, match="it has begun before"):
        store.write(begin)


def test_a_store_without_its_id_says_so(sqlite_place: Place) -> None:
    ask(sqlite_place.open())
    sqlite_place.sql("DELETE FROM store")
    with pytest.raises(StoreCorrupted, match="changed by another program"):
        ask(sqlite_place.open())


@pytest.mark.parametrize("how", ["removed", "exchanged", "log removed"])
def test_a_program_whose_file_was_removed_or_exchanged_stops_writing(sqlite_place: Place, how: str) -> None:
    store = sqlite_place.open()
    write(store)
    path: Path = sqlite_place.address.path  # type: ignore[union-attr]
    if how == "exchanged":
        copy = path.with_name("copy")
        shutil.copyfile(path, copy)
        copy.replace(path)
    elif how == "removed":
        path.unlink()
    else:
        path.with_name("state.db-wal").unlink()
    for use in (write, lines):
        with pytest.raises(StoreCorrupted, match="removed or exchanged"):
            use(store)


def test_files_and_folder_are_for_their_owner_alone(sqlite_place: Place) -> None:
    store = sqlite_place.open()
    write(store)
    path: Path = sqlite_place.address.path  # type: ignore[union-attr]
    assert path.parent.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm"), 0o600)


def test_a_file_that_others_could_read_is_closed_to_them(sqlite_place: Place) -> None:
    path: Path = sqlite_place.address.path  # type: ignore[union-attr]
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    write(sqlite_place.open())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["state.db", "state.db-wal", "state.db-shm"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "folder"])
def test_a_name_that_leads_elsewhere_is_refused(sqlite_place: Place, tmp_path: Path, name: str, kind: str) -> None:
    path: Path = sqlite_place.address.path.with_name(name)  # type: ignore[union-attr]
    path.parent.mkdir(mode=0o700)
    target = tmp_path / "target"
    if kind in ("link", "hard link"):
        target.write_bytes(b"")
    if kind == "hard link":
        path.hardlink_to(target)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(target)
    with pytest.raises(StoreCorrupted, match="is a link, or no file"):
        write(sqlite_place.open())
    assert not target.exists() or target.read_bytes() == b""


def test_a_state_folder_that_is_a_link_is_refused(sqlite_place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreCorrupted, match="is a link"):
        write(sqlite_place.open())


def test_a_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(StoreCorrupted, match="others can change"):
        write(open_store(str(folder / "state.db"), {}))
    folder.chmod(0o1777)
    store = open_store(str(folder / "state.db"), {})
    write(store)
    store.close()


# PostgreSQL.


@pytest.fixture
def remote(postgres: PostgresServer, shared_database: str) -> Iterator[Place]:
    """A place on the PostgreSQL server."""
    empty(postgres, shared_database)
    found = Place(parse_address(postgres.url(shared_database)), postgres)
    yield found
    found.close()


def remote_store(url: str, **options: Any) -> Store:
    return Store(parse_address(url), StateKeys({KEYS_VARIABLE: KEY}), **options)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    store = remote_store("postgresql://me:swordfish@127.0.0.1:9/fleet")
    with pytest.raises(StoreUnavailable, match="nothing listens there") as away:
        write(store)
    assert "postgresql://me@127.0.0.1:9/fleet" in str(away.value)
    assert "swordfish" not in str(away.value) + repr(store.address) + repr(store) + str(store.address)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:sword%zzfish@127.0.0.1/x",
        "postgresql://me:swordfish@127.0.0.1/x?nonsense=swordfish",
        "postgresql://me:swordfish@127.0.0.1:port/x",
        "postgresql://me:swordfish@[::1/x",
        "mysql://me:swordfish@127.0.0.1/x",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises((StoreAddressError, StoreUnavailable)) as refused:
        write(remote_store(url))
    assert "fish" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_database_or_a_host_that_is_not_there_is_named(postgres: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match="no such database"):
        write(remote_store(postgres.url("nowhere")))
    with pytest.raises(StoreUnavailable, match="no such user"):
        write(remote_store(postgres.url().replace("postgres@", "nobody@")))
    with pytest.raises(StoreUnavailable, match="the name of the host is not known"):
        write(remote_store("postgresql://me@host.invalid/x"))


def test_a_user_who_may_not_write_is_told_so(remote: Place) -> None:
    write(remote.open())
    assert remote.server is not None
    remote.sql("CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA viam_mcp TO reader")
    remote.sql("GRANT SELECT ON ALL TABLES IN SCHEMA viam_mcp TO reader")
    try:
        store = remote_store(remote.address.url.replace("postgres@", "reader@"))  # type: ignore[union-attr]
        with pytest.raises(StoreReadOnly, match="a user who may write there"):
            write(store)
    finally:
        store.close()
        remote.sql("DROP OWNED BY reader; DROP ROLE reader")


@pytest.mark.parametrize(("code", "error", "says"), [("53100", StoreFull, "no room"), ("57014", StoreSlow, "too long")])
def test_what_a_server_refuses_is_said(remote_place: Place, code: str, error: type[Exception], says: str) -> None:
    store = remote_place.open()
    write(store)
    remote_place.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$; "
        "CREATE TRIGGER refuse BEFORE INSERT ON audit EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(error, match=says):
        write(store)
    remote_place.sql("DROP TRIGGER refuse ON audit")
    write(store)
    assert store.read(lambda tx: tx.audit.verify()).lines == 2


def test_a_statement_that_takes_too_long_is_ended_by_the_server(remote_place: Place) -> None:
    store = remote_place.open(timeouts=QUICK)
    write(store)
    remote_place.sql(
        "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); END $$; "
        "CREATE TRIGGER sleep BEFORE INSERT ON audit EXECUTE FUNCTION sleep()"
    )
    with pytest.raises(StoreSlow, match="took too long"):
        write(store)
    assert lines(store) == 1


def test_a_connection_that_the_server_has_ended_meanwhile_is_replaced_without_a_word(remote: Place) -> None:
    store = remote.open()
    write(store)
    remote.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'viam-mcp'")
    write(store)
    remote.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'viam-mcp'")
    assert lines(store) == 2


def test_a_transaction_whose_connection_breaks_is_done_anew_once_and_whole(remote: Place) -> None:
    store, tries = remote.open(), []

    def work(tx: Any) -> None:
        tries.append(1)
        tx.audit.append({"outcome": "done"})
        if len(tries) == 1:
            remote.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'viam-mcp'")
        tx.budgets.take({"b": 1})

    store.write(work)
    assert (len(tries), lines(store)) == (2, 1)
    assert remote.sql("SELECT count(*) FROM budget_uses") == [(1,)]


def test_transactions_that_wait_for_each_other_both_take_effect(remote: Place) -> None:
    stores = [remote.open(), remote.open()]
    for store in stores:
        lines(store)
    met, tries = threading.Barrier(2), [0, 0]

    def work(number: int) -> None:
        names = ("a", "b") if number else ("b", "a")

        def both(tx: Any) -> None:
            tries[number] += 1
            tx.budgets.take({names[0]: 2})
            if tries[number] == 1:
                met.wait(30)
            tx.budgets.take({names[1]: 2})

        stores[number].write(both)

    programs = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(30)
    assert sorted(tries) == [1, 2]
    assert remote.sql("SELECT count(*) FROM budget_uses") == [(4,)]
