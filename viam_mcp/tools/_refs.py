"""What a value refers to: an organization, a location, a machine, and so on.

Arguments say it in their types (`MachineId = Annotated[str, Ref("machine")]`), messages of the wire contract in
`_belongs`. The policy's scope is derived from both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

Kind = Literal["organization", "location", "machine", "part", "fragment", "item", "key"]
KINDS = frozenset(get_args(Kind))
"""The kinds of things that belong to a place of the fleet. An `item` is an item of the registry."""

_OF_RESOURCES: Mapping[str, Kind] = {"organization": "organization", "location": "location", "robot": "machine"}
"""What the wire contract's `resource_type` means."""

_LOOKS_LIKE_ID = re.compile(r"(.*_)?ids?")
_LOOKS_LIKE_THING = re.compile(r"(.*_)?(org|organization|location|machine|robot|part|fragment|key|uuid)s?")


class Reference(NamedTuple):
    """What one value names.

    Attributes:
        kinds: What it may be: it is one of these, and nothing says which.
        id: Its id; "" for the client's default location.
        top: Whether the top level is meant of the organization that the location belongs to.
    """

    kinds: tuple[str, ...]
    id: str
    top: bool = False

    @property
    def words(self) -> str:
        """What to call it in a message."""
        if not self.id:
            return "the default location"
        place = f"{' or '.join(self.kinds) or 'what is called'} {self.id}"
        return f"the top level above {place}" if self.top else place


@dataclass(frozen=True)
class Ref:
    """Marks a text, or a list of texts, as the ids of things.

    Attributes:
        kinds: What they are; several where the id may be of one or the other.
        by: The field beside it that holds the kind, as a `resource_type` of the wire contract.
        or_default: Where it is left out, the client's default location stands for it.
        top_of: The field beside it whose organization's top level an empty text stands for.
    """

    kinds: tuple[Kind, ...]
    by: str | None
    or_default: bool
    top_of: str | None

    def __init__(
        self, *kinds: Kind, by: str | None = None, or_default: bool = False, top_of: str | None = None
    ) -> None:
        if unknown := set(kinds) - KINDS:
            raise TypeError(f"Ref: {', '.join(sorted(unknown))} is no kind of thing; there are {', '.join(KINDS)}")
        if bool(kinds) is (by is not None):
            raise TypeError(
                'Ref: say what is named, as in Ref("machine"), or which field says so, as in Ref(by="resource_type")'
            )
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "by", by)
        object.__setattr__(self, "or_default", or_default)
        object.__setattr__(self, "top_of", top_of)

    def of(self, values: Any, value: Any) -> Iterator[Reference]:
        """Yield what a value names.

        Args:
            values: What holds it, with the fields beside it as attributes.
            value: The value.
        """
        if isinstance(value, str) and value:
            yield Reference(self._kinds(values), value)
        elif value == "" and self.top_of is not None:
            yield Reference(("location",), getattr(values, self.top_of), top=True)
        elif value is None and self.or_default:
            yield Reference(("location",), "")
        elif value and not isinstance(value, str):
            for item in value:
                yield from self.of(values, item)

    def _kinds(self, values: Any) -> tuple[str, ...]:
        if self.by is None:
            return self.kinds
        return resource_kinds(str(getattr(values, self.by)))


def resource_kinds(resource_type: str) -> tuple[str, ...]:
    """Return what a `resource_type` of the wire contract says that something is; nothing if it is not known."""
    kind = _OF_RESOURCES.get(resource_type)
    return () if kind is None else (kind,)


@dataclass(frozen=True)
class NotARef:
    """Marks a value that looks like an id and names nothing that belongs to a place of the fleet.

    Attributes:
        why: Why a scope need not look at it.
    """

    why: str


def looks_like_id(name: str) -> bool:
    """Whether a field of this name can be expected to hold ids."""
    return _LOOKS_LIKE_ID.fullmatch(name) is not None


def references(model: BaseModel) -> Iterator[Reference]:
    """Yield everything that the arguments of a call name, in their order. Arguments in arguments count."""
    marked = refs(type(model))
    for name, value in model:
        if ref := marked.get(name):
            yield from ref.of(model, value)
            continue
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, BaseModel):
                yield from references(item)


@cache
def refs(model: type[BaseModel]) -> Mapping[str, Ref]:
    """Return which fields of a model hold ids, and of what."""
    marked = {name: _mark(info) for name, info in model.model_fields.items()}
    return {name: mark for name, mark in marked.items() if isinstance(mark, Ref)}


def refs_within(model: type[BaseModel]) -> list[Ref]:
    """Return the marks of a model's fields and of those of the models in them."""
    inner = (part for info in model.model_fields.values() for part in models_in(info.annotation))
    return [*refs(model).values(), *(ref for one in inner for ref in refs_within(one))]


def undeclared(model: type[BaseModel]) -> Iterator[str]:
    """Yield what is missing in the declarations of a model's fields, a sentence each."""
    for name, info in model.model_fields.items():
        mark = _mark(info)
        if mark is None and (looks_like_id(name) or _is_thing(name, info)):
            yield (
                f'{model.__name__}.{name} looks like an id: say what it names, as in Annotated[str, Ref("machine")] or '
                'with a type of tools/arguments/_types.py such as MachineId, or that it names nothing: NotARef("why")'
            )
        beside = [mark.by, mark.top_of] if isinstance(mark, Ref) else []
        for other in beside:
            if other is not None and other not in model.model_fields:
                yield f"{model.__name__}.{name} has a Ref that looks at {other}, and there is no such field beside it"
        for inner in models_in(info.annotation):
            yield from undeclared(inner)


def _is_thing(name: str, info: FieldInfo) -> bool:
    """Whether an argument is named like a kind of thing and holds a text, or several: then it names that thing."""
    return _LOOKS_LIKE_THING.fullmatch(name) is not None and str in _parts(info.annotation)


def _mark(info: FieldInfo) -> Ref | NotARef | None:
    """The mark of a field: its own, or else its type's."""
    return next((mark for mark in marks_of(info) if isinstance(mark, Ref | NotARef)), None)


def marks_of(info: FieldInfo) -> Iterator[Any]:
    """Yield what a field is annotated with, its own annotations before those of its type."""
    yield from reversed(info.metadata)
    yield from _parts(info.annotation)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation is made of, as `list[Inner] | None` is of one."""
    return (part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel))


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the types and the metadata that an annotation is made of, the outer ones first."""
    yield annotation
    yield from reversed(getattr(annotation, "__metadata__", ()))
    for part in get_args(annotation):
        yield from _parts(part)
