"""A connection that breaks during a commit: whether it took effect is found out, and it takes effect once."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.conftest import KEY, empty
from tests.store.proxy import Cut, Proxy
from tests.store.server import PostgresServer
from viam_mcp.store import (
    KEYS_VARIABLE,
    CommitUnknown,
    StateKeys,
    Store,
    StoreUnavailable,
    Timeouts,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server(postgres: PostgresServer, shared_database: str) -> PostgresServer:
    empty(postgres, shared_database)
    return postgres


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[Proxy]:
    with Proxy(server.port) as found:
        yield found


def open_through(proxy: Proxy, server: PostgresServer, database: str, **options: Any) -> Store:
    address = parse_address(server.url(database, port=proxy.port))
    store = Store(address, StateKeys({KEYS_VARIABLE: KEY}), **options)
    store.write(lambda tx: None)
    store.sweep()
    return store


@pytest.mark.parametrize(("how", "tries"), [(Cut.BEFORE, 2), (Cut.AFTER, 1)])
def test_what_became_of_it_is_found_out_and_it_takes_effect_once(
    proxy: Proxy, server: PostgresServer, shared_database: str, how: Cut, tries: int
) -> None:
    store = open_through(proxy, server, shared_database)
    tried = []

    def work(tx: Any) -> str:
        tried.append(1)
        tx.budgets.take({"b": 100})
        tx.audit.append({"outcome": "started"})
        return "result"

    proxy.cut(b"COMMIT", how)
    assert store.write(work) == "result"
    assert (proxy.cuts, len(tried)) == (1, tries)
    assert server.sql(shared_database, "SELECT count(*) FROM budget_uses") == [(1,)]
    store.write(work)
    verdict = store.read(lambda tx: tx.audit.verify())
    assert (verdict.lines, verdict.is_whole) == (2, True)
    store.close()


def test_a_server_that_has_not_noticed_the_break_is_told_to_end_the_transaction(
    proxy: Proxy, server: PostgresServer, shared_database: str
) -> None:
    store = open_through(proxy, server, shared_database, timeouts=Timeouts(statement=0.5, transaction=20))
    tried = []

    def work(tx: Any) -> None:
        tried.append(1)
        tx.audit.append({"outcome": "started"})

    proxy.cut(b"COMMIT", Cut.SILENT)
    store.write(work)
    assert (proxy.cuts, len(tried)) == (1, 2)
    assert store.read(lambda tx: tx.audit.verify()).lines == 1
    store.close()


def test_where_nobody_can_be_asked_that_is_said_and_nothing_is_tried_again(
    proxy: Proxy, server: PostgresServer, shared_database: str
) -> None:
    store = open_through(proxy, server, shared_database, timeouts=Timeouts(transaction=1))
    tried = []

    def work(tx: Any) -> None:
        tried.append(1)
        tx.audit.append({"outcome": "started"})
        proxy.is_refusing = True

    proxy.cut(b"COMMIT", Cut.AFTER)
    with pytest.raises(CommitUnknown, match="could not be found out"):
        store.write(work)
    assert len(tried) == 1
    proxy.is_refusing = False
    store.close()


def test_a_server_that_does_not_answer_is_not_waited_for_without_end(
    proxy: Proxy, server: PostgresServer, shared_database: str
) -> None:
    store = open_through(proxy, server, shared_database, timeouts=Timeouts(statement=0.5, transaction=1))
    proxy.cut(b"audit_head", Cut.SILENT)
    proxy.is_refusing = True
    with pytest.raises(StoreUnavailable):
        store.write(lambda tx: tx.audit.append({"outcome": "done"}))
    store.close()


def test_a_server_that_was_stopped_and_started_goes_on_with_everything() -> None:
    server = PostgresServer(synchronous_commit="on")
    try:
        store = Store(parse_address(server.url()), StateKeys({KEYS_VARIABLE: KEY}))
        store.write(lambda tx: tx.audit.append({"outcome": "asked"}))
        for how in (signal.SIGQUIT, signal.SIGINT):
            server.stop(how)
            with pytest.raises(StoreUnavailable, match="nothing listens there"):
                store.write(lambda tx: tx.audit.append({"outcome": "lost"}))
            with pytest.raises(StoreUnavailable):
                store.read(lambda tx: tx.audit.newest())
            server.start()
            store.write(lambda tx: tx.audit.append({"outcome": "done"}))
        verdict = store.read(lambda tx: tx.audit.verify())
        assert (verdict.lines, verdict.is_whole) == (3, True)
        store.close()
    finally:
        server.close()
