"""The table of limits: it is complete, and what it says holds."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import viam_mcp
from viam_mcp.calls import Busy, Kind, Limit, LimitReached, Limits, Quantity, table
from viam_mcp.calls import _limits as module
from viam_mcp.store import RoomLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_HOLDER = [kind for kind, limit in table().items() if limit.each is not None]
IN_ALL = [kind for kind, limit in table().items() if limit.in_all is not None]

SHOWN = {
    Kind.CALLS: "tests/calls/test_concurrency.py",
    Kind.TOOL_CALLS: "tests/calls/test_slow_upstream.py",
    Kind.WAITING_CALLS: "tests/calls/test_slow_upstream.py",
    Kind.QUESTIONS: "tests/calls/test_confirmed_slots.py",
    Kind.OPERATIONS: "tests/store/test_operations.py",
    Kind.OPERATION_BYTES: "tests/store/test_operations.py",
    Kind.REQUESTS: "tests/http/test_greed.py",
    Kind.UNANSWERED: "tests/server/test_stdio.py",
    Kind.CLIENTS: "tests/server/test_shares.py",
    Kind.STREAMS: "tests/server/test_shares.py",
    Kind.URIS: "tests/server/test_log_subscriptions.py",
    Kind.SESSIONS: "tests/http/test_app.py",
    Kind.TAILS: "tests/server/test_shares.py",
    Kind.OPEN_TAILS: "tests/logs/test_tails.py",
    Kind.CONNECTIONS: "tests/http/test_greed.py",
    Kind.HELD_BYTES: "tests/http/test_greed.py",
    Kind.ARRIVING_BYTES: "tests/http/test_greed.py",
}
"""Where each limit is shown to hold for real requests."""


BY_THE_STORE = {Kind.OPERATIONS, Kind.OPERATION_BYTES}
"""Limits that the store counts, for all processes that share it."""


def small(kind: Kind) -> Limits:
    """Limits of which this one is small."""
    limit = table()[kind]
    return Limits().with_limit(kind, each=limit.each and 2, in_all=limit.in_all and 3)


def test_every_kind_has_a_limit_with_a_text_for_people() -> None:
    limits = table()
    assert set(limits) == set(Kind)
    for kind, limit in limits.items():
        assert limit.what, kind
        assert limit.each or limit.in_all, kind
        # What is told of a limit is told where there is one. Without a text, further ones wait or are turned away.
        assert not limit.told or limit.each
        assert not limit.told_all or limit.in_all


def test_every_kind_is_shown_to_hold_and_is_taken_by_the_program() -> None:
    root = Path(viam_mcp.__file__).parent
    used = {
        node.attr
        for path in root.rglob("*.py")
        if path != Path(module.__file__)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Kind"
    }
    assert {kind.name for kind in set(Kind) - BY_THE_STORE} <= used
    assert set(SHOWN) == set(Kind)
    assert [path for path in SHOWN.values() if not (root.parent / path).exists()] == []


def test_the_limits_that_the_store_counts_have_its_values() -> None:
    rooms, limits = RoomLimits(), table()
    operations, held = limits[Kind.OPERATIONS], limits[Kind.OPERATION_BYTES]
    assert (operations.each, operations.in_all) == (rooms.own_number, rooms.number)
    assert (held.each, held.in_all) == (rooms.own_bytes, rooms.bytes)


@pytest.mark.parametrize("kind", PER_HOLDER)
def test_a_holder_gets_no_more_than_its_share_and_leaves_the_others_theirs(kind: Kind) -> None:
    limits = small(kind)
    with limits.take(kind, "alice"), limits.take(kind, "alice"):
        with pytest.raises(LimitReached) as refused:
            limits.take(kind, "alice")
        assert refused.value.own
        assert limits.used(kind, "alice") == 2
        with limits.take(kind, "bob"):
            assert limits.used(kind) == 3
    with limits.take(kind, "alice"):
        assert limits.used(kind) == 1
    assert limits.idle


@pytest.mark.parametrize("kind", IN_ALL)
def test_all_holders_together_get_no_more_than_there_is(kind: Kind) -> None:
    limits = small(kind)
    with limits.take(kind, None), limits.take(kind, "alice"), limits.take(kind, "bob"):
        for holder in (None, "carol"):
            with pytest.raises(LimitReached) as refused:
                limits.take(kind, holder)
            assert not refused.value.own
    assert limits.idle


@pytest.mark.parametrize("kind", [kind for kind, limit in table().items() if limit.told and kind not in BY_THE_STORE])
def test_a_refusal_names_the_number_and_says_that_nothing_was_done(kind: Kind) -> None:
    limits = small(kind)
    with limits.take(kind, "alice"), limits.take(kind, "alice"), pytest.raises(Busy) as refused:
        limits.take(kind, "alice")
    retry = table()[kind].retry_after
    assert "{most}" not in str(refused.value)
    assert refused.value.retry_after == retry
    assert str(refused.value).endswith(f"Nothing was done{'' if retry is None else f'; retry after {retry} s'}.")


def test_one_caller_gets_a_quarter_and_one_tool_three_quarters() -> None:
    limits = table(calls=100, calls_per_caller=10, waiting_calls=40, tails=8)
    assert limits[Kind.CALLS].each == 10
    assert limits[Kind.TOOL_CALLS].each == 75
    assert limits[Kind.WAITING_CALLS].each == 10
    assert limits[Kind.TAILS].each == 2


def test_a_caller_who_is_alone_gets_everything() -> None:
    limits = table(calls=5, calls_per_caller=5, waiting_calls=40)
    assert (limits[Kind.CALLS].each, limits[Kind.WAITING_CALLS].each) == (5, 40)


def test_the_smallest_settings_leave_everybody_something() -> None:
    limits = table(calls=1, calls_per_caller=1, waiting_calls=1, tails=1)
    assert all(limit.each is None or limit.each >= 1 for limit in limits.values())


def test_one_request_of_the_largest_size_always_fits() -> None:
    limits = Limits(table(request_bytes=500_000_000))
    for kind in (Kind.HELD_BYTES, Kind.ARRIVING_BYTES):
        Quantity(limits, kind, "alice").add(500_000_000)


def test_the_same_thing_counts_once_until_the_last_of_it_is_released() -> None:
    limits = Limits().with_limit(Kind.TAILS, each=1)
    first, second = (limits.take_once(Kind.TAILS, "alice", "a") for _ in range(2))
    with limits.take_once(Kind.TAILS, "bob", "a"):
        pass
    first.release()
    first.release()
    with pytest.raises(LimitReached):
        limits.take_once(Kind.TAILS, "alice", "b")
    second.release()
    with limits.take_once(Kind.TAILS, "alice", "b"):
        pass
    assert limits.idle


def test_a_quantity_that_does_not_fit_leaves_what_was_taken_before() -> None:
    limits = Limits({**table(), Kind.HELD_BYTES: Limit("bytes", each=10)})
    with Quantity(limits, Kind.HELD_BYTES, "alice") as taken:
        taken.add(7)
        with pytest.raises(LimitReached):
            taken.add(4)
        taken.add(3)
        assert limits.used(Kind.HELD_BYTES, "alice") == 10
    assert limits.idle


@given(st.lists(st.tuples(st.sampled_from(("alice", "bob", None)), st.booleans(), st.integers(0, 9)), max_size=60))
def test_what_is_counted_is_what_was_taken(steps: list[tuple[str | None, bool, int]]) -> None:
    limits = Limits({**table(), Kind.STREAMS: Limit("streams", each=3, in_all=5)})
    held: list[tuple[str | None, module.Slot]] = []
    for holder, takes, number in steps:
        if takes:
            try:
                held.append((holder, limits.take(Kind.STREAMS, holder)))
            except LimitReached as full:
                own = sum(one == holder for one, _ in held)
                assert (own == 3) if full.own else (len(held) == 5)
        elif held:
            held.pop(number % len(held))[1].release()
        assert limits.used(Kind.STREAMS) == len(held) <= 5
        for caller in ("alice", "bob"):
            assert limits.used(Kind.STREAMS, caller) == sum(one == caller for one, _ in held) <= 3
    for _, slot in held:
        slot.release()
    assert limits.idle


def counted_by_hand() -> Iterator[str]:
    """Names of constants that look like limits of their own, outside of the table."""
    for path in Path(viam_mcp.__file__).parent.rglob("*.py"):
        folder = path.relative_to(Path(viam_mcp.__file__).parent).parts[0]
        if folder not in ("calls", "server", "http") or path == Path(module.__file__):
            continue
        for node in ast.parse(path.read_bytes()).body:
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                if isinstance(target, ast.Name) and ("PER_CALLER" in target.id or "AT_ONCE" in target.id):
                    yield f"{path.name}: {target.id}"


def test_no_module_has_a_limit_for_each_caller_of_its_own() -> None:
    assert list(counted_by_hand()) == ["_directory.py: _AT_ONCE"]  # of one caller's lookups, which are calls
