"""Changes of configurations in words: all of them, the gravest first, equal ones of many items in one line."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.previews._model import Consequence, Risk
from viam_mcp.tools.previews._values import folded, key, literal
from viam_mcp.tools.previews.configs._changes import Change, Kind, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from viam_mcp.tools.previews.configs._changes import Place

Json = Any

_WIDE = 120  # characters: what takes more is shown on lines of its own
_LONG_TEXT = 60  # characters of texts from which on it is said where they begin to differ
_INDENT = "    "
_TELLS_KIND = ("api", "type", "model", "module_id", "package", "executable_path", "address")

_HEADINGS = {
    Risk.CODE: "CODE that will run:",
    Risk.ACCESS: "ACCESS:",
    Risk.SHELL: "REMOTE SHELL:",
    Risk.HOSTS: "HOSTS and addresses:",
    Risk.DELETIONS: "REMOVED:",
    None: "Other changes:",
}
_GRAVITY = [*Risk]


@dataclass
class _Group:
    """Changes that are the same but for the items that they are of."""

    change: Change
    old: str
    new: str
    items: list[str] = field(default_factory=list)
    holders: list[Json] = field(default_factory=list)


def change_lines(changes: Sequence[Change]) -> list[str]:
    """Return the lines that say all of the changes, under a heading for each risk."""
    under: defaultdict[Risk | None, list[Change]] = defaultdict(list)
    for change in changes:
        under[gravest_of(change.risks)].append(change)
    lines = []
    for risk, heading in _HEADINGS.items():
        if risk in under:
            lines.append(heading)
            lines += [f"  {line}" for group in _groups(under[risk]) for line in _said(group)]
    return lines


def gravest_of(risks: Iterable[Risk]) -> Risk | None:
    """Return the gravest of some risks; None if there is none."""
    return min(risks, key=_GRAVITY.index, default=None)


def summary(changes: Iterable[Change]) -> str:
    """Return how many changes there are of each kind: `3 edited, 1 new`."""
    counted = Counter(change.kind for change in changes)
    counted[Kind.EDITED] += counted.pop(Kind.EMPTIED, 0)
    return ", ".join(f"{counted[kind]:,} {kind.value}" for kind in Kind if counted[kind])


def consequences_of(changes: Sequence[Change], most_of_it: str) -> list[Consequence]:
    """Return what is grave about some changes, the gravest first.

    Args:
        changes: The changes.
        most_of_it: How much goes, if that is most of the configuration; empty otherwise.
    """
    found = []
    for risk in Risk:
        if risk is Risk.EMPTIES:
            found += [Consequence(risk, "removes MOST OF IT", most_of_it)] if most_of_it else []
        else:
            found += _with_risk(risk, changes)
    return found


def _with_risk(risk: Risk, changes: Iterable[Change]) -> list[Consequence]:
    """Return the consequence of all changes that have a risk, with the names of what they are about."""
    about = list(dict.fromkeys((one.place.section, one.place.item or "") for one in changes if risk in one.risks))
    return [Consequence(risk, _LABELS[risk], _by_section(about), len(about))] if about else []


_LABELS = {
    Risk.CODE: "RUNS CODE",
    Risk.ACCESS: "ACCESS",
    Risk.SHELL: "REMOTE SHELL",
    Risk.HOSTS: "hosts",
    Risk.DELETIONS: "deletes",
}


def _by_section(places: Iterable[tuple[str, str]]) -> str:
    """Return items with the sections that they are in: `modules vision, speech, processes sh`."""
    sections: defaultdict[str, list[str]] = defaultdict(list)
    for section, item in places:
        sections[section].append(item)
    return ", ".join(
        f"{section} {folded(filter(None, items), counted=False)}".rstrip() for section, items in sections.items()
    )


def _groups(changes: Iterable[Change]) -> Iterable[_Group]:
    groups: dict[tuple[object, ...], _Group] = {}
    for change in changes:
        place, kind = change.place, change.kind
        old, new = literal(change.old), literal(change.new)
        alike: tuple[object, ...] = (kind, place.section, place.item is None, place.path, old, new, change.where)
        if change.is_of_item and kind in (Kind.REMOVED, Kind.MOVED, Kind.RENAMED) and place.item is not None:
            alike = (kind, place.section)
        group = groups.setdefault(alike, _Group(change, old, new))
        if place.item is not None:
            group.items.append(_item(change))
            group.holders.append(place.holder)
    return groups.values()


def _item(change: Change) -> str:
    item = change.place.item or ""
    if change.kind is Kind.MOVED:
        return f"{item} ({change.old} → {change.new})"
    if change.kind is Kind.RENAMED:
        return f"{item} to {change.new}{f', {change.where}' if change.where else ''}"
    return item


def _said(group: _Group) -> Iterator[str]:
    change = group.change
    kind, place = change.kind, change.place
    where = f"{place.section} {folded(group.items)}" if group.items else ""
    if kind in (Kind.MOVED, Kind.RENAMED):
        yield f"{place.section}: {kind.value} {', '.join(group.items)}"
    elif kind is Kind.EMPTIED:
        yield f"{_whole_path(place, where)} stays, empty"
    elif kind is Kind.REMOVED and change.is_of_item and group.items:
        yield f"{place.section}: removed {_with_kinds(group)}"
    elif kind is Kind.NEW and change.is_of_item and group.items:
        at = f", at {change.where}" if change.where else ""
        start = f"{place.section}: new {folded(group.items)}{at}"
        yield from _with_value(start, change.new, group.new) if change.new is not None else [start]
    elif kind is Kind.EDITED:
        yield from _edited(group, where)
    else:
        start = _whole_path(place, where)
        if kind is Kind.NEW:
            yield from _with_value(f"{start}: new", change.new, group.new)
        else:
            yield from _with_value(f"{start}: removed, was", change.old, group.old)


def _with_kinds(group: _Group) -> str:
    """Return what is removed: with what it is, for one alone."""
    if len(group.items) > 1:
        return folded(group.items)
    (holder,) = group.holders
    kinds = [holder[one] for one in _TELLS_KIND if isinstance(holder, dict) and isinstance(holder.get(one), str)]
    return f"{group.items[0]} ({', '.join(map(literal, kinds))})" if kinds else group.items[0]


def _whole_path(place: Place, where: str) -> str:
    """Return what changes: `attributes.speed in components arm`, `network.bind_address`."""
    if where:
        return f"{place.path} in {where}" if place.path else where
    return f"{place.section}{'' if place.path.startswith('[') or not place.path else '.'}{place.path}"


def _edited(group: _Group, where: str) -> Iterator[str]:
    change, old, new = group.change, group.old, group.new
    place, path = change.place, change.place.path
    line = f"{path} {old} → {new} in {where}" if where and path else f"{_whole_path(place, where)} {old} → {new}"
    if len(line) <= _WIDE:
        yield line
        return
    yield f"{_whole_path(place, where)}:"
    yield from _with_value(f"{_INDENT}was", change.old, old, depth=2)
    differs = _where_they_differ(old, new) if isinstance(change.old, str) and isinstance(change.new, str) else ""
    yield from _with_value(f"{_INDENT}now{differs}", change.new, new, depth=2)


def _where_they_differ(old: str, new: str) -> str:
    """Return from which character on two long texts differ, as they are shown in quotes."""
    if min(len(old), len(new)) <= _LONG_TEXT:
        return ""
    same = next((index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(new))
    return f" (as before up to character {same - 1:,})" if same > 1 else ""


def _with_value(start: str, value: Json, text: str, depth: int = 1) -> Iterator[str]:
    """Yield a line that ends in a value, or the value on lines of its own where one would be hard to read."""
    if len(start) + len(text) < _WIDE or not isinstance(value, dict | list) or not value:
        yield f"{start} {text}"
        return
    yield f"{start}:"
    yield from _block(value, _INDENT * depth)


def _block(value: Json, indent: str) -> Iterator[str]:
    """Yield the members of an object or a list, each on a line if one holds it, plain values side by side."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        yield from _side_by_side([literal(item) for item in value], indent)
        return
    members = (
        ((f"{key(one)}:", value[one]) for one in sorted(value, key=rank))
        if isinstance(value, dict)
        else (("-", item) for item in value)
    )
    for start, item in members:
        text = literal(item)
        if len(indent) + len(start) + len(text) < _WIDE or not isinstance(item, dict | list) or not item:
            yield f"{indent}{start} {text}"
        else:
            yield f"{indent}{start}"
            yield from _block(item, f"{indent}  ")


def _side_by_side(texts: Sequence[str], indent: str) -> Iterator[str]:
    """Yield the values of a list, as many on a line as it holds."""
    line = ""
    for index, text in enumerate(texts):
        text += "," if index < len(texts) - 1 else ""  # noqa: PLW2901 - the same text, with its comma
        if line and len(indent) + len(line) + len(text) >= _WIDE:
            yield indent + line
            line = text
        else:
            line = f"{line} {text}" if line else text
    yield indent + line
