"""The fragments that configurations name: which exist, how deep they nest, and where they are in use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from viam_mcp.sandbox.rpc import Refusal, conflict
from viam_mcp.sandbox.rules import access, config

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.sandbox.rpc import IncomingCall

__all__ = ["NESTING", "keep_in_step", "refuse_nesting", "refuse_unusable", "revision"]

NESTING = 5  # fragments in a chain, the outermost included


def refuse_unusable(call: IncomingCall, text: str, before: str) -> None:
    """Refuse a configuration that newly names a fragment or a version that is not there for this caller.

    What the configuration named before stays allowed: a fragment may be deleted while it is in use, and
    that must not stand in the way of other changes.

    Args:
        call: Who saves it.
        text: The configuration to be saved.
        before: The one that it replaces.

    Raises:
        Refusal: FAILED_PRECONDITION, naming the fragment. INVALID_ARGUMENT: `fragments` has another shape.
    """
    named = config.references(text)
    for fragment_id, version in named.items() - config.references(before).items():
        try:
            row = access.fragment(call, fragment_id)
        except Refusal as refusal:
            raise conflict(
                f"the configuration names a fragment that cannot be used ({refusal.message}): correct or remove its id"
            ) from None
        if version and revision(call.store, fragment_id, version) is None:
            raise conflict(
                f"the configuration names version {version!r} of the fragment {row['name']!r} ({fragment_id}), which "
                "has no such revision or tag: get the fragment to see those it has"
            )


def revision(store: FleetStore, fragment_id: str, version: str) -> sqlite3.Row | None:
    """Return the revision of a fragment that a version means, by its own name or by a tag; None if there is none."""
    return store.one(
        "SELECT fragment_revisions.* FROM fragment_revisions LEFT JOIN fragment_tags AS tags "
        "ON tags.fragment_id = fragment_revisions.fragment_id AND tags.revision = fragment_revisions.revision "
        "WHERE fragment_revisions.fragment_id = ? AND ? IN (fragment_revisions.revision, tags.tag)",
        fragment_id,
        version,
    )


def keep_in_step(store: FleetStore, part_id: str, text: str) -> None:
    """Store which fragments a part's configuration names."""
    store.run("DELETE FROM fragment_uses WHERE part_id = ?", part_id)
    for fragment_id, version in config.references(text).items():
        store.insert("fragment_uses", part_id=part_id, fragment_id=fragment_id, version=version)


def refuse_nesting(call: IncomingCall, fragment_id: str) -> None:
    """Refuse a fragment that was just saved if it contains itself or nests too deep.

    What each fragment names is taken from its newest revision.

    Raises:
        Refusal: FAILED_PRECONDITION, with the circle's or the chain's fragments.
    """
    rows = call.store.all("SELECT id, config_json FROM fragments")
    inner = {row["id"]: list(config.references(row["config_json"])) for row in rows}
    outer: dict[str, list[str]] = {}
    for outside, insides in inner.items():
        for inside in insides:
            outer.setdefault(inside, []).append(outside)

    circle = _way_back(inner, fragment_id)
    if circle:
        raise conflict(f"the fragment would contain itself, through {_chain(call, circle)}: take one of them out")
    chain = (*reversed(_longest(outer, fragment_id)[1:]), *_longest(inner, fragment_id))
    if len(chain) > NESTING:
        raise conflict(
            f"fragments nest at most {NESTING} deep, and {_chain(call, chain)} would be {len(chain)}: "
            "include the innermost ones further out"
        )


def _way_back(inner: Mapping[str, Iterable[str]], start: str) -> tuple[str, ...]:
    """Return a chain that leads from a fragment to itself, or ()."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for inside in inner.get(way[-1], ()):
            if inside == start:
                return (*way, start)
            if inside not in seen:
                seen.add(inside)
                ways.append((*way, inside))
    return ()


def _longest(edges: Mapping[str, Iterable[str]], start: str) -> tuple[str, ...]:
    """Return the longest chain from a fragment, itself first. There must be no circle."""

    @cache
    def longest(fragment_id: str) -> tuple[str, ...]:
        following = (longest(neighbour) for neighbour in edges.get(fragment_id, ()))
        return (fragment_id, *max(following, key=len, default=()))

    return longest(start)


def _chain(call: IncomingCall, fragment_ids: Iterable[str]) -> str:
    return " > ".join(_title(call, identifier) for identifier in fragment_ids)


def _title(call: IncomingCall, fragment_id: str) -> str:
    """Return a fragment's name, or its id if it is gone or the caller may not see it."""
    try:
        return repr(access.fragment(call, fragment_id)["name"])
    except Refusal:
        return fragment_id
