"""The shapes that results have, and their JSON schemas.

Every result is one JSON object, so that clients which show a model nothing but the structured
content show it all: beside the data it holds `warnings`, and lists hold `next_cursor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.redaction._secrets import REDACTED, redacted
from viam_mcp.tools.redaction._text import json_text, sanitize
from viam_mcp.tools.results._encode import FreeForm, encode, may_hold_credential, schema_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from google.protobuf.message import Message

Json = Any

_SOMETIMES = frozenset({"next_cursor", "tail_cursor", "gap", "gaps", "groups", "value_at_path"})


class Output(ABC):
    """The shape of what a tool answers."""

    @abstractmethod
    def properties(self) -> dict[str, Json]:
        """Return the JSON schema of each member."""

    def messages(self) -> Collection[type[Message]]:
        """Return the types of message that it is made of."""
        return ()

    def holds_secret(self) -> bool:
        """Tell whether there can be a credential in it."""
        return any(may_hold_credential(message.DESCRIPTOR) for message in self.messages())


class Whole(Output):
    """An output that is made at once from what a tool's `run` gives back, not item by item as lists are."""

    @abstractmethod
    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """Return the members; credentials redacted unless they are to be revealed."""


class Readable(Output):
    """An output whose text content is not its JSON."""

    @abstractmethod
    def text(self, data: dict[str, Json]) -> str:
        """Return the whole result as a person reads it."""


@dataclass(frozen=True)
class One(Whole):
    """One message (or a record of it), under `name`."""

    name: str
    message: type[Message]

    def __post_init__(self) -> None:
        _check_message(self.name, self.message)

    def properties(self) -> dict[str, Json]:
        """Return the JSON schema of each member."""
        return {self.name: schema_of(self.message)}

    def messages(self) -> Collection[type[Message]]:
        """Return the types of message that it is made of."""
        return (self.message,)

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """Return the members; credentials redacted unless they are to be revealed."""
        return {self.name: encode_item(value, reveal=reveal)}


@dataclass(frozen=True)
class Many(Output):
    """Lists of messages (or records of them), by name. Only a `ListTool` returns it."""

    lists: Mapping[str, type[Message]]

    def __init__(self, **lists: type[Message]) -> None:
        for name, message in lists.items():
            _check_message(name, message)
        object.__setattr__(self, "lists", lists)

    def properties(self) -> dict[str, Json]:
        """Return the JSON schema of each member."""
        lists = {name: {"type": "array", "items": schema_of(kind)} for name, kind in self.lists.items()}
        return {**lists, "next_cursor": {"type": "string"}}

    def messages(self) -> Collection[type[Message]]:
        """Return the types of message that it is made of."""
        return tuple(self.lists.values())


@dataclass(frozen=True)
class Values(Whole):
    """Plain values, by name: a Python type each, and the names of those that are credentials.

    Args:
        secret: The members that are credentials.
        types: The type of each member: `str`, `bool`, `int`, `float`, `dict` for a JSON object, `list` for a list of
            texts.

    Raises:
        TypeError: A type is none of these, or a credential is no member.
    """

    types: Mapping[str, type]
    secrets: frozenset[str]

    def __init__(self, *, secret: str | Collection[str] = (), **types: type) -> None:
        secrets = frozenset({secret} if isinstance(secret, str) else secret)
        for name, kind in types.items():
            if kind not in _JSON_TYPES:
                there_are = ", ".join(one.__name__ for one in _JSON_TYPES)
                raise TypeError(f"Values({name}={getattr(kind, '__name__', kind)}): there are {there_are}")
        if missing := secrets - types.keys():
            raise TypeError(f"Values(secret=...): {', '.join(sorted(missing))} is no member")
        object.__setattr__(self, "types", types)
        object.__setattr__(self, "secrets", secrets)

    def properties(self) -> dict[str, Json]:
        """Return the JSON schema of each member."""
        return {name: dict(_JSON_TYPES[kind]) for name, kind in self.types.items()}

    def holds_secret(self) -> bool:
        """Tell whether there can be a credential in it."""
        return bool(self.secrets)

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """Return the members; credentials redacted unless they are to be revealed."""
        values = value if isinstance(value, tuple) else (value,)
        members = dict(zip(self.types, values, strict=True))
        return {
            name: _hidden(item) if name in self.secrets and not reveal else _encoded(item, reveal=reveal)
            for name, item in members.items()
        }


def _hidden(value: Json) -> Json:
    """Return what stands for a credential, or for each of a list of them."""
    return [REDACTED for _ in value] if isinstance(value, list) else REDACTED


def _encoded(value: Json, *, reveal: bool) -> Json:
    """Return a plain value; credentials inside of an object or a list redacted."""
    safe = redacted(value) if isinstance(value, dict | list) and not reveal else value
    return FreeForm(safe) if isinstance(safe, dict) else safe


@dataclass(frozen=True)
class Done(Whole):
    """No data, but a sentence that says what was done; in it `{subject}` stands for the tool's subject."""

    sentence: str

    def properties(self) -> dict[str, Json]:
        """Return the JSON schema of each member."""
        return {"done": {"type": "string"}}

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """Return the members; `value` is the subject."""
        return {"done": sanitize(self.sentence.format(subject=value))}


_JSON_TYPES: dict[type, dict[str, Json]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    dict: {"type": "object"},
    list: {"type": "array", "items": {"type": "string"}},
}


def _check_message(name: str, message: type[Message]) -> None:
    """Do nothing if a result can be made of messages of a type.

    Raises:
        TypeError: It cannot.
    """
    full_name = message.DESCRIPTOR.full_name
    if full_name.startswith("google.protobuf."):
        raise TypeError(
            f"{name} of type {full_name} has no fields of its own: give it as a value, with Values({name}=dict)"
        )


def encode_item(value: Any, *, reveal: bool) -> dict[str, Json]:
    """Return a message, or a record of one, as JSON."""
    return encode(getattr(value, "proto", value), reveal=reveal)


def as_text(output: Output, data: dict[str, Json]) -> str:
    """Return the text content that says what the structured content does."""
    return output.text(data) if isinstance(output, Readable) else json_text(data)


def output_schema(output: Output) -> dict[str, Json]:
    """Return the JSON schema of a tool's whole result."""
    properties = output.properties()
    required = [name for name in properties if name not in _SOMETIMES]
    properties["warnings"] = {"type": "array", "items": {"type": "string"}}
    # An empty list of required members is refused by validators of the older drafts.
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}
