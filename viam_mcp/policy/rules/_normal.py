"""Arguments in one normal form, which is all that rules see of them.

What one thing is called in several ways (an e-mail address with a name, a configuration as text, `public` for a
visibility) is there in each, by what the arguments' types declare. Everything here is pure.
"""

from __future__ import annotations

from email.utils import getaddresses
from functools import cache
from typing import TYPE_CHECKING, Any

from viam_mcp.policy.rules._machine_config import config
from viam_mcp.policy.rules._nodes import Branch, Leaf, at, leaf
from viam_mcp.policy.rules._text import cleaned
from viam_mcp.tools import EmailAddress, IsPublic, IsVisibility, MachineConfig, Ref, marks_of, models_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from viam_mcp.policy.rules._nodes import Node

Json = Any

_PUBLIC, _VISIBILITY = "public", "visibility"


class NormalForm:
    """A call's arguments as rules see them.

    Args:
        model: What declares the arguments; None if nothing does.
        arguments: The arguments, as JSON values.
    """

    def __init__(self, model: type[BaseModel] | None, arguments: Mapping[str, Json]) -> None:
        self._model = model
        self._root = _object(model, arguments)

    def holds(self, path: str, patterns: Sequence[str], *, widens: bool) -> bool:
        """Whether the values at a path are as patterns say.

        Args:
            path: Where to look, such as `authorizations.role`.
            patterns: Those of a shell (`*`, `?`, `[ab]`), one of which has to fit.
            widens: True where a match allows more: then every value at the path has to match, exactly as it is
                written. Where a match allows less, one value is enough that may be meant, however it is written.
        """
        nodes = list(at([self._root], normal_path(self._model, path).split(".")))
        if widens:
            return bool(nodes) and all(node.allows(patterns) for node in nodes)
        return any(node.denies(patterns) for node in nodes)

    def shown(self) -> dict[str, Json]:
        """The normal form as JSON, for a person."""
        shown: dict[str, Json] = self._root.shown()
        return shown


def normal_path(model: type[BaseModel] | None, path: str) -> str:
    """Return where in the normal form stands what a path of a rule leads to."""
    head, dot, rest = path.partition(".")
    return f"{_texts_of(model).get(head, head)}{dot}{rest}"


@cache
def virtual(model: type[BaseModel]) -> frozenset[str]:
    """Return the arguments that a tool does not take and that its calls have in their normal form."""
    marks = [mark for info in model.model_fields.values() for mark in marks_of(info)]
    if any(isinstance(mark, IsPublic | IsVisibility) for mark in marks):
        return frozenset({_PUBLIC, _VISIBILITY}) - model.model_fields.keys()
    return frozenset()


@cache
def _texts_of(model: type[BaseModel] | None) -> Mapping[str, str]:
    """The arguments that are another one as text."""
    fields = {} if model is None else model.model_fields
    marked = ((name, mark) for name, info in fields.items() for mark in marks_of(info))
    return {name: mark.text_of for name, mark in marked if isinstance(mark, MachineConfig) and mark.text_of}


def _object(model: type[BaseModel] | None, values: Mapping[str, Json]) -> Branch:
    branch = Branch(dict(values))
    for name, value in values.items():
        if value is None:
            continue
        info = None if model is None else model.model_fields.get(name)
        marks = [] if info is None else list(marks_of(info))
        inner = None if info is None else next(models_in(info.annotation), None)
        nodes = [node for one in _each(value) for node in _nodes(one, marks, inner)]
        branch.add(_texts_of(model).get(name, name), *nodes)
        if isinstance(value, list):
            branch.lists.add(name)
        if any(isinstance(mark, IsPublic) for mark in marks):
            branch.add(_VISIBILITY, leaf("public" if value else "private"))
        if any(isinstance(mark, IsVisibility) for mark in marks):
            branch.add(_PUBLIC, leaf(value != "private"))
    return branch


def _each(value: Json) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _each(item)
    elif value is not None:
        yield value


def _nodes(value: Json, marks: Sequence[Any], inner: type[BaseModel] | None) -> list[Node]:
    if any(isinstance(mark, MachineConfig) for mark in marks):
        return [config(value)]
    if isinstance(value, dict):
        return [_object(inner, value)]
    if isinstance(value, str) and any(isinstance(mark, EmailAddress) for mark in marks):
        return [_address(value)]
    is_item = any(isinstance(mark, Ref) and "item" in mark.kinds for mark in marks)
    return [leaf(value, item=is_item)]


def _address(text: str) -> Leaf:
    """A text that holds an e-mail address, or several, with the names of people or without."""
    addresses = [cleaned(address) for _, address in getaddresses([cleaned(text)]) if address]
    if not addresses or not all("@" in address for address in addresses):
        return Leaf((text,), undecidable=True)
    found, loose = [], []
    for address in addresses:
        local, _, host = address.rpartition("@")
        local = local.strip('"')
        found.append(f"{local}@{host}")
        loose += [f"{local}@{other}" for other in _hosts(host)]
    also = tuple(found) if found != [text] else ()
    return Leaf((text,), tuple(loose), also)


def _hosts(host: str) -> Iterator[str]:
    """The other spellings of a host's name: in letters of its own and in those of the DNS."""
    for to_dns in (True, False):
        try:
            other = host.encode("idna").decode() if to_dns else host.encode().decode("idna")
        except (UnicodeError, ValueError):
            continue
        if other != host:
            yield other
