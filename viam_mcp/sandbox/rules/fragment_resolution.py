"""What a fragment amounts to once the fragments in it are followed.

The parts of several fragments are joined: lists one after the other, objects member by member, and what the
outer fragment says stands last and wins. An entry's `prefix` goes before the names of the resources that it
brings, its `variables` take the place of `{"$variable": {"name": …}}`. `fragment_mods` stay as they are:
the machine applies them, not the service.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import Refusal
from viam_mcp.sandbox.rules import access, config, fragment_references

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from viam_mcp.sandbox.rpc import IncomingCall

__all__ = ["Resolution"]

Json = dict[str, Any]

_NAMED = ("components", "services", "remotes", "processes")
_ENTRIES = "fragments"


class Unresolvable(Exception):  # noqa: N818 - an answer of the service rather than a defect
    """A fragment on the way cannot be used."""

    def __init__(self, error_type: app.FragmentErrorType, fragment_id: str, detail: str) -> None:
        super().__init__(detail)
        self.error = app.FragmentError(error_type=error_type, fragment_id=fragment_id, detail=detail)


class Resolution:
    """The fragments that one call follows.

    Attributes:
        visited: Every fragment on the way with the revision that was used, each pair once, in the order found.
    """

    def __init__(self, call: IncomingCall) -> None:
        self.visited: dict[tuple[str, str], tuple[sqlite3.Row, sqlite3.Row]] = {}
        self._call = call

    def resolve(self, fragment_id: str, version: str) -> app.ResolvedFragment:
        """Return a fragment's resolved configuration, or the reason why there is none."""
        resolved = app.ResolvedFragment(fragment_id=fragment_id)
        try:
            row, revision = self._find(fragment_id, version)
            resolved.revision = revision["revision"]
            config.fill(resolved.resolved_config, json.dumps(self._contents(row, revision, ())))
        except Unresolvable as unresolvable:
            resolved.ClearField("resolved_config")
            resolved.error.CopyFrom(unresolvable.error)
        return resolved

    def _find(self, fragment_id: str, version: str) -> tuple[sqlite3.Row, sqlite3.Row]:
        """Return the fragment and the revision that a version means."""
        try:
            row = access.fragment(self._call, fragment_id)
        except Refusal as refusal:
            known = self._call.store.one("SELECT 1 FROM fragments WHERE id = ?", fragment_id)
            kind = app.FRAGMENT_ERROR_TYPE_NO_ACCESS if known else app.FRAGMENT_ERROR_TYPE_CHILD_ID_INVALID
            raise Unresolvable(kind, fragment_id, refusal.message) from None
        revision = fragment_references.revision(self._call.store, fragment_id, version or row["revision"])
        if revision is None:
            detail = f"the fragment {row['name']!r} has no revision or tag {version!r}"
            raise Unresolvable(app.FRAGMENT_ERROR_TYPE_CHILD_ID_INVALID, fragment_id, detail)
        self.visited.setdefault((fragment_id, revision["revision"]), (row, revision))
        return row, revision

    def _contents(self, row: sqlite3.Row, revision: sqlite3.Row, outer: tuple[tuple[str, str], ...]) -> Json:
        here = (row["id"], revision["revision"])
        if here in outer:
            detail = f"the fragment {row['name']!r} contains itself"
            raise Unresolvable(app.FRAGMENT_ERROR_TYPE_CYCLE_DETECTED, row["id"], detail)
        if len(outer) >= fragment_references.NESTING:
            detail = f"fragments nest at most {fragment_references.NESTING} deep"
            raise Unresolvable(app.FRAGMENT_ERROR_TYPE_NESTING_LIMIT_EXCEEDED, row["id"], detail)
        joined: Json = {}
        for entry in config.entries(revision["config_json"]):
            inner = self._contents(*self._find(entry.fragment_id, entry.version), (*outer, here))
            _join(joined, _prefixed(_with_variables(inner, entry.variables), entry.prefix))
        own = json.loads(revision["config_json"])
        own.pop(_ENTRIES, None)
        _join(joined, own)
        return joined


def _join(joined: Json, more: Json) -> None:
    for key, value in more.items():
        present = joined.get(key)
        if isinstance(present, list) and isinstance(value, list):
            joined[key] = [*present, *value]
        elif isinstance(present, dict) and isinstance(value, dict):
            _join(present, value)
        else:
            joined[key] = copy.deepcopy(value)


def _with_variables(value: Any, variables: Json) -> Any:
    if isinstance(value, list):
        return [_with_variables(item, variables) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$variable": {"name": str(name), **rest}} if name in variables or "default_value" in rest:
            return variables.get(name, rest.get("default_value"))
    return {key: _with_variables(item, variables) for key, item in value.items()}


def _prefixed(contents: Json, prefix: str) -> Json:
    if not prefix:
        return contents
    names = {resource["name"] for resource in _resources(contents)}
    for resource in _resources(contents):
        resource["name"] = f"{prefix}-{resource['name']}"
        if isinstance(needed := resource.get("depends_on"), list):
            resource["depends_on"] = [f"{prefix}-{name}" if name in names else name for name in needed]
    return contents


def _resources(contents: Json) -> Iterable[Json]:
    for kind in _NAMED:
        listed = contents.get(kind)
        for resource in listed if isinstance(listed, list) else ():
            if isinstance(resource, dict) and isinstance(resource.get("name"), str):
                yield resource
