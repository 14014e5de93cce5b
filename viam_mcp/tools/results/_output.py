"""The shapes that results have, and their JSON schemas.

Every result is one JSON object, so that clients which show a model nothing but the structured
content show it all: beside the data it holds `warnings`, and lists hold `next_cursor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from viam_mcp.tools.redaction._secrets import REDACTED
from viam_mcp.tools.redaction._text import sanitize
from viam_mcp.tools.results._encode import encode, may_hold_credential, schema_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from google.protobuf.message import Message

Json = Any

_SOMETIMES = frozenset({"next_cursor", "tail_cursor", "gap", "gaps", "groups"})


class Output(ABC):
    """The shape of what a tool answers."""

    @abstractmethod
    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""

    def messages(self) -> Collection[type[Message]]:
        """The types of message that it is made of."""
        return ()

    def holds_secret(self) -> bool:
        """Whether there can be a credential in it."""
        return any(may_hold_credential(message.DESCRIPTOR) for message in self.messages())


class Whole(Output):
    """An output that is made at once from what a tool's `run` gives back, not item by item as lists are."""

    @abstractmethod
    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """The members; credentials redacted unless they are to be revealed."""


class Readable(Output):
    """An output whose text content is not its JSON."""

    @abstractmethod
    def text(self, data: dict[str, Json]) -> str:
        """The whole result as a person reads it."""


@dataclass(frozen=True)
class One(Whole):
    """One message (or a record of it), under `name`."""

    name: str
    message: type[Message]

    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""
        return {self.name: schema_of(self.message)}

    def messages(self) -> Collection[type[Message]]:
        """The types of message that it is made of."""
        return (self.message,)

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """The members; credentials redacted unless they are to be revealed."""
        return {self.name: encode_item(value, reveal=reveal)}


@dataclass(frozen=True)
class Many(Output):
    """Lists of messages (or records of them), by name. Only a `ListTool` returns it."""

    lists: Mapping[str, type[Message]]

    def __init__(self, **lists: type[Message]) -> None:
        object.__setattr__(self, "lists", lists)

    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""
        lists = {name: {"type": "array", "items": schema_of(kind)} for name, kind in self.lists.items()}
        return {**lists, "next_cursor": {"type": "string"}}

    def messages(self) -> Collection[type[Message]]:
        """The types of message that it is made of."""
        return tuple(self.lists.values())


@dataclass(frozen=True)
class Values(Whole):
    """Plain values, by name: a Python type each, and the names of those that are credentials."""

    types: Mapping[str, type]
    secret: str | None

    def __init__(self, *, secret: str | None = None, **types: type) -> None:
        object.__setattr__(self, "types", types)
        object.__setattr__(self, "secret", secret)

    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""
        return {name: {"type": _JSON_TYPES[kind]} for name, kind in self.types.items()}

    def holds_secret(self) -> bool:
        """Whether there can be a credential in it."""
        return self.secret is not None

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """The members; credentials redacted unless they are to be revealed."""
        values = value if isinstance(value, tuple) else (value,)
        members = dict(zip(self.types, values, strict=True))
        return {
            name: REDACTED if name == self.secret and not reveal else sanitize(item) if isinstance(item, str) else item
            for name, item in members.items()
        }


@dataclass(frozen=True)
class Done(Whole):
    """No data, but a sentence that says what was done; in it `{subject}` stands for the tool's subject."""

    sentence: str

    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""
        return {"done": {"type": "string"}}

    def encode(self, value: Any, *, reveal: bool) -> dict[str, Json]:
        """The members; `value` is the subject."""
        return {"done": sanitize(self.sentence.format(subject=value))}


_JSON_TYPES = {str: "string", bool: "boolean", int: "integer"}


def encode_item(value: Any, *, reveal: bool) -> dict[str, Json]:
    """A message, or a record of one, as JSON."""
    return encode(getattr(value, "proto", value), reveal=reveal)


def as_text(output: Output, data: dict[str, Json]) -> str:
    """The text content that says what the structured content does."""
    return output.text(data) if isinstance(output, Readable) else to_json(data).decode()


def output_schema(output: Output) -> dict[str, Json]:
    """The JSON schema of a tool's whole result."""
    properties = output.properties()
    required = [name for name in properties if name not in _SOMETIMES]
    properties["warnings"] = {"type": "array", "items": {"type": "string"}}
    # An empty list of required members is refused by validators of the older drafts.
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}
