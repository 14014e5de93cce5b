"""Wire messages as JSON values, and the JSON schema of what comes out.

A message type is compiled once, from its descriptor, into a Python function that reads its fields
one after the other; from then on encoding is a call. What comes out:

- field names as in the wire contract, enums by short name (`ONLINE_STATE_OFFLINE` is "offline"),
  times as RFC 3339 in UTC, 64-bit integers as numbers, Struct as plain JSON;
- numbers and booleans always, everything else only where it is set;
- text as it is stored, since what was read can be sent back; that of log entries sanitized, since it is only displayed;
- credentials (`debug_redact` in the contract, and what `redaction` finds inside a Struct or a text) replaced by
  `[redacted]`, unless the encoder was asked to reveal them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache, partial
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from viam_mcp.tools.redaction._marks import REDACTED, not_a_number
from viam_mcp.tools.redaction._secrets import redact, redacted, without_secrets
from viam_mcp.tools.redaction._text import sanitize

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, EnumDescriptor
    from google.protobuf.message import Message

Json = Any
Writer = Callable[[Any], Json]

# A configuration travels twice, as a Struct and as the text it was written in. The Struct is enough.
_SAID_TWICE = frozenset({"robot_config_json", "fragment_config_json"})

# What nobody sends back.
_DISPLAYED_ONLY = frozenset({"viam.common.v1.LogEntry"})

# Where in a program something is logged, and about what: few values say nearly all that a part logs.
_SAID_OFTEN = frozenset({"viam.common.v1.LogEntry.caller", "viam.common.v1.LogEntry.fields"})
_LONGEST_REMEMBERED = 500  # bytes

# Texts that only tell which one or what kind: no credential gets into one.
_TELLS_WHICH = re.compile(r"(.*_)?(id|ids|name|namespace|level|host|email|version|type|platform|state)")


class FreeForm(dict[str, Json]):
    """A Struct as JSON: an object without a schema, in which a mark can stand in the place of any value."""


def encode(message: Message, *, reveal: bool = False) -> dict[str, Json]:
    """Return a message of the wire contract as a JSON object; `reveal` gives credentials as they are."""
    encoded: dict[str, Json] = _encoder(message.DESCRIPTOR, reveal)(message)
    return encoded


@cache
def _encoder(descriptor: Descriptor, reveal: bool) -> Writer:
    """Return the compiled function that encodes one message type.

    Its source holds only field names of our own descriptors; values reach it as arguments.
    """
    scope: dict[str, Any] = {
        "isfinite": isfinite,
        "redacted": redacted,
        "sanitize": sanitize,
        "without_secrets": without_secrets,
    }
    lines = ["def encode_message(message):", "    out = {}"]
    for number, field in enumerate(_fields(descriptor)):
        scope[f"write_{number}"] = _writer(field, reveal)
        lines += [f"    {line}" for line in _statements(field, f"write_{number}", reveal)]
    exec("\n".join([*lines, "    return out"]), scope)  # noqa: S102 - see above
    compiled: Writer = scope["encode_message"]
    return compiled


def _fields(descriptor: Descriptor) -> list[FieldDescriptor]:
    return [field for field in descriptor.fields if field.name not in _SAID_TWICE]


def _statements(field: FieldDescriptor, write: str, reveal: bool) -> list[str]:
    """Return the lines that write one field, `write` being the name of what turns its value into JSON."""
    name, put = field.name, f"out[{field.name!r}] ="
    if _is_map(field):
        members = f"{{key: {write}(entries[key]) for key in entries}}"
        # What a member is called may say that it is a credential, as in a configuration.
        return [f"entries = message.{name}", f"if entries: {put} {members if reveal else f'redacted({members})'}"]
    if field.is_repeated:
        return [f"values = message.{name}", f"if values: {put} [{write}(value) for value in values]"]
    if field.has_presence:
        return [f"if message.HasField({name!r}): {put} {write}(message.{name})"]
    if field.type == field.TYPE_STRING:
        return [f"value = message.{name}", f"if value: {put} {_text_expression(field, write, reveal)}"]
    if field.enum_type is not None:
        return [f"value = message.{name}", f"if value: {put} {write}(value)"]
    if field.cpp_type in _FLOATS:
        return [f"value = message.{name}", f"if isfinite(value): {put} value"]  # JSON has no other numbers
    return [f"{put} message.{name}"]


def _text_expression(field: FieldDescriptor, write: str, reveal: bool) -> str:
    """Return the expression that turns a text, `value`, into JSON; calls of Python functions cost most."""
    if _is_secret(field) or _is_displayed_only(field):
        return f"{write}(value)"
    return "value" if reveal or _TELLS_WHICH.fullmatch(field.name) else "without_secrets(value)"


def _writer(field: FieldDescriptor, reveal: bool) -> Writer:
    """Return what turns one value of this field into JSON."""
    if _is_secret(field):
        return _unchanged if reveal else lambda value: REDACTED
    if _is_map(field):
        return _writer(_map_value(field), reveal)
    if field.enum_type is not None:
        return enum_names(field.enum_type).__getitem__
    if field.type == field.TYPE_STRING:
        plain = reveal or bool(_TELLS_WHICH.fullmatch(field.name))
        if _is_displayed_only(field):
            return sanitize if plain else _displayed
        return _unchanged if plain else without_secrets
    if field.message_type is None:
        return _unchanged
    if field.full_name in _SAID_OFTEN:
        return _remembering(GetMessageClass(field.message_type), reveal)
    well_known: dict[str, Writer] = {
        "google.protobuf.Timestamp": _time,
        "google.protobuf.Struct": partial(_struct, reveal=reveal),
        "google.protobuf.Value": partial(_value, reveal=reveal),
    }
    return well_known.get(field.message_type.full_name) or _encoder(field.message_type, reveal)


def _unchanged(value: Json) -> Json:
    return value


def _displayed(text: str) -> str:
    return without_secrets(sanitize(text))


def _is_displayed_only(field: FieldDescriptor) -> bool:
    return field.containing_type is not None and field.containing_type.full_name in _DISPLAYED_ONLY


_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


@cache
def may_hold_credential(descriptor: Descriptor) -> bool:
    """Tell whether a message of this type can hold a credential, by the wire contract's `debug_redact`."""
    return any(
        _is_secret(field) or (field.message_type is not None and may_hold_credential(field.message_type))
        for field in descriptor.fields
        # A Struct holds values that hold Structs.
        if not (field.message_type is not None and field.message_type.full_name.startswith("google.protobuf."))
    )


def _is_secret(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().debug_redact)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _map_value(field: FieldDescriptor) -> FieldDescriptor:
    value: FieldDescriptor = field.message_type.fields_by_name["value"]  # type: ignore[union-attr]
    return value


class _Names(dict[int, str]):
    def __missing__(self, number: int) -> str:
        # A server newer than our contract may send a number that has no name here, and the schema no place for it.
        return self[0]


@cache
def enum_names(enum: EnumDescriptor) -> dict[int, str]:
    """Numbers of an enum to the names that people use: lower case, without the prefix that all of them share."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return _Names({value.number: value.name.removeprefix(prefix).lower() for value in enum.values})


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MINUTE, _LAST_MINUTE = -1_035_593_280, 4_223_371_679  # of the years 1 and 9999, all that RFC 3339 can say
_TWO_DIGITS = [f"{number:02}" for number in range(60)]


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    time = _EPOCH + timedelta(minutes=min(max(minutes, _FIRST_MINUTE), _LAST_MINUTE))
    return time.replace(tzinfo=None).isoformat(timespec="minutes") + ":"


def rfc3339(seconds: int, nanos: int = 0) -> str:
    """Return a time in UTC, with as many fractional digits (0, 3, 6 or 9) as it needs."""
    minutes, second = divmod(seconds, 60)
    text = _minute(minutes) + _TWO_DIGITS[second]
    if not nanos:
        return f"{text}Z"
    if nanos % 1_000:
        return f"{text}.{nanos:09}Z"
    return f"{text}.{nanos // 1_000:06}Z" if nanos % 1_000_000 else f"{text}.{nanos // 1_000_000:03}Z"


def _time(value: Any) -> str:
    # A machine may send more nanoseconds than a second has, and no date can say that.
    return rfc3339(value.seconds, min(max(value.nanos, 0), 999_999_999))


def _struct(struct: Any, reveal: bool = False) -> Json:
    plain = _members(struct)
    return FreeForm(plain if reveal else cast("dict[str, Json]", redact(plain)))


def _members(struct: Any) -> dict[str, Json]:
    fields = struct.fields
    return {key: _plain(fields[key]) for key in fields}


def _remembering(kind: type[Message], reveal: bool) -> Writer:
    """Return what writes a Struct, and reads one only if it has not lately written the same."""
    recent = lru_cache(maxsize=1024)(lambda data: _logged(kind.FromString(data), reveal))

    def write(struct: Any) -> Json:
        data = struct.SerializeToString()
        return {**recent(data)} if len(data) <= _LONGEST_REMEMBERED else _logged(struct, reveal)

    return write


def _logged(struct: Any, reveal: bool) -> Json:
    """Return a Struct that is only displayed."""
    plain = _sanitized(_members(struct))
    return plain if reveal else redact(plain)


def _sanitized(value: Json) -> Json:
    if isinstance(value, dict):
        return {sanitize(key): _sanitized(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sanitized(item) for item in value]
    return sanitize(value) if isinstance(value, str) else value


def _value(value: Any, reveal: bool = False) -> Json:
    plain = _plain(value)
    return plain if reveal else redacted(plain)


def _plain(value: Any) -> Json:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        return _members(value.struct_value)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        return _number(value.number_value)
    return value.bool_value if kind == "bool_value" else None


def _number(number: float) -> float | str:
    if not isfinite(number):
        return not_a_number(number)
    # From 2**53 on, more digits would claim what a double does not hold.
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def schema_of(kind: type[Message]) -> dict[str, Json]:
    """Return the JSON schema of what `encode` makes of a message of this type: names, types, enums."""
    return _object_schema(cast("Descriptor", kind.DESCRIPTOR))


def _object_schema(descriptor: Descriptor) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {
            field.name: _field_schema(field) for field in descriptor.fields if field.name not in _SAID_TWICE
        },
    }


def _field_schema(field: FieldDescriptor) -> dict[str, Json]:
    if _is_map(field):
        return {"type": "object", "additionalProperties": _one_schema(_map_value(field))}
    return {"type": "array", "items": _one_schema(field)} if field.is_repeated else _one_schema(field)


_WELL_KNOWN_SCHEMAS: dict[str, dict[str, Json]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
}


def _one_schema(field: FieldDescriptor) -> dict[str, Json]:
    if field.message_type is not None:
        well_known = _WELL_KNOWN_SCHEMAS.get(field.message_type.full_name)
        return _object_schema(field.message_type) if well_known is None else well_known
    if field.enum_type is not None:
        return {"type": "string", "enum": [*enum_names(field.enum_type).values()]}
    if field.cpp_type == field.CPPTYPE_STRING:
        return {"type": "string"}
    if field.cpp_type == field.CPPTYPE_BOOL:
        return {"type": "boolean"}
    return {"type": "number" if field.cpp_type in _FLOATS else "integer"}
