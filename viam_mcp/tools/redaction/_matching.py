"""Match the items of a list that was sent with those of the list that is stored.

An unchanged item is matched by equality. A changed item is matched by its position among the items of the same name,
or among those without a name, unless it has more in common with another one. An item in doubt is matched with none: a
credential that is put back into the wrong item is worse than a refused call.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.redaction._marks import NOT_SHOWN

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

Json = Any

_NAMES = ("name", "id")


class EqualityNumbers:
    """Numbers for JSON values: equal values have the same number.

    Numbers of objects and lists are cached by `id()`: they must neither change nor be freed meanwhile.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[int, int] = {}

    def of(self, value: Json) -> int:
        """Return the number of a value."""
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
        """Yield the path and the number of each plain value in an object and in the objects inside of it."""
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self.members(item, self._number((place, key)))
        else:
            yield place, self.of(value)

    def _number(self, what: Hashable) -> int:
        return self._numbers.setdefault(what, len(self._numbers))


def matches(stored: Sequence[Json], sent: Sequence[Json], numbers: EqualityNumbers) -> list[int | None]:
    """Return for each sent item the index of the stored item that it matches, or None.

    Args:
        stored: The stored items as they are shown.
        sent: The items that replace them.
        numbers: The equality numbers of both.
    """
    found: list[int | None] = [None] * len(sent)
    old, new = ([numbers.of(item) for item in items] for items in (stored, sent))
    ordered = _in_order(old, new)
    _match_equal(_with_options(stored, old), _with_options(sent, new), found, ordered=ordered)
    _match_equal(_without_marks(stored, old), _without_marks(sent, new), found, ordered=ordered)
    _match_by_position(stored, sent, numbers, found)
    return found


def _with_options(items: Sequence[Json], numbers: Sequence[int]) -> list[Hashable]:
    """Return the number of each item with the command line option before it, such as `--token`."""
    return [*zip(numbers, _options(items), strict=True)]


def _without_marks(items: Sequence[Json], numbers: Sequence[int]) -> list[Hashable]:
    """Return the number of each item; None for a mark, since all marks are equal."""
    return [None if _is_mark(item) else number for item, number in zip(items, numbers, strict=True)]


def _options(items: Sequence[Json]) -> list[str | None]:
    """Return for each item the command line option before it, or None."""
    before = [None, *items]
    return [
        one if isinstance(item, str) and isinstance(one, str) and one.startswith("-") else None
        for item, one in zip(items, before, strict=False)
    ]


def _is_mark(item: Json) -> bool:
    return isinstance(item, str) and bool(NOT_SHOWN.fullmatch(item))


def _in_order(stored: Sequence[int], sent: Sequence[int]) -> bool:
    """Tell whether the values that both lists hold equally often come in the same order."""
    old, new = Counter(stored), Counter(sent)
    kept = {number for number in old if old[number] == new[number]}
    return [number for number in stored if number in kept] == [number for number in sent if number in kept]


def _match_equal(
    stored: Sequence[Hashable], sent: Sequence[Hashable], found: list[int | None], *, ordered: bool
) -> None:
    """Match items with equal tags: with the only stored one, or one by one if there are as many as before.

    Args:
        stored: The tags of the stored items.
        sent: The tags of the sent items; None matches nothing.
        found: The matches, which are completed.
        ordered: Whether the unchanged items are in their old order.
    """
    places, claimed = _places(stored), {*found}
    for tag, indices in _places(sent).items():
        same = places.get(tag, [])
        if tag is None or not (len(same) == 1 or (len(same) == len(indices) and ordered)):
            continue
        for index, place in zip(indices, same * len(indices) if len(same) == 1 else same, strict=True):
            if found[index] is None and (len(same) == 1 or place not in claimed):
                found[index] = place


def _match_by_position(
    stored: Sequence[Json], sent: Sequence[Json], numbers: EqualityNumbers, found: list[int | None]
) -> None:
    """Match changed items one by one with the stored items of the same name, if there are as many as before.

    An item stays unmatched if the stored item is matched already, or if it has as much in common with another one.
    """
    places, claimed = _places([_name(item) for item in stored]), {*found}
    options = _options(sent)  # an argument belongs to its option, wherever that is
    for name, indices in _places([_name(item) for item in sent]).items():
        same = places.get(name, [])
        if len(same) != len(indices):
            continue
        pairs = zip(indices, same, strict=True)
        changed = [(index, place) for index, place in pairs if found[index] is None and options[index] is None]
        only = _only_in_one({place: numbers.members(stored[place]) for place in same}) if changed else {}
        for index, place in changed:
            speaks = Counter(only[member] for member in numbers.members(sent[index]) if member in only)
            mine = speaks.pop(place, 0)
            if place not in claimed and all(mine > others for others in speaks.values()):
                found[index] = place


def _places(tags: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """Return the indices of each tag."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, tag in enumerate(tags):
        places[tag].append(index)
    return places


def _only_in_one(members: Mapping[int, Iterable[Hashable]]) -> dict[Hashable, int]:
    """Return the members that only one of several items has, each with the index of that item."""
    owners = [(member, place) for place, theirs in members.items() for member in {*theirs}]
    times = Counter(member for member, _ in owners)
    return {member: place for member, place in owners if times[member] == 1}


def _name(item: Json) -> tuple[str, str] | None:
    """Return the name of an item of a list with the key that it is under; None if it has none."""
    if isinstance(item, dict):
        for key in _NAMES:
            if isinstance(item.get(key), str) and not NOT_SHOWN.search(item[key]):
                return key, item[key]
    return None
