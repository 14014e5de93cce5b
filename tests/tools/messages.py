"""Random messages of the wire contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from viam_mcp.proto.google.protobuf.struct_pb2 import Struct
from viam_mcp.tools import TOOLS, redacted
from viam_mcp.tools.redaction._names import names_secret
from viam_mcp.tools.results._output import Many, One

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

harmless = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=":"), max_size=8)
seconds = st.integers(-62_135_596_800, 253_402_300_799)  # the years 1 to 9999
nanos = st.sampled_from([0, 1, 999, 1_000, 20_000, 1_000_000, 500_000_000, 999_999_999])
keys = harmless.filter(lambda key: not names_secret(key))
"""Keys of objects under which nothing is a credential: `Bearer` is eight characters long, and hypothesis finds it."""
documents = st.dictionaries(
    keys,
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | harmless,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
).filter(lambda document: redacted(document) == document)
"""JSON objects without credentials."""


def result_types() -> Iterator[type[Message]]:
    """Every type of message that a tool's result is made of."""
    for tool in TOOLS.values():
        returns = tool.spec.returns
        if isinstance(returns, One):
            yield returns.message
        elif isinstance(returns, Many):
            yield from returns.lists.values()


RESULTS = sorted(set(result_types()), key=lambda kind: kind.DESCRIPTOR.full_name)


@st.composite
def messages(draw: st.DrawFn, kind: type[Message]) -> Any:
    """A message of this type in which any field may be set."""
    message = kind()
    fill(draw, message)
    return message


def fill(draw: st.DrawFn, message: Any) -> None:
    """Set some of the fields."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = draw(seconds), draw(nanos)
        return
    if name == "google.protobuf.Struct":
        message.update(draw(documents))
        return
    for field in message.DESCRIPTOR.fields:
        if draw(st.booleans()):
            set_field(draw, message, field)


def set_field(draw: st.DrawFn, message: Message, field: FieldDescriptor) -> None:
    """Set one field."""
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        kind = field.message_type.fields_by_name["value"]
        for key in draw(st.lists(keys, max_size=2)):
            if kind.message_type is not None:
                fill(draw, value[key])
            else:
                value[key] = draw(scalars(kind))
    elif field.message_type is not None:
        for each in [value.add() for _ in range(draw(st.integers(0, 2)))] if field.is_repeated else [value]:
            each.SetInParent()
            fill(draw, each)
    elif field.is_repeated:
        value.extend(draw(st.lists(scalars(field), max_size=2)))
    else:
        setattr(message, field.name, draw(scalars(field)))


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of one scalar field."""
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    bits: dict[int, tuple[int | None, int]] = {field.CPPTYPE_INT32: (-31, 31), field.CPPTYPE_INT64: (-63, 63)}
    bits |= {field.CPPTYPE_UINT32: (None, 32), field.CPPTYPE_UINT64: (None, 64)}
    if field.cpp_type in bits:
        low, high = bits[field.cpp_type]
        return st.integers(0 if low is None else -(2**-low), 2**high - 1)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        return st.floats(-1_000, 1_000, width=32)
    return harmless


def struct(value: dict[str, Any]) -> Struct:
    """A JSON object as it travels."""
    message = Struct()
    message.update(value)
    return message
