"""What may be shown of a message: never a field that the wire contract marks `debug_redact`."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

__all__ = ["REDACTED", "asked", "is_secret", "secrets_in", "shown"]

REDACTED = "[redacted]"
_LONGEST_VALUE = 120
_NAMES_WHAT_IS_MEANT = re.compile(r"(^|_)(ids?|name|email|namespace|location|version|platform)$")


@cache
def is_secret(field: FieldDescriptor) -> bool:
    """Return whether the field holds a credential."""
    return bool(field.GetOptions().debug_redact)


def secrets_in(message: Message) -> Iterator[str]:
    """Yield the credentials that a message carries, at any depth."""
    for field, value in message.ListFields():
        for item in _items(field, value):
            if is_secret(field):
                if isinstance(item, str):
                    yield item
            elif field.message_type is not None:
                yield from secrets_in(item)


def asked(rpc: str, request: Message) -> str:
    """Return a call as a person would name it, such as `GetRobot(id='…')`: the rpc and what identifies its object."""
    return f"{rpc}({', '.join(f'{name}={value}' for name, value in _identifiers(request))})"


def shown(message: Message) -> str:
    """Return the fields of a message as `name=value, …`, without credentials and without configurations.

    Configurations are left out because users keep passwords of their own in them.
    """
    return ", ".join(f"{field.name}={_value(field, value)}" for field, value in message.ListFields())


def _identifiers(message: Message) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        if _is_free_form(field) or is_secret(field):
            continue
        if field.message_type is not None:
            for item in _items(field, value):
                yield from _identifiers(item)
        elif _NAMES_WHAT_IS_MEANT.search(field.name):
            yield field.name, _value(field, value)


def _value(field: FieldDescriptor, value: Any) -> str:
    if is_secret(field):
        return REDACTED
    if _is_free_form(field):
        return "…"
    items = [_scalar(field, item) for item in _items(field, value)]
    return f"[{', '.join(items)}]" if field.is_repeated else items[0]


def _scalar(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if field.message_type is None:
        return repr(value if not isinstance(value, str) else value[:_LONGEST_VALUE])
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return str(value.ToJsonString())
    return f"{field.message_type.name}({shown(value)})"


def _items(field: FieldDescriptor, value: Any) -> Iterator[Any]:
    if not field.is_repeated:
        yield value
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    else:
        yield from value


def _is_free_form(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return (
        field.name.endswith("_json")
        or field.type == field.TYPE_BYTES
        or (kind is not None and (kind.full_name.startswith("google.protobuf.Struct") or kind.GetOptions().map_entry))
    )
