from __future__ import annotations

import base64
import hmac
import threading
from typing import TYPE_CHECKING

import pytest

from tests.store.conftest import KEY, Place, an_operation, ask
from viam_mcp.store import (
    KEYS_VARIABLE,
    StateKeys,
    StoreCorrupted,
    StoreError,
    StoreKeyError,
    open_store,
    parse_address,
    parse_keys,
)
from viam_mcp.store._keys import RowKey

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.store import Store

NEW, OTHER = "a5" * 32, "77" * 32


def preview(store: Store, id: str) -> str:
    found = store.read(lambda tx: tx.operations.find(id))
    assert found is not None
    return found.preview


def write(store: Store) -> None:
    store.write(lambda tx: tx.audit.append({"outcome": "done"}))


def test_a_file_has_its_own_key_beside_it_where_the_environment_has_none(tmp_path: Path) -> None:
    store = open_store(None, {"XDG_STATE_HOME": str(tmp_path)})
    asked = ask(store, expires=9e9)
    store.close()
    key = tmp_path / "viam-mcp" / "state.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(parse_keys(key.read_text())) == 1
    assert key.read_text().strip() not in (tmp_path / "viam-mcp" / "state.db").read_bytes().hex()
    again = open_store(None, {"XDG_STATE_HOME": str(tmp_path)})
    assert preview(again, asked.id) == asked.preview
    again.close()


def test_programs_that_make_the_first_key_at_once_have_the_same(tmp_path: Path) -> None:
    start, failed = threading.Barrier(6), list[Exception]()

    def begin() -> None:
        store = open_store(str(tmp_path / "state.db"), {})
        start.wait(30)
        try:
            write(store)
        except StoreError as error:
            failed.append(error)
        store.close()

    programs = [threading.Thread(target=begin) for _ in range(6)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(30)
    assert failed == []
    assert sorted(path.name for path in tmp_path.glob("*key*")) == ["state.key"]


def test_a_key_file_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = open_store(str(path), {})
    write(store)
    store.close()
    key = path.with_suffix(".key")
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(StoreKeyError, match="put it back"):
        write(open_store(str(path), {}))
    assert not key.exists()
    # The key may come from the environment as well.
    again = open_store(str(path), {KEYS_VARIABLE: content.decode()})
    write(again)
    again.close()


@pytest.mark.parametrize("content", ["", "short\n", "é" * 64, "!!" * 32, "ab" * 31])
def test_a_key_file_that_holds_something_else_is_refused(tmp_path: Path, content: str) -> None:
    key = tmp_path / "state.key"
    key.write_text(content)
    with pytest.raises(StoreKeyError):
        write(open_store(str(tmp_path / "state.db"), {}))
    assert key.read_text() == content


def test_a_key_file_that_is_a_link_is_refused_and_an_open_one_is_closed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(KEY)
    key = tmp_path / "state.key"
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreCorrupted, match="link"):
        write(open_store(str(tmp_path / "state.db"), {}))
    key.unlink()
    key.write_text(KEY)
    key.chmod(0o644)
    store = open_store(str(tmp_path / "state.db"), {})
    write(store)
    store.close()
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_server_needs_the_key_from_the_environment() -> None:
    store = open_store("postgresql://me@127.0.0.1:9/x", {})
    with pytest.raises(StoreKeyError, match=f"{KEYS_VARIABLE} is not set"):
        write(store)


def test_another_state_key_opens_nothing(place: Place) -> None:
    write(place.open())
    place.environment[KEYS_VARIABLE] = OTHER
    with pytest.raises(StoreKeyError, match="another state key"):
        write(place.open())


@pytest.mark.parametrize("text", ["zz", "ab", f"{KEY},nope", base64.b64encode(b"x" * 31).decode(), " , "])
def test_a_key_that_is_none_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(StoreKeyError) as refused:
        parse_keys(text)
    assert text not in str(refused.value)
    assert "openssl rand -hex 32" in str(refused.value)


def test_keys_are_hexadecimal_or_base64_separated_by_commas() -> None:
    raw = bytes(range(200, 240))
    assert parse_keys(f"{KEY}, {base64.b64encode(raw).decode()} ,") == [bytes.fromhex(KEY), raw]


def test_a_new_state_key_is_used_for_what_comes_and_the_old_one_is_needed_no_more(place: Place) -> None:
    first = place.open()
    old = ask(first)
    write(first)
    first.close()
    place.environment[KEYS_VARIABLE] = f"{NEW},{KEY}"
    second = place.open()
    new = ask(second)
    write(second)
    second.close()
    place.environment[KEYS_VARIABLE] = NEW
    third = place.open()
    assert [preview(third, one.id) for one in (old, new)] == [old.preview, new.preview]
    write(third)
    verdict = third.read(lambda tx: tx.audit.verify())
    assert (verdict.lines, verdict.findings) == (3, [])
    assert [line.key_id for line in third.read(lambda tx: list(tx.audit.oldest()))] == [1, 2, 2]
    place.environment[KEYS_VARIABLE] = KEY
    with pytest.raises(StoreKeyError):
        write(place.open())


def test_programs_that_run_while_the_key_changes_go_on_with_the_new_one(place: Place) -> None:
    place.environment[KEYS_VARIABLE] = f"{KEY},{NEW}"
    running = [place.open() for _ in range(2)]
    for store in running:
        write(store)
    place.environment[KEYS_VARIABLE] = f"{NEW},{KEY}"
    changed = place.open()
    write(changed)
    asked = ask(changed)
    assert preview(running[0], asked.id) == asked.preview
    for store in running:
        write(store)
        ask(store)
    verdict = changed.read(lambda tx: tx.audit.verify())
    assert (verdict.lines, verdict.findings) == (5, [])


def test_programs_that_do_not_have_the_new_key_say_so(place: Place) -> None:
    running = place.open()
    write(running)
    place.environment = {KEYS_VARIABLE: f"{NEW},{KEY}"}
    write(place.open())
    with pytest.raises(StoreKeyError, match="another state key"):
        write(running)


def test_who_had_the_old_state_key_cannot_go_on_with_its_chain(place: Place) -> None:
    store = place.open()
    write(store)
    store.close()
    place.environment[KEYS_VARIABLE] = f"{NEW},{KEY}"
    store = place.open()
    write(store)
    write(store)
    place.sql("UPDATE audit SET key = 1 WHERE number = 3")
    assert not store.read(lambda tx: tx.audit.verify()).is_whole


def test_a_key_that_another_program_has_changed_is_refused(place: Place) -> None:
    write(place.open())
    place.sql("UPDATE keys SET encrypted = state_key" + ("::bytea" if place.server else ""))
    with pytest.raises(StoreCorrupted, match="changed by another program"):
        write(place.open())


def test_an_operation_is_encrypted_anew_each_time(place: Place) -> None:
    store = place.open()
    for _ in range(2):
        store.write(lambda tx: tx.operations.ask(an_operation()))
    (first,), (second,) = place.sql("SELECT arguments FROM operations")
    assert bytes(first)[:16] != bytes(second)[:16]


def test_state_keys_say_nothing_about_themselves() -> None:
    assert KEY not in repr(StateKeys({KEYS_VARIABLE: KEY}))
    assert "swordfish" not in repr(parse_address("postgresql://me:swordfish@h/d"))


def test_a_signature_is_the_hmac_of_its_standard() -> None:
    secret = bytes(range(32))
    key = hmac.digest(secret, b"viam-mcp audit", "sha256")
    for data in (b"", b"x" * 1_000):
        assert RowKey(1, secret).sign(data) == hmac.digest(key, data, "sha256")
