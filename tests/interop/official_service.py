"""A server on the official SDK's generated base: it keeps what it is asked and answers with messages full of values."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpclib.client import Channel
from grpclib.server import Server

from tests.interop import official
from tests.ports import port_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.message import Message

RPCS: dict[str, MethodDescriptor] = {
    rpc.name: rpc for rpc in descriptor_pool.Default().FindServiceByName("viam.app.v1.AppService").methods
}
_DEPTH = 4
_TEXTS, _BYTES = (FieldDescriptor.TYPE_STRING,), (FieldDescriptor.TYPE_BYTES,)


def filled(kind: type[Message]) -> Any:
    """A message of this type in which everything is set, each text and number to another value."""
    message = kind()
    _fill(message, count(1), _DEPTH)
    return message


def _fill(message: Any, numbers: Iterator[int], depth: int) -> None:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Struct":
        message.update({"text": f"value {next(numbers)}", "number": 1.5, "list": [True, None, {"inner": "x"}]})
    elif name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = 1_700_000_000 + next(numbers), 123_456_789
    elif depth:
        for field in message.DESCRIPTOR.fields:
            # Of a choice only one can be set: the last.
            choice = field.containing_oneof
            if choice is None or choice.fields[-1] is field:
                _fill_field(message, field, numbers, depth)


def _fill_field(message: Any, field: FieldDescriptor, numbers: Iterator[int], depth: int) -> None:
    if field.message_type and field.message_type.GetOptions().map_entry:
        entries, value = getattr(message, field.name), field.message_type.fields_by_name["value"]
        if value.message_type:
            _fill(entries[f"key {next(numbers)}"], numbers, depth - 1)
        else:
            entries[f"key {next(numbers)}"] = _scalar(value, numbers)
    elif field.message_type and field.is_repeated:
        for _ in range(2):
            _fill(getattr(message, field.name).add(), numbers, depth - 1)
    elif field.message_type:
        part = getattr(message, field.name)
        part.SetInParent()
        _fill(part, numbers, depth - 1)
    elif field.is_repeated:
        getattr(message, field.name).extend(_scalar(field, numbers) for _ in range(2))
    else:
        setattr(message, field.name, _scalar(field, numbers))


def _scalar(field: FieldDescriptor, numbers: Iterator[int]) -> Any:
    if field.enum_type:
        return field.enum_type.values[-1].number
    if field.type in _TEXTS:
        return f"{field.name} {next(numbers)}"
    if field.type in _BYTES:
        return b"bytes \xff %d" % next(numbers)
    return True if field.type == FieldDescriptor.TYPE_BOOL else next(numbers)


class Service:
    """The fleet as the official SDK's base has it.

    Attributes:
        asked: The requests that came, by rpc, as they travelled.
        answers: What each rpc answers.
    """

    def __init__(self) -> None:
        self.asked: dict[str, list[Message]] = {}
        self.answers: dict[str, Message] = {name: filled(_class(rpc.output_type)) for name, rpc in RPCS.items()}
        for answer in self.answers.values():
            if "next_page_token" in answer.DESCRIPTOR.fields_by_name:
                answer.ClearField("next_page_token")
        methods = {name: self._method(name) for name in RPCS}
        self.implementation: official.AppServiceBase = type("Implementation", (official.AppServiceBase,), methods)()

    def _method(self, name: str) -> Any:
        async def answer(_self: object, stream: Any) -> None:
            self.asked[name] = [message async for message in stream]
            await stream.send_message(self.answers[name])

        return answer


def _class(descriptor: Descriptor) -> type[Message]:
    return GetMessageClass(descriptor)


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[Channel]:
    """Run the service; a channel to it."""
    server = Server([service.implementation])
    await server.start("127.0.0.1", 0)
    try:
        async with Channel("127.0.0.1", port_of(server)) as channel:
            yield channel
    finally:
        server.close()
        await server.wait_closed()
