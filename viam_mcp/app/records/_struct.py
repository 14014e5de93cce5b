"""Free-form objects: `Struct` on the wire, plain dictionaries in Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from viam_mcp.proto.google.protobuf.struct_pb2 import ListValue, Struct, Value

__all__ = ["to_plain", "to_struct", "to_value"]

# Struct carries numbers as IEEE doubles. Beyond this limit two neighbouring integers are the same double.
_EXACT = 2**53
# protobuf parses at most 100 nested messages, and a level of objects is three of them.
_DEEPEST = 30


def to_plain(struct: Struct) -> dict[str, Any]:
    """Return a `Struct` as a plain dictionary: whole numbers as int, null as None."""
    return {key: _plain(value) for key, value in struct.fields.items()}


def to_struct(mapping: Mapping[str, Any] | None, name: str) -> Struct | None:
    """Return a mapping as a `Struct`. None stays None; an empty mapping is a `Struct` that is present and empty.

    Args:
        mapping: What JSON can carry, with tuples as lists.
        name: The parameter that it came in, where the paths in errors begin.

    Raises:
        ValueError: For a value that would not arrive as it is, with the path to it: what JSON does not
            have, NaN and infinities, integers beyond 2**53, nesting too deep.
    """
    if mapping is None:
        return None
    struct = Struct()
    _fill(struct, mapping, name, 0)
    # Marks the message as present even when it holds nothing.
    struct.SetInParent()
    return struct


def to_value(item: Any, name: str) -> Value:
    """Return anything that JSON can carry as a `Value`. None is JSON's null.

    Args:
        item: What JSON can carry, with tuples as lists.
        name: The parameter that it came in, where the paths in errors begin.

    Raises:
        ValueError: As `to_struct`.
    """
    value = Value()
    _set(value, item, name, 1)
    return value


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    if kind == "struct_value":
        return to_plain(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    return None


def _fill(struct: Struct, mapping: Mapping[str, Any], path: str, depth: int) -> None:
    for key, item in mapping.items():
        if not isinstance(key, str):
            # The key is a value of the caller's document, so this is no TypeError.
            raise ValueError(f"{path} has the key {key!r}: keys are strings")  # noqa: TRY004
        _set(struct.fields[_text(key, path)], item, f"{path}.{key}", depth + 1)


def _set(value: Value, item: Any, path: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"{path[:120]}… is nested deeper than {_DEEPEST} levels")
    match item:
        case None:
            value.null_value = 0  # type: ignore[assignment]  # the enum's only value
        case bool():
            value.bool_value = item
        case str():
            value.string_value = _text(item, path)
        case int() | float():
            value.number_value = _number(item, path)
        case Mapping():
            value.struct_value.SetInParent()
            _fill(value.struct_value, item, path, depth)
        case Sequence() if not isinstance(item, bytes | bytearray | memoryview):
            value.list_value.CopyFrom(ListValue())
            for index, member in enumerate(item):
                _set(value.list_value.values.add(), member, f"{path}[{index}]", depth + 1)
        case _:
            raise ValueError(f"{path} is of type {type(item).__name__}, which JSON does not have")


def _number(number: float, path: str) -> float:
    if isinstance(number, int) and abs(number) > _EXACT:
        raise ValueError(f"{path} is {number}, which would not arrive exactly: send it as a string")
    if not math.isfinite(number):
        raise ValueError(f"{path} is {number}, which JSON does not have")
    return float(number)


def _text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path} holds half of a surrogate pair, which is not text") from None
    return text
