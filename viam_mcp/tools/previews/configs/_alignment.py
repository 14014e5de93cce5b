"""Which items of a list before are which items after. Time grows with the number of items, not with its square."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

_MOST_ROUNDS = 8


class Pair(NamedTuple):
    """An item that is in both lists: its places."""

    old: int
    new: int


class Gap(NamedTuple):
    """Neighbours of which none is known to be in the other list: from one place up to another, before and after."""

    old: range
    new: range


def by_identity(
    old: Sequence[Hashable], new: Sequence[Hashable], old_looks: Sequence[int], new_looks: Sequence[int]
) -> list[Pair]:
    """Return the items that go by the same name, in the order of their new places.

    Of several with one name, those that look the same are the same; the others follow in their order.

    Args:
        old: What the items before go by.
        new: What the items after go by.
        old_looks: A number for each item before: equal items have the same.
        new_looks: The same for those after.
    """
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, one in enumerate(old):
        places[one].append(place)
    pairs: list[Pair] = []
    for one, mine in _places(new).items():
        theirs = places.get(one, [])
        if len(mine) == len(theirs) == 1:
            pairs.append(Pair(theirs[0], mine[0]))
            continue
        same = _first_in_first_out(theirs, mine, old_looks, new_looks)
        pairs += same
        left_old = sorted({*theirs} - {pair.old for pair in same})
        left_new = sorted({*mine} - {pair.new for pair in same})
        pairs += map(Pair, left_old, left_new)
    return sorted(pairs, key=lambda pair: pair.new)


def _places(tags: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, tag in enumerate(tags):
        places[tag].append(place)
    return places


def _first_in_first_out(
    old: Iterable[int], new: Iterable[int], old_looks: Sequence[int], new_looks: Sequence[int]
) -> list[Pair]:
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    for place in reversed([*old]):
        waiting[old_looks[place]].append(place)
    return [Pair(waiting[look].pop(), place) for place in new if waiting[look := new_looks[place]]]


def moved(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the fewest items whose moves make the new order of the others the old one."""
    stay = {pairs[index].new for index in _longest_rise([pair.old for pair in pairs])}
    return [pair for pair in pairs if pair.new not in stay]


def _longest_rise(numbers: Sequence[int]) -> list[int]:
    """Return the places of a longest increasing subsequence of different numbers."""
    ends: list[int] = []  # the last number of the best run of each length
    at: list[int] = []  # its place
    before: list[int] = []  # for each place, the place that comes before it in its run
    for place, number in enumerate(numbers):
        length = bisect_left(ends, number)
        before.append(at[length - 1] if length else -1)
        ends[length : length + 1] = [number]
        at[length : length + 1] = [place]
    run, place = [], at[-1] if at else -1
    while place >= 0:
        run.append(place)
        place = before[place]
    return run[::-1]


def by_look(old: Sequence[int], new: Sequence[int]) -> Iterator[Gap]:
    """Yield what differs between two lists whose items go by nothing, in their order; each gap as short as can be told.

    Args:
        old: A number for each item before: equal items have the same.
        new: The same for those after.
    """
    yield from _gaps(old, new, Gap(range(len(old)), range(len(new))), 0)


def _gaps(old: Sequence[int], new: Sequence[int], gap: Gap, rounds: int) -> Iterator[Gap]:
    gap = _trimmed(old, new, gap)
    if not gap.old and not gap.new:
        return
    anchors = _anchors(old, new, gap) if gap.old and gap.new and rounds < _MOST_ROUNDS else []
    if not anchors:
        yield gap
        return
    first_old, first_new = gap.old.start, gap.new.start
    for anchor in (*anchors, Pair(gap.old.stop, gap.new.stop)):
        between = Gap(range(first_old, anchor.old), range(first_new, anchor.new))
        yield from _gaps(old, new, between, rounds + 1)
        first_old, first_new = anchor.old + 1, anchor.new + 1


def _trimmed(old: Sequence[int], new: Sequence[int], gap: Gap) -> Gap:
    """Return the gap without what is the same at its beginning and at its end."""
    start, stop, other_start, other_stop = gap.old.start, gap.old.stop, gap.new.start, gap.new.stop
    while start < stop and other_start < other_stop and old[start] == new[other_start]:
        start, other_start = start + 1, other_start + 1
    while start < stop and other_start < other_stop and old[stop - 1] == new[other_stop - 1]:
        stop, other_stop = stop - 1, other_stop - 1
    return Gap(range(start, stop), range(other_start, other_stop))


def _anchors(old: Sequence[int], new: Sequence[int], gap: Gap) -> list[Pair]:
    """Return the items that are once on both sides, as many as have the same order."""
    once_old, once_new = (dict(_once(side, part)) for side, part in ((old, gap.old), (new, gap.new)))
    pairs = [Pair(once_old[look], place) for look, place in once_new.items() if look in once_old]
    return [pairs[index] for index in _longest_rise([pair.old for pair in pairs])]


def _once(looks: Sequence[int], part: range) -> Iterator[tuple[int, int]]:
    times = Counter(looks[place] for place in part)
    return ((looks[place], place) for place in part if times[looks[place]] == 1)
