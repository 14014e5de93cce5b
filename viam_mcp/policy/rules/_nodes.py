"""What arguments are made of in their normal form: leaves with all the readings that they have, and objects of these.

Everything here is pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from viam_mcp.policy.rules._text import canonical, cleaned, folded, folded_pattern, number, plain, readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Json = Any

UNDECIDABLE = "(cannot be told)"
_ORGANIZATION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Leaf:
    """A value that patterns are held against.

    Attributes:
        texts: The spellings in which it means exactly the same, the one that is shown first.
        loose: More spellings, which may mean the same.
        also: What else it holds, such as the addresses in a text with several.
        number: What number it is; None if it is none.
        item: Whether it names an item of the registry, whose owner can be named in two ways.
        undecidable: Whether nothing can be told of it.
        whole: Whether it is all that it says. In a configuration it may not be: a machine puts something in the place
            of `${...}`, and may find an object where a text stands.
        value: What a person is shown of it, if that is no text.
    """

    texts: tuple[str, ...]
    loose: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    number: float | None = None
    item: bool = False
    undecidable: bool = False
    whole: bool = True
    value: Json = field(default=None, compare=False)

    def allows(self, patterns: Sequence[str]) -> bool:
        """Whether it is surely what one of the patterns stands for, exactly as that is written."""
        if self.undecidable or not all(any(fnmatchcase(text, one) for one in patterns) for text in self.also):
            return False
        if self.number is not None and self.number in map(number, patterns):
            return True
        return any(fnmatchcase(text, pattern) for text in self.texts for pattern in patterns)

    def denies(self, patterns: Sequence[str]) -> bool:
        """Whether it may be what one of the patterns stands for, however it is written."""
        if self.undecidable or (not self.whole and any("${" in text for text in self.texts)):
            return True  # a machine puts something in the place of ${...}
        return any(
            self._may_be(text, pattern) for text in (*self.texts, *self.loose, *self.also) for pattern in patterns
        )

    def _may_be(self, text: str, pattern: str) -> bool:
        if fnmatchcase(text.casefold(), pattern.casefold()):
            return True
        if any(fnmatchcase(reading, folded_pattern(pattern)) for reading in readings(text)):
            return True
        if self.item and _may_be_item(folded(text), folded_pattern(pattern)):
            return True
        meant = number(text)
        return meant is not None and meant == number(pattern)

    def shown(self) -> Json:
        """What a person is shown of it."""
        if self.undecidable:
            return UNDECIDABLE
        if self.value is not None:
            return self.value
        readings = list(dict.fromkeys(map(cleaned, (*self.also, *self.texts[: 0 if self.also else 1]))))
        return readings[0] if len(readings) == 1 else readings


class Branch:
    """An object.

    Args:
        value: It as a JSON value; None if it is put together of members.
        texts: Texts that mean exactly the same, such as the id of a fragment.
        as_text: Whether the first of them is what a person is shown.
        fill: Adds its members, when they are first asked for: most of a large object never is.

    Attributes:
        lists: The members that are lists.
        value: It as a JSON value; None if it is put together of members.
        texts: Texts that mean exactly the same.
        loose: Texts that may mean the same.
        open: Whether what a path into it leads to cannot be told.
    """

    def __init__(
        self,
        value: Json = None,
        texts: tuple[str, ...] = (),
        *,
        as_text: bool = False,
        fill: Callable[[Branch], None] | None = None,
    ) -> None:
        self._members: dict[str, list[Node]] = {}
        self._fill = fill
        self.lists: set[str] = set()
        self.texts = texts
        self.loose: tuple[str, ...] = ()
        self.open = False
        self.value = value
        self._as_text = as_text

    @property
    def members(self) -> dict[str, list[Node]]:
        """What is in it, by folded name: each reading of it, and each item of a list."""
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill(self)
        return self._members

    def add(self, name: str, *nodes: Node) -> None:
        """Add readings of a member that it does not have yet."""
        held = self.members.setdefault(name, [])
        held += [node for node in nodes if node not in held] if held else nodes

    def words(self, name: str) -> list[str]:
        """Return the texts of a member, folded."""
        leaves = (node for node in self.members.get(name, ()) if isinstance(node, Leaf))
        return [folded(node.texts[0]) for node in leaves if node.texts]

    def word(self, *names: str) -> str | None:
        """Return the text of the first of these members that has one."""
        return next((text for name in names for text in self.words(name)), None)

    @property
    def stands_for_something(self) -> bool:
        """Whether something else stands in its place in the end, as for `{"$variable": …}` in a fragment."""
        return any(name.startswith("$") for name in self.members)

    def allows(self, patterns: Sequence[str]) -> bool:
        """Whether it is, as JSON, what one of the patterns stands for."""
        return any(fnmatchcase(text, pattern) for text in (*self.texts, self._json()) for pattern in patterns)

    def denies(self, patterns: Sequence[str]) -> bool:
        """Whether it may be what one of the patterns stands for."""
        return Leaf((*self.texts, self._json()), self.loose).denies(patterns)

    def shown(self) -> Json:
        """What a person is shown of it."""
        if self._as_text:
            return cleaned(self.texts[0])
        shown = {name: [node.shown() for node in nodes] for name, nodes in self.members.items()}
        return {name: values if name in self.lists or len(values) != 1 else values[0] for name, values in shown.items()}

    def _json(self) -> str:
        return canonical(plain(self.shown() if self.value is None else self.value))


Node = Leaf | Branch

NOTHING_CAN_BE_TOLD = Leaf((), undecidable=True)


def leaf(value: Json, *, item: bool = False, whole: bool = True) -> Leaf:
    """Return a scalar as a leaf."""
    if isinstance(value, str):
        return Leaf((value,), item=item, whole=whole)
    if isinstance(value, bool) or value is None:
        return Leaf((canonical(value),), whole=whole, value=value)
    exact = canonical(plain(value))
    return Leaf((exact,), (canonical(value), repr(float(value))), number=float(value), whole=whole, value=plain(value))


def at(nodes: Sequence[Node], steps: Sequence[str]) -> Iterator[Node]:
    """Yield every node that a path leads to. A name with dots in it is a step like any other."""
    for node in nodes:
        if isinstance(node, Branch) and node.stands_for_something:
            yield NOTHING_CAN_BE_TOLD
        if not steps:
            yield node
        elif isinstance(node, Branch):
            if node.open:
                yield NOTHING_CAN_BE_TOLD
            for length in range(1, len(steps) + 1):
                name = folded(".".join(steps[:length]))
                yield from at(node.members.get(name, ()), steps[length:])
        elif node.undecidable or not node.whole:
            yield NOTHING_CAN_BE_TOLD


def _may_be_item(item: str, pattern: str) -> bool:
    """Whether an item may be one that is meant, though its owner is named in the other way than the pattern does."""
    owner, _, name = item.partition(":")
    wanted, colon, wanted_name = pattern.partition(":")
    other_way = bool(_ORGANIZATION_ID.fullmatch(owner)) is not bool(_ORGANIZATION_ID.fullmatch(wanted))
    return other_way and (not colon or fnmatchcase(name, wanted_name))
