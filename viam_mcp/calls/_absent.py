"""Optional arguments that count as left out: null, and empty where empty has no meaning.

Several agent frameworks have a model fill in every argument, or fill in themselves what it leaves out, with null or
with an empty value of the argument's type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from viam_mcp.tools import KeepEmpty, input_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from viam_mcp.tools import Tool

Json = Any

_EMPTY: dict[str, Json] = {"string": "", "array": [], "object": {}}


@dataclass(frozen=True)
class _Field:
    """What decides whether a value of a field counts as left out.

    Attributes:
        required: Whether the field has to be given.
        empty: The value that counts as left out besides null; None for no other.
        inner: The fields of the object, or of the objects in the list, that the field takes.
    """

    required: bool
    empty: Json
    inner: Mapping[str, _Field]


def without_absent(tool: type[Tool], arguments: Mapping[str, Json]) -> dict[str, Json]:
    """Return a tool's arguments without those that count as left out."""
    return _present(_fields(tool), arguments)


def _present(fields: Mapping[str, _Field], values: Mapping[str, Json]) -> dict[str, Json]:
    found = {}
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            found[name] = value
        elif field.required or not _counts_as_absent(field, value):
            found[name] = _inner(field.inner, value)
    return found


def _inner(fields: Mapping[str, _Field], value: Json) -> Json:
    if not fields:
        return value
    if isinstance(value, list):
        return [_inner(fields, item) for item in value]
    return _present(fields, value) if isinstance(value, dict) else value


def _counts_as_absent(field: _Field, value: Json) -> bool:
    # False equals 0, and means something.
    return value is None or (field.empty is not None and type(value) is not bool and value == field.empty)


@cache
def _fields(tool: type[Tool]) -> Mapping[str, _Field]:
    return _fields_of(tool, input_schema(tool))


def _fields_of(model: type[BaseModel], schema: Mapping[str, Json]) -> Mapping[str, _Field]:
    fields = {}
    for name, info in model.model_fields.items():
        own = schema["properties"][name]
        parts = [*info.metadata, *_parts(info.annotation)]
        inner = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)
        keeps = any(isinstance(part, KeepEmpty) for part in parts)
        fields[name] = _Field(
            info.is_required(),
            None if keeps else _empty(own),
            {} if inner is None else _fields_of(inner, own.get("items", own)),
        )
    return fields


def _parts(annotation: Json) -> Iterator[Json]:
    """Yield the types and the metadata that an annotation is made of."""
    yield annotation
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _parts(part)


def _empty(schema: Mapping[str, Json]) -> Json:
    """Return the empty value of a type. Zero counts as empty only where it is below the least value."""
    if schema.get("type") in ("integer", "number"):
        return 0 if schema.get("minimum", 0) > 0 else None
    return _EMPTY.get(schema.get("type", ""))
