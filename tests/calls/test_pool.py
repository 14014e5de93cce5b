"""The pool of clients: one for each key, closed when nobody uses it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.pace import PATIENCE
from viam_mcp.app import Credentials
from viam_mcp.calls import ClientPool, ClientPoolError, KeyForRequest, Kind, Limits
from viam_mcp.calls._key_names import KeyName, KeyProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from viam_mcp.calls import Access


def test_a_key_that_is_missing_is_reported_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="the variable ABSENT holds no key"):
        KeyName("id", "ABSENT").read({})
    with pytest.raises(KeyProblem, match="No such file"):
        KeyName("id", file=tmp_path / "none").read({})


class Running:
    """A pipeline, as far as a pool looks at it."""

    def __init__(self, tails: Watched) -> None:
        self.active = 0
        self.tails = tails


class Watched:
    """The logs that are followed with one key."""

    def __init__(self) -> None:
        self.open = 0

    async def close(self) -> None:
        self.open = 0


class Opened:
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    @property
    def session(self) -> Opened:
        return self

    async def close(self) -> None:
        self.closed.set()


def pool(**options: Any) -> tuple[Callable[[str], Any], ClientPool, list[Opened]]:
    """Return what finds the pipeline for a key, the pool that it asks, and the clients that the pool opened."""
    opened: list[Opened] = []

    def open_app(credentials: Any) -> Any:
        opened.append(Opened())
        return opened[-1]

    def new_pipeline(tails: Watched, access: Access | None) -> Any:
        return Running(tails)

    def source(headers: Mapping[str, str], access: Access | None) -> KeyForRequest:
        return KeyForRequest(Credentials("id", headers["key"]), headers["key"])

    found = ClientPool(source, open_app, lambda app: partial(new_pipeline, Watched()), **options)
    return (lambda key: found.pipeline({"key": key}, None)), found, opened


async def test_one_key_has_one_client_however_often_it_comes() -> None:
    find, clients, opened = pool()
    assert find("a") is find("a")
    assert find("b") is not find("a")
    assert len(opened) == clients.open == 2
    await clients.close()
    assert all(one.closed.is_set() for one in opened)
    assert clients.open == 0


async def test_a_client_that_nobody_uses_for_a_while_is_closed() -> None:
    find, clients, opened = pool(idle_seconds=0.01)
    find("a")
    async with asyncio.timeout(PATIENCE):
        await opened[0].closed.wait()
    assert clients.open == 0


async def test_a_client_in_use_is_not_closed_however_long_it_takes() -> None:
    find, clients, opened = pool(idle_seconds=0.01)
    pipeline = find("a")
    find("b")
    pipeline.active = 1
    async with asyncio.timeout(PATIENCE):
        await opened[1].closed.wait()
    assert not opened[0].closed.is_set()
    # A log that is followed for a while longer belongs to nobody.
    pipeline.active, pipeline.tails.open = 0, 1
    assert clients.tails == 1
    async with asyncio.timeout(PATIENCE):
        await opened[0].closed.wait()
    assert pipeline.tails.open == clients.tails == 0


async def test_a_full_pool_closes_the_client_that_was_used_least_recently_and_none_in_use() -> None:
    find, clients, opened = pool(limits=Limits().with_limit(Kind.CLIENTS, in_all=2))
    first = find("a")
    first.active = 1
    second = find("b")
    find("c")
    await asyncio.wait_for(opened[1].closed.wait(), PATIENCE)
    assert not opened[0].closed.is_set()
    assert find("a") is first
    find("c").active = 1
    with pytest.raises(ClientPoolError, match="busy: it works for 2 callers"):
        find("d")
    assert second is not first
    await clients.close()


def test_no_key_is_shown_in_a_repr() -> None:
    assert "nobody-may-see" not in repr(KeyForRequest(Credentials("id", "nobody-may-see"), "nobody-may-see"))
