"""What differs between two configurations, as changes of items and of their attributes.

Items are known by what they go by, wherever they stand in their list. The order of keys means nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.previews._values import key as key_text
from viam_mcp.tools.previews._values import literal
from viam_mcp.tools.previews.configs._alignment import by_identity, by_look, moved
from viam_mcp.tools.previews.configs._identity import identities, labels
from viam_mcp.tools.redaction._configs import plain_number
from viam_mcp.tools.redaction._matching import EqualityNumbers

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from viam_mcp.tools.previews._model import Risk
    from viam_mcp.tools.previews.configs._alignment import Gap

Json = Any

_LONGEST_SHORT_LIST = 200  # characters; a longer list is shown by what differs in it

_SECTIONS = (
    "modules", "processes", "packages", "fragments", "fragment_mods", "agent", "jobs", "auth", "cloud", "network",
    "remotes", "components", "services",
)  # fmt: skip
_TELLING = ("name", "id", "type", "api", "model", "module_id", "package", "version", "executable_path", "address")
_RANKS = {one: rank for rank, one in enumerate((*_SECTIONS, *_TELLING))}
"""Keys that come before all others: sections, then what tells what an item is and what it runs."""


class Kind(Enum):
    """How something changes."""

    NEW = "new"
    REMOVED = "removed"
    EDITED = "edited"
    MOVED = "moved"
    RENAMED = "renamed"
    EMPTIED = "emptied"
    """A list or an object stays, with nothing in it."""


@dataclass(frozen=True)
class Place:
    """Where something stands in a configuration.

    Attributes:
        section: The list that the item is in, or the first key where there is no item: `components`.
        item: What the item is called; None outside of any.
        path: The way from there on, as it is shown: `attributes.host`; empty for the item or section itself.
        keys: All keys on the way from the top, as they are.
        holder: The item as it is after the change, or as it was if it goes.
    """

    section: str
    item: str | None
    path: str
    keys: tuple[str, ...]
    holder: Json = None

    def under(self, key: str) -> Place:
        """Return the place of a member of the object that stands here."""
        step = key_text(key)
        return replace(self, path=f"{self.path}.{step}" if self.path else step, keys=(*self.keys, key))

    def at(self, step: str) -> Place:
        """Return the place of an item of the list that stands here, which goes by nothing."""
        return replace(self, path=f"{self.path}[{step}]")

    def named(self, label: str, holder: Json) -> Place:
        """Return the place of an item of the list that stands here."""
        if self.item is not None:
            return self.at(label)
        section = ".".join(filter(None, (self.section, self.path)))
        return Place(section, label, "", self.keys, holder)


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        kind: How it changes.
        place: Where.
        old: What was there; of an item that moves or is renamed, its place or its name.
        new: What is there then.
        where: For an item that is new anywhere but at the end of its list, where it is put.
        risks: What it puts at risk.
    """

    kind: Kind
    place: Place
    old: Json = None
    new: Json = None
    where: str = ""
    risks: frozenset[Risk] = frozenset()

    @property
    def is_of_item(self) -> bool:
        """Whether it is about an item, or a section, as a whole."""
        return not self.place.path


def changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[Change]:
    """Return what differs between two configurations, in the order of their sections; nothing if they say the same."""
    comparison = _Comparison()
    for key in sorted({**old, **new}, key=rank):
        comparison.section(key, old, new)
    return comparison.found


def rank(key: str) -> tuple[int, str]:
    """Return what keys are sorted by to be shown. The service reads keys in capitals as it does others."""
    return _RANKS.get(key.casefold(), len(_RANKS)), key


def ordered(value: Json) -> Json:
    """Return a JSON value with one way to write each number, and the keys in the order in which they are shown."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=rank)}
    if isinstance(value, list):
        return [ordered(item) for item in value]
    return plain_number(value) if isinstance(value, float) else value


class _Comparison:
    """A comparison that is under way. Each value is looked at a few times, however deep it stands."""

    def __init__(self) -> None:
        self.found: list[Change] = []
        self._looks = EqualityNumbers()
        self._kept: list[Json] = []  # values that were made here: looks are remembered by ids, which must stay theirs

    def section(self, key: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> None:
        place = Place(key_text(key), None, "", (key,))
        if key in old and key in new:
            self._compare(place, old[key], new[key])
            return
        value = old[key] if key in old else new[key]
        if isinstance(value, list) and value and identities(key, value, [])[0]:
            # Its items are told one by one: what comes and goes is what they are.
            before, after = (value, []) if key in old else ([], value)
            self._items(place, before, after, *identities(key, before, after))
        elif key in old:
            self._tell(Kind.REMOVED, place, value)
        else:
            self._tell(Kind.NEW, place, None, value)

    def _tell(self, kind: Kind, place: Place, old: Json = None, new: Json = None, where: str = "") -> None:
        self.found.append(Change(kind, place, old, new, where))

    def _compare(self, place: Place, old: Json, new: Json) -> None:
        if self._looks.of(old) == self._looks.of(new):
            return
        if isinstance(old, dict) and isinstance(new, dict):
            self._members(place, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            self._list(place, old, new)
        else:
            self._tell(Kind.EDITED, place, old, new)

    def _members(self, place: Place, old: dict[str, Json], new: dict[str, Json]) -> None:
        for key in sorted({**old, **new}, key=rank):
            member = place.under(key)
            if key not in new:
                self._tell(Kind.REMOVED, member, old[key])
            elif key not in old:
                self._tell(Kind.NEW, member, None, new[key])
            else:
                self._compare(member, old[key], new[key])
        if not new:
            self._tell(Kind.EMPTIED, place, None, new)

    def _list(self, place: Place, old: list[Json], new: list[Json]) -> None:
        field, old_names, new_names = identities(place.keys[-1], old, new)
        if field:
            self._items(place, old, new, field, old_names, new_names)
            if not new:
                self._tell(Kind.EMPTIED, place, None, new)
        elif _is_short(old) and _is_short(new):
            self._tell(Kind.EDITED, place, old, new)
        else:
            looks = ([self._looks.of(item) for item in side] for side in (old, new))
            for gap in by_look(*looks):
                self._gap(place, old, new, gap)

    def _items(
        self, place: Place, old: list[Json], new: list[Json], field: str, old_names: list[Any], new_names: list[Any]
    ) -> None:
        """Compare two lists whose items go by a field."""
        looks = [[self._looks.of(item) for item in side] for side in (old, new)]
        pairs = by_identity(_tags(old_names, looks[0]), _tags(new_names, looks[1]), looks[0], looks[1])
        called, called_after = labels(old_names), labels(new_names)
        gone = sorted({*range(len(old))} - {pair.old for pair in pairs})
        come = sorted({*range(len(new))} - {pair.new for pair in pairs})
        renamed: dict[int, int] = {}
        if _only_names(place, field):
            named_gone = [before for before in gone if old_names[before] is not None]
            named_come = [after for after in come if new_names[after] is not None]
            renamed = self._renamed(field, old, new, named_gone, named_come)
        for before, after in renamed.items():
            named = place.named(called[before], new[after])
            where = _position(after, new) if before != after else ""
            self._tell(Kind.RENAMED, named, called[before], called_after[after], where)
        for before in gone:
            if before not in renamed:
                self._tell(Kind.REMOVED, place.named(called[before], old[before]), old[before])
        put = {*renamed.values()}
        last = max((pair.new for pair in pairs), default=-1)
        for after in come:
            if after not in put:
                named = place.named(called_after[after], new[after])
                where = _position(after, new) if after < last else ""
                value = new[after] if new_names[after] is None else _without(field, new[after])
                self._tell(Kind.NEW, named, None, value, where)
        for pair in pairs:
            self._compare(place.named(called[pair.old], new[pair.new]), old[pair.old], new[pair.new])
        for pair in moved(pairs):
            named = place.named(called[pair.old], new[pair.new])
            self._tell(Kind.MOVED, named, pair.old + 1, pair.new + 1)

    def _renamed(
        self, field: str, old: list[Json], new: list[Json], gone: list[int], come: list[int]
    ) -> dict[int, int]:
        """Return which items differ from one that is gone by their names alone: one of each look."""
        if not gone or not come:
            return {}
        looks: list[defaultdict[int, list[int]]] = []
        for side, places in ((old, gone), (new, come)):
            found: defaultdict[int, list[int]] = defaultdict(list)
            for place in places:
                rest = _without(field, side[place])
                self._kept.append(rest)
                if isinstance(rest, dict) and rest:
                    found[self._looks.of(rest)].append(place)
            looks.append(found)
        before, after = looks
        return {
            places[0]: after[look][0]
            for look, places in before.items()
            if len(places) == 1 and len(after.get(look, ())) == 1
        }

    def _gap(self, place: Place, old: list[Json], new: list[Json], gap: Gap) -> None:
        """Tell how neighbours in a list change whose items go by nothing."""
        before, after = old[gap.old.start : gap.old.stop], new[gap.new.start : gap.new.stop]
        if len(before) == len(after) and (len(before) == 1 or any(isinstance(item, dict) for item in before)):
            for index, pair in zip(gap.old, zip(before, after, strict=True), strict=True):
                self._compare(place.at(f"{index}"), *pair)
        elif before and after:
            self._tell(Kind.EDITED, place.at(_span(gap.old)), before, after)
        elif before:
            self._tell(Kind.REMOVED, place.at(_span(gap.old)), before)
        else:
            self._tell(Kind.NEW, place.at(_span(gap.new)), None, after)


def _tags(names: Sequence[Hashable], looks: Sequence[int]) -> list[Hashable]:
    """Return what each item is found by: its name, or its look if it goes by nothing."""
    return [("look", look) if name is None else name for name, look in zip(names, looks, strict=True)]


def _only_names(place: Place, field: str) -> bool:
    """Whether what the items of a list go by is their name alone: a fragment with another id is another one."""
    return field == "name" or (field == "id" and place.keys[-1].casefold() == "processes")


def _is_short(items: list[Json]) -> bool:
    """Whether a list holds plain values alone, and is shown whole in a few words."""
    size = 0
    for item in items:
        if isinstance(item, dict | list):
            return False
        size += len(literal(item)) if isinstance(item, str) else 8
        if size > _LONGEST_SHORT_LIST:
            return False
    return True


def _without(field: str, item: Json) -> Json:
    """Return an item without what it goes by, which is said beside it; None for one that is nothing else."""
    return {key: value for key, value in item.items() if key != field} if isinstance(item, dict) else None


def _position(place: int, items: Sequence[Json]) -> str:
    return f"place {place + 1} of {len(items)}"


def _span(part: range) -> str:
    return f"{part.start}" if len(part) == 1 else f"{part.start}…{part.stop - 1}"
