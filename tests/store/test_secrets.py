from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.store.conftest import Place
    from viam_mcp.store import Store


def deliver(store: Store, content: str = "swordfish", owner: str = "alice") -> str:
    reserved = store.write(lambda tx: tx.secrets.reserve(owner, "create_key"))
    store.write(lambda tx: tx.secrets.fill(reserved, content))
    return reserved


def take(store: Store, id: str, owner: str | None = None) -> str | None:
    return store.write(lambda tx: tx.secrets.take(id, owner))


def test_a_credential_is_given_once(place: Place, store: Store) -> None:
    secret = deliver(store, "sword\ud800fish")
    assert take(place.open(), secret) == "sword\ud800fish"
    assert take(store, secret) is None
    found = store.read(lambda tx: tx.secrets.find(secret))
    assert found is not None
    assert (found.is_ready, found.taken) == (False, place.clock.now)
    assert place.sql("SELECT count(*) FROM secrets WHERE content IS NOT NULL")[0][0] == 0


def test_a_credential_is_for_whom_it_was_made_or_for_the_operator(store: Store) -> None:
    first, second = deliver(store), deliver(store)
    assert take(store, first, "bob") is None
    assert take(store, first, "alice") == "swordfish"
    assert take(store, second, None) == "swordfish"


def test_what_waits_is_listed_without_its_content(place: Place, store: Store) -> None:
    first = deliver(store)
    place.clock.now += 1
    second = deliver(store)
    reserved = store.write(lambda tx: tx.secrets.reserve("alice", "rotate_key"))
    waiting = store.read(lambda tx: tx.secrets.waiting())
    assert [one.id for one in waiting] == [second, first]
    assert reserved not in {one.id for one in waiting}
    assert "swordfish" not in repr(waiting)


def test_room_that_nothing_was_put_into_is_given_back(store: Store) -> None:
    reserved = store.write(lambda tx: tx.secrets.reserve("alice", "create_key"))
    assert take(store, reserved) is None
    store.write(lambda tx: tx.secrets.discard(reserved))
    with pytest.raises(KeyError):
        store.write(lambda tx: tx.secrets.fill(reserved, "x"))
    filled = deliver(store)
    store.write(lambda tx: tx.secrets.discard(filled))
    assert take(store, filled) == "swordfish"
    with pytest.raises(KeyError):
        store.write(lambda tx: tx.secrets.fill(filled, "again"))


def test_a_credential_is_encrypted_and_bound_to_its_row(place: Place, store: Store) -> None:
    secret = deliver(store)
    ((content,),) = place.sql("SELECT content FROM secrets")
    assert b"swordfish" not in bytes(content)
    place.sql("UPDATE secrets SET owner = 'mallory'")
    with pytest.raises(Exception, match="changed by another program"):
        take(store, secret, "mallory")


def test_a_credential_waits_as_long_as_it_takes_and_traces_of_others_go(place: Place, store: Store) -> None:
    kept, taken = deliver(store), deliver(store)
    reserved = store.write(lambda tx: tx.secrets.reserve("alice", "create_key"))
    take(store, taken)
    place.clock.now += 40 * 86_400
    store.sweep()
    assert store.read(lambda tx: [tx.secrets.find(one) for one in (taken, reserved)]) == [None, None]
    assert take(store, kept) == "swordfish"


def test_of_those_that_fetch_at_once_one_gets_it(place: Place) -> None:
    secret = deliver(place.open())
    start, got = threading.Barrier(6), list[str]()
    stores = [place.open() for _ in range(6)]
    for store in stores:
        store.read(lambda tx: tx.now)

    def race(number: int) -> None:
        start.wait(30)
        if content := take(stores[number], secret):
            got.append(content)

    racers = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert got == ["swordfish"]
