"""The base of the subjects, and how arguments become requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from google.protobuf.message import Message

from viam_mcp.app._errors import InvalidArgument, invalid
from viam_mcp.app.records._struct import to_struct, to_value
from viam_mcp.app.records._time import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from viam_mcp.app.transport._session import Session
    from viam_mcp.proto.app.v1.app_grpc import AppServiceStub
    from viam_mcp.proto.google.protobuf.struct_pb2 import Struct, Value
    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["Subject", "build", "struct", "timestamp", "value"]

P = ParamSpec("P")
M = TypeVar("M", bound=Message)


class Subject:
    """A part of `AppClient`: methods about one subject, over the session that all of them share."""

    _session: Session
    _stub: AppServiceStub
    _location_id: str | None

    def _location(self, rpc: str, location_id: str | None) -> str:
        chosen = self._location_id if location_id is None else location_id
        if chosen is None:
            raise invalid(
                rpc, "no location was named", "Give a location_id, or set the default when the client is made."
            )
        return chosen


def build(kind: Callable[P, M], *args: P.args, **fields: P.kwargs) -> M:
    """Make a request of the arguments of a method.

    Raises:
        InvalidArgument: An argument is of a type, or has a value, that its field cannot carry.
    """
    try:
        return kind(*args, **fields)
    except (TypeError, ValueError) as error:
        raise _unfit(kind, fields, error) from None


def _unfit(kind: Callable[..., Message], fields: Mapping[str, object], error: Exception) -> InvalidArgument:
    """Return the error that names the argument which a request cannot carry."""
    rpc = cast("type[Message]", kind).DESCRIPTOR.name.removesuffix("Request")
    for name, value in fields.items():
        try:
            kind(**{name: value})
        except UnicodeEncodeError:
            return invalid(rpc, f"{name} holds half of a surrogate pair, which is not text")
        except (TypeError, ValueError) as why:
            return invalid(rpc, f"{name} cannot be what it is, of type {type(value).__name__}: {why}")
    return invalid(rpc, str(error))


def timestamp(rpc: str, name: str, time: datetime | None) -> Timestamp | None:
    """Return the argument `name` of `rpc` as a field of its request."""
    try:
        return to_timestamp(time, name)
    except ValueError as error:
        raise invalid(rpc, str(error)) from None


def struct(rpc: str, name: str, mapping: Mapping[str, Any] | None) -> Struct | None:
    """Return the argument `name` of `rpc` as a field of its request."""
    try:
        return to_struct(mapping, name)
    except ValueError as error:
        raise invalid(rpc, str(error)) from None


def value(rpc: str, name: str, item: Any) -> Value:
    """Return the argument `name` of `rpc` as a field of its request."""
    try:
        return to_value(item, name)
    except ValueError as error:
        raise invalid(rpc, str(error)) from None
