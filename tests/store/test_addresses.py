from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.store.conftest import KEY
from tests.store.server import PostgresServer
from viam_mcp.store import (
    KEYS_VARIABLE,
    PostgresAddress,
    SqliteAddress,
    StateKeys,
    Store,
    StoreAddressError,
    StoreUnavailable,
    open_store,
    parse_address,
    state_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/var/lib/viam/x.db", "/var/lib/viam/x.db"),
        ("sqlite:////var/lib/viam/x.db", "/var/lib/viam/x.db"),
        ("sqlite:///x%20y.db", f"{Path.cwd()}/x y.db"),
        ("x.db", f"{Path.cwd()}/x.db"),
    ],
)
def test_a_file_is_named_by_its_path_or_as_sqlalchemy_does(text: str, path: str) -> None:
    address = parse_address(text)
    assert isinstance(address, SqliteAddress)
    assert (str(address.path), address.own_folder) == (path, False)
    assert address.key_file == Path(path).with_suffix(".key")


def test_without_an_address_the_store_is_in_the_state_folder(tmp_path: Path) -> None:
    assert parse_address(None, {"XDG_STATE_HOME": "/x"}) == SqliteAddress(Path("/x/viam-mcp/state.db"), own_folder=True)
    # https://specifications.freedesktop.org/basedir-spec/latest/: a relative path is ignored.
    assert state_folder({"XDG_STATE_HOME": "x"}) == Path.home() / ".local" / "state" / "viam-mcp"


@pytest.mark.parametrize("text", ["postgresql://me:secret@h:5/d?sslmode=require", "postgres://me:secret@h:5/d"])
def test_a_server_is_named_by_its_url_and_shown_without_the_password(text: str) -> None:
    address = parse_address(text)
    assert isinstance(address, PostgresAddress)
    assert (address.url, str(address)) == (text, "postgresql://me@h:5/d")


@pytest.mark.parametrize("text", ["postgresql://me:12/secret@h/d", "postgresql://me:1/2@secret@h:5/d"])
def test_a_password_that_is_not_encoded_is_not_shown_either(text: str) -> None:
    assert "secret" not in str(parse_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "sqlite://", "sqlite:///", "mysql://me:secret@h/d", "http://h", "POSTGRESQL://me:secret@h/d"),
        *("postgresql:/me:secret@h/d", "postgresql//me:secret@h/d", "Postgres:me:secret@h/d", " postgres:/me:secret@h"),
        *("host=h password=secret", "sslmode=require password=secret", "password=secret"),
    ],
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(StoreAddressError, match="expected postgresql://") as refused:
        parse_address(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("name", "value"), [("audit_log", "https://h/x"), ("checkpoints", "")])
def test_a_copy_goes_where_it_can_be_written_as_lines(name: str, value: str) -> None:
    with pytest.raises(StoreAddressError):
        open_store("x.db", {}, **{name: value})


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgresServer]:
    """A server that wants a password from everybody but its owner."""
    server = PostgresServer()
    server.sql("postgres", "CREATE ROLE guest LOGIN PASSWORD 'swordfish'")
    server.sql("postgres", "CREATE DATABASE guest OWNER guest")
    hba = server.folder / "data" / "pg_hba.conf"
    hba.write_text("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    server.sql("postgres", "SELECT pg_reload_conf()")
    yield server
    server.close()


def guest(server: PostgresServer, password: str = "") -> Store:
    url = f"postgresql://guest{':' if password else ''}{password}@127.0.0.1:{server.port}/guest"
    return Store(parse_address(url), StateKeys({KEYS_VARIABLE: KEY}))


def test_a_password_comes_from_the_url_the_environment_or_a_file(
    guarded: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def works(store: Store) -> None:
        store.write(lambda tx: tx.audit.append({"outcome": "done"}))
        store.close()

    works(guest(guarded, "swordfish"))
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSWORD", "swordfish")
        works(guest(guarded))
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"127.0.0.1:{guarded.port}:guest:guest:swordfish\n")
    passwords.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSFILE", str(passwords))
        works(guest(guarded))


def test_a_missing_or_a_wrong_password_is_said_and_not_shown(guarded: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match="PGPASSFILE"):
        guest(guarded).read(lambda tx: None)
    with pytest.raises(StoreUnavailable, match="the password is wrong") as wrong:
        guest(guarded, "sardine").read(lambda tx: None)
    assert "sardine" not in repr(wrong.value)


def test_a_store_on_a_server_says_what_to_install_without_its_driver(
    monkeypatch: pytest.MonkeyPatch, guarded: PostgresServer
) -> None:
    import sys

    assert psycopg
    for name in [one for one in sys.modules if one.startswith("viam_mcp.store.database._postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreAddressError, match=r"pip install 'viam-mcp\[postgres\]'"):
        guest(guarded).read(lambda tx: None)
