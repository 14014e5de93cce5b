"""What may be seen of the messages of the wire contract: the rule of the scope, held against each of their fields.

Whatever names something that is outside is left out, or reduced to its id where it is said of something inside. How
a type of message says what it names is declared in `viam_mcp.tools`; one that does not say is outside.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from viam_mcp.tools import AS_ASKED, BELONGS, OUTSIDE, Belongs, Ref, undeclared_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

    from viam_mcp.tools import Reference

_KEPT_AS_IDS = frozenset({"organization", "fragment"})
"""What is named by its id alone though it is outside: whom a location is shared with, what a configuration brings."""


class Sight(Enum):
    """What may be seen of a thing: all of it, only that it is there, or nothing."""

    WHOLE = "whole"
    ID = "id"
    NOTHING = "nothing"


def references_in(message: Message) -> Iterator[Reference]:
    """Yield everything that has to be judged before a message can be seen."""
    descriptor = _type(message)
    for name, ref in _refs(descriptor).items():
        yield from ref.of(message, getattr(message, name))
    for field in _messages(descriptor):
        for inner in _inner(message, field):
            yield from references_in(inner)


class Seen:
    """What may be seen, once it is known what is inside.

    Args:
        judged: What may be seen of each thing that is named.
    """

    def __init__(self, judged: Mapping[Reference, Sight]) -> None:
        self._judged = judged

    def reduce_answer(self, message: Message) -> list[str]:
        """Take out of an answer what may not be seen.

        Returns:
            The members that are gone though they were all that was asked for.
        """
        gone = []
        for field in _messages(_type(message)):
            if field.is_repeated:
                self._reduce_items(message, field, unknown=Sight.NOTHING)
            elif message.HasField(field.name):
                inner = getattr(message, field.name)
                sight = self._sight(inner, unknown=Sight.NOTHING)
                if sight is Sight.NOTHING or (sight is Sight.ID and not _kept(inner)):
                    message.ClearField(field.name)
                    gone.append(field.name)
                else:
                    self._reduce(inner, sight)
        self._reduce_fields(message)
        return gone

    def _reduce(self, message: Message, sight: Sight) -> None:
        if sight is Sight.ID:
            kept = _kept(message)
            for field, _ in message.ListFields():
                if field.name not in kept:
                    message.ClearField(field.name)
            return
        self._reduce_fields(message)
        for field in _messages(_type(message)):
            if field.is_repeated:
                self._reduce_items(message, field, unknown=Sight.WHOLE)
            elif message.HasField(field.name):
                inner = getattr(message, field.name)
                # Of what belongs to something inside, such as an earlier state of it, the parts are judged.
                whole = self._sight(inner, unknown=Sight.WHOLE) is Sight.WHOLE or not _kept(inner)
                self._reduce(inner, Sight.WHOLE if whole else Sight.ID)

    def _reduce_items(self, message: Message, field: FieldDescriptor, *, unknown: Sight) -> None:
        items = getattr(message, field.name)
        stay = []
        for item in items:
            sight = self._sight(item, unknown=unknown)
            if sight is Sight.NOTHING and _is_fact(item):
                sight = Sight.ID
            if sight is Sight.ID and not _kept(item):
                sight = Sight.NOTHING
            if sight is not Sight.NOTHING:
                self._reduce(item, sight)
                stay.append(item)
        if len(stay) < len(items):
            copies = [type(item).FromString(item.SerializeToString()) for item in stay]
            message.ClearField(field.name)
            getattr(message, field.name).extend(copies)

    def _reduce_fields(self, message: Message) -> None:
        """Take out the ids of what is outside, and the names that go with them."""
        known = BELONGS.get(_type(message).full_name)
        for name in _undeclared(_type(message)):
            message.ClearField(name)
        for name, ref in _refs(_type(message)).items():
            value = getattr(message, name)
            if isinstance(value, str):
                if value and self._is_masked(ref, message, value):
                    setattr(message, name, OUTSIDE)
                    for other in known.named.get(name, ()) if known else ():
                        message.ClearField(other)
            elif masked := [one for one in value if self._is_masked(ref, message, one)]:
                stay = [one for one in value if one not in masked]
                message.ClearField(name)
                getattr(message, name).extend(stay)

    def _is_masked(self, ref: Ref, message: Message, value: str) -> bool:
        return any(
            self._judged.get(one) is not Sight.WHOLE and not _KEPT_AS_IDS.issuperset(one.kinds or ("",))
            for one in ref.of(message, value)
        )

    def _sight(self, message: Message, *, unknown: Sight) -> Sight:
        """What may be seen of a message, by where it belongs."""
        known = BELONGS.get(_type(message).full_name)
        if known is None:
            return unknown
        if known.within is AS_ASKED:
            return Sight.WHOLE
        value, ref = getattr(message, known.within), known.fields.get(known.within)
        if isinstance(ref, Ref):
            sights = [self._judged.get(one, Sight.NOTHING) for one in ref.of(message, value)]
        else:
            inner = _inner(message, _type(message).fields_by_name[known.within])
            sights = [self._sight(one, unknown=Sight.NOTHING) for one in inner]
        return next((sight for sight in Sight if sight in sights), Sight.NOTHING)


def _type(message: Message) -> Descriptor:
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment]
    return descriptor


def _inner(message: Message, field: FieldDescriptor) -> list[Any]:
    value = getattr(message, field.name)
    if field.is_repeated:
        return list(value)
    return [value] if message.HasField(field.name) else []


def _kept(message: Message) -> tuple[str, ...]:
    known = BELONGS.get(_type(message).full_name)
    return tuple(known.kept) if known else ()


def _is_fact(message: Message) -> bool:
    known = BELONGS.get(_type(message).full_name)
    return known is not None and known.fact


def _refs(descriptor: Descriptor) -> Mapping[str, Ref]:
    known = BELONGS.get(descriptor.full_name)
    return {} if known is None else known.refs


def _undeclared(descriptor: Descriptor) -> tuple[str, ...]:
    return _undeclared_of(descriptor, BELONGS.get(descriptor.full_name))


@cache
def _undeclared_of(descriptor: Descriptor, known: Belongs | None) -> tuple[str, ...]:
    return tuple(undeclared_fields(descriptor, known.fields if known else ()))


@cache
def _messages(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields that hold messages with something in them to judge."""
    return tuple(
        field
        for field in descriptor.fields
        if field.message_type is not None
        and not field.message_type.full_name.startswith("google.protobuf.")
        and not field.message_type.GetOptions().map_entry
    )
