from __future__ import annotations

import base64
import multiprocessing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viam_mcp.policy import PolicyError, parse_keys
from viam_mcp.policy.confirm._shelf import MOST_BYTES, FolderShelf, MemoryShelf
from viam_mcp.policy.confirm._tokens import Claims, InvalidToken, Seal

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.policy.confirm._shelf import Shelf

CLAIMS = Claims("person", "delete_robot", "arguments", "caller", "fingerprint", 1_800_000_000, "0" * 32)
OLD, NEW = b"o" * 32, b"n" * 40


def test_a_token_holds_its_claims_and_shows_nothing_of_them() -> None:
    seal = Seal()
    token = seal.seal(CLAIMS)
    assert seal.open(token) == CLAIMS
    assert seal.seal(CLAIMS) != token
    assert len(token) < 400
    raw = base64.urlsafe_b64decode(token.partition(".")[2] + "==")
    assert b"delete" not in raw
    assert b"caller" not in raw


def test_the_first_key_seals_and_every_key_opens() -> None:
    token = Seal([OLD]).seal(CLAIMS)
    assert Seal([NEW, OLD]).open(token) == CLAIMS
    with pytest.raises(InvalidToken):
        Seal([NEW]).open(token)
    with pytest.raises(InvalidToken):
        Seal([OLD]).open(Seal([NEW, OLD]).seal(CLAIMS))


def test_a_token_of_another_process_without_shared_keys_does_not_open() -> None:
    with pytest.raises(InvalidToken):
        Seal().open(Seal().seal(CLAIMS))


def test_a_token_that_is_cut_anywhere_does_not_open() -> None:
    seal = Seal()
    token = seal.seal(CLAIMS)
    for length in range(len(token)):
        with pytest.raises(InvalidToken):
            seal.open(token[:length])


@given(st.data())
def test_a_token_with_any_character_changed_does_not_open(data: st.DataObject) -> None:
    seal = Seal([OLD])
    token = seal.seal(CLAIMS)
    # The last character of base64 may hold bits that mean nothing, and + and / may stand for - and _.
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[place]))
    with pytest.raises(InvalidToken):
        seal.open(token[:place] + other + token[place + 1 :])


@given(st.text())
def test_no_text_is_a_token_by_chance(text: str) -> None:
    for token in (text, f"vmc1.{text}"):
        with pytest.raises(InvalidToken):
            Seal([OLD]).open(token)


def test_what_is_closed_for_one_purpose_does_not_open_for_another() -> None:
    seal = Seal()
    closed = seal.close(b"data", "call 1")
    assert seal.disclose(closed, "call 1") == b"data"
    with pytest.raises(InvalidToken):
        seal.disclose(closed, "call 2")


def test_keys_are_read_as_hexadecimal_or_base64_and_have_to_be_long_enough() -> None:
    assert parse_keys(f"{OLD.hex()}, {base64.b64encode(NEW).decode()} ") == [OLD, NEW]
    for text in ("00ff", "no key!", base64.b64encode(b"short").decode(), ","):
        with pytest.raises(PolicyError) as caught:
            parse_keys(text)
        assert text not in str(caught.value)


@pytest.fixture(params=["memory", "folder"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return MemoryShelf(lambda: 100.0) if request.param == "memory" else FolderShelf(tmp_path / "spent", lambda: 100.0)


def test_a_name_is_taken_once(shelf: Shelf) -> None:
    assert shelf.put("ada", "spent-" + "a" * 32, b"data", 200)
    assert not shelf.put("ada", "spent-" + "a" * 32, b"other", 200)
    assert shelf.put("ada", "call-" + "a" * 32, b"", 200)
    assert shelf.get("ada", "spent-" + "a" * 32) == b"data"
    assert shelf.get("ada", "spent-" + "b" * 32) is None
    assert shelf.get("eve", "spent-" + "a" * 32) is None


def test_what_has_expired_is_swept_and_what_has_not_stays(tmp_path: Path) -> None:
    now = [100.0]
    for shelf in (MemoryShelf(lambda: now[0]), FolderShelf(tmp_path, lambda: now[0])):
        now[0] = 100.0
        shelf.put("ada", "call-" + "1" * 32, b"old", 150)
        shelf.put("eve", "call-" + "2" * 32, b"young", 1000)
        now[0] = 500.0
        shelf.put("ada", "call-" + "3" * 32, b"new", 1000)
        found = [shelf.get("ada", "call-" + "1" * 32), shelf.get("eve", "call-" + "2" * 32)]
        assert [*found, shelf.get("ada", "call-" + "3" * 32)] == [None, b"young", b"new"]


def test_a_folder_shelf_keeps_what_expired_for_as_long_as_clocks_may_be_apart(tmp_path: Path) -> None:
    now = [100.0]
    shelf = FolderShelf(tmp_path, lambda: now[0])
    shelf.put("ada", "spent-" + "1" * 32, b"", 150)
    now[0] = 400.0
    assert not shelf.put("ada", "spent-" + "1" * 32, b"", 500)


def test_a_folder_shelf_is_for_its_owner_and_keeps_to_its_folder(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "spent")
    shelf.put("ada", "spent-" + "a" * 32, b"", 200)
    (folder,) = (tmp_path / "spent").iterdir()
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.stat().st_mode & 0o777 for one in (folder, folder.parent)] == [0o700, 0o700]
    for owner, name in (("ada", "../" + "a" * 32), ("..", "spent-" + "a" * 32), ("", "spent-" + "a" * 32)):
        with pytest.raises(ValueError, match="not the name"):
            shelf.put(owner, name, b"", 200)
    (tmp_path / "file").touch()
    with pytest.raises(PolicyError):
        FolderShelf(tmp_path / "file").put("ada", "spent-" + "a" * 32, b"", 200)


@pytest.mark.parametrize("size", [100, MOST_BYTES // 4])
def test_nobody_takes_the_room_of_others_and_everybody_can_answer(
    shelf: Shelf, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viam_mcp.policy.confirm._shelf.MOST_THINGS", 20)
    data = b"x" * size
    with pytest.raises(PolicyError, match="too many of your confirmations are open"):
        for number in range(21):
            assert shelf.put("eve", f"call-{number:032x}", data, 200)
    assert shelf.put("eve", "spent-" + "1" * 32, b"", 200)
    assert shelf.put("ada", "call-" + "1" * 32, data, 200)


def test_answers_are_not_without_number_either(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viam_mcp.policy.confirm._shelf.MOST_MARKS", 20)
    with pytest.raises(PolicyError, match="too many of your confirmations were answered"):
        for number in range(21):
            assert shelf.put("eve", f"spent-{number:032x}", b"", 200)
    assert shelf.put("ada", "spent-" + "1" * 32, b"", 200)


def test_a_shelf_does_not_grow_without_end_and_takes_answers_when_it_is_full(shelf: Shelf) -> None:
    most = b"x" * (MOST_BYTES - 1_000)
    with pytest.raises(PolicyError, match="of all callers"):
        for number in range(40):
            assert shelf.put(f"caller-{number}", "call-" + "1" * 32, most, 200)
    assert number == 32
    assert shelf.put("another", "spent-" + "1" * 32, b"", 200)


def test_what_is_taken_away_leaves_room(shelf: Shelf) -> None:
    half = b"x" * (MOST_BYTES // 2)
    for number in range(10):
        assert shelf.put("ada", f"call-{number:032x}", half, 200)
        assert shelf.put("ada", f"spent-{number:032x}", b"", 200)
        shelf.remove("ada", f"call-{number:032x}")
        assert shelf.get("ada", f"call-{number:032x}") is None
    shelf.remove("nobody", "call-" + "1" * 32)


def test_a_folder_shelf_counts_what_others_have_put_there(tmp_path: Path) -> None:
    now = [100.0]
    one, other = (FolderShelf(tmp_path, lambda: now[0]) for _ in range(2))
    most = b"x" * (MOST_BYTES - 1_000)
    for number in range(32):
        assert one.put(f"caller-{number}", "call-" + "1" * 32, most, 1_000)
    with pytest.raises(PolicyError, match="of all callers"):
        other.put("another", "call-" + "1" * 32, most, 1_000)
    now[0] = 2_000.0
    assert other.put("another", "call-" + "1" * 32, most, 3_000)


def _spend(folder: Path, start: multiprocessing.synchronize.Barrier, wins: multiprocessing.Queue[int]) -> None:
    shelf = FolderShelf(folder)
    for number in range(20):
        start.wait(30)
        if shelf.put("ada", f"spent-{number:032x}", b"", 4e9):
            wins.put(number)


def test_of_several_processes_that_spend_at_once_one_does(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, wins = context.Barrier(3), context.Queue()
    racers = [context.Process(target=_spend, args=(tmp_path, start, wins)) for _ in range(3)]
    for racer in racers:
        racer.start()
    won = sorted(wins.get(timeout=30) for _ in range(20))
    for racer in racers:
        racer.join(30)
        assert racer.exitcode == 0
    assert won == list(range(20))
    assert wins.empty()
