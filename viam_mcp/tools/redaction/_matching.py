"""Which item of a list that is stored an item that was sent stands for.

Items are known by their look. One that was changed is known by its position among those of its name, or among
those without one, unless something speaks for another. Where there is doubt, it stands for none: a credential in
the wrong place is worse than a question.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.redaction._marks import NOT_SHOWN

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

Json = Any

_NAMES = ("name", "id")


class Looks:
    """Numbers for JSON values: the same for those that are equal, and for no others.

    Those of objects and lists are remembered by their ids: nobody may change them or throw them away meanwhile.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[int, int] = {}

    def of(self, value: Json) -> int:
        """The number of a value."""
        if not isinstance(value, dict | list):
            return self._number(("truth" if isinstance(value, bool) else "value", value))
        if id(value) not in self._known:
            self._known[id(value)] = self._number(
                frozenset((key, self.of(item)) for key, item in value.items())
                if isinstance(value, dict)
                else tuple(self.of(item) for item in value)
            )
        return self._known[id(value)]

    def members(self, value: Json, place: int = -1) -> Iterator[tuple[int, int]]:
        """The members of an object and of the objects in it: where each stands, and its look."""
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self.members(item, self._number((place, key)))
        else:
            yield place, self.of(value)

    def _number(self, what: Hashable) -> int:
        return self._numbers.setdefault(what, len(self._numbers))


def matches(stored: Sequence[Json], sent: Sequence[Json], looks: Looks) -> list[int | None]:
    """The index of the stored item that each item that was sent stands for; None where there is doubt.

    Args:
        stored: The items as they are shown.
        sent: What takes their place.
        looks: The looks of both.
    """
    found: list[int | None] = [None] * len(sent)
    old, new = ([looks.of(item) for item in items] for items in (stored, sent))
    ordered = _in_order(old, new)
    _by_tag(_after_options(stored, old), _after_options(sent, new), found, ordered=ordered)
    _by_tag(_alone(stored, old), _alone(sent, new), found, ordered=ordered)
    _by_position(stored, sent, looks, found)
    return found


def _after_options(items: Sequence[Json], looks: Sequence[int]) -> list[Hashable]:
    """The look of each item, and the option that is before it if it is an argument."""
    return [*zip(looks, _options(items), strict=True)]


def _alone(items: Sequence[Json], looks: Sequence[int]) -> list[Hashable]:
    """The look of each item; nothing of one that is only a mark, which says nothing by itself."""
    return [None if _is_mark(item) else look for item, look in zip(items, looks, strict=True)]


def _options(items: Sequence[Json]) -> list[str | None]:
    """The option that each text of a list follows."""
    before = [None, *items]
    return [
        one if isinstance(item, str) and isinstance(one, str) and one.startswith("-") else None
        for item, one in zip(items, before, strict=False)
    ]


def _is_mark(item: Json) -> bool:
    return isinstance(item, str) and bool(NOT_SHOWN.fullmatch(item))


def _in_order(stored: Sequence[int], sent: Sequence[int]) -> bool:
    """Whether all that there are as many of on both sides come in the same order."""
    old, new = Counter(stored), Counter(sent)
    kept = {look for look in old if old[look] == new[look]}
    return [look for look in stored if look in kept] == [look for look in sent if look in kept]


def _by_tag(stored: Sequence[Hashable], sent: Sequence[Hashable], found: list[int | None], *, ordered: bool) -> None:
    """Find those with the same tag: the only one, or the first for the first if there are as many as before."""
    places, claimed = _places(stored), {*found}
    for tag, indices in _places(sent).items():
        same = places.get(tag, [])
        if tag is None or not (len(same) == 1 or (len(same) == len(indices) and ordered)):
            continue
        for index, place in zip(indices, same * len(indices) if len(same) == 1 else same, strict=True):
            if found[index] is None and (len(same) == 1 or place not in claimed):
                found[index] = place


def _by_position(stored: Sequence[Json], sent: Sequence[Json], looks: Looks, found: list[int | None]) -> None:
    """Find those that were changed: the first of a name for the first of that name, if there are as many as before.

    Not if another one looks like the one that is there, or if it has as much in common with another one alone.
    """
    places, claimed = _places([_name(item) for item in stored]), {*found}
    options = _options(sent)  # an argument belongs to its option, wherever that is
    for name, indices in _places([_name(item) for item in sent]).items():
        same = places.get(name, [])
        if len(same) != len(indices):
            continue
        pairs = zip(indices, same, strict=True)
        changed = [(index, place) for index, place in pairs if found[index] is None and options[index] is None]
        only = _only_in_one({place: looks.members(stored[place]) for place in same}) if changed else {}
        for index, place in changed:
            speaks = Counter(only[member] for member in looks.members(sent[index]) if member in only)
            mine = speaks.pop(place, 0)
            if place not in claimed and all(mine > others for others in speaks.values()):
                found[index] = place


def _places(tags: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """At which indices each tag is."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, tag in enumerate(tags):
        places[tag].append(index)
    return places


def _only_in_one(members: Mapping[int, Iterable[Hashable]]) -> dict[Hashable, int]:
    """Of what several have as members that which only one has, and which one."""
    owners = [(member, place) for place, theirs in members.items() for member in {*theirs}]
    times = Counter(member for member, _ in owners)
    return {member: place for member, place in owners if times[member] == 1}


def _name(item: Json) -> tuple[str, str] | None:
    """What an item of a list goes by."""
    if isinstance(item, dict):
        for key in _NAMES:
            if isinstance(item.get(key), str) and not NOT_SHOWN.search(item[key]):
                return key, item[key]
    return None
