"""What the subjects of the API have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viam_mcp.app._errors import invalid
from viam_mcp.app.records._struct import to_struct, to_value
from viam_mcp.app.records._time import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from viam_mcp.app.transport._session import Session
    from viam_mcp.proto.app.v1.app_grpc import AppServiceStub
    from viam_mcp.proto.google.protobuf.struct_pb2 import Struct, Value
    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp


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


def timestamp(rpc: str, name: str, time: datetime | None) -> Timestamp | None:
    """The argument `name` of `rpc` as it goes on the wire."""
    try:
        return to_timestamp(time, name)
    except ValueError as error:
        raise invalid(rpc, str(error)) from None


def struct(rpc: str, name: str, mapping: Mapping[str, Any] | None) -> Struct | None:
    """The argument `name` of `rpc` as it goes on the wire."""
    try:
        return to_struct(mapping, name)
    except ValueError as error:
        raise invalid(rpc, str(error)) from None


def value(rpc: str, name: str, item: Any) -> Value:
    """The argument `name` of `rpc` as it goes on the wire."""
    try:
        return to_value(item, name)
    except ValueError as error:
        raise invalid(rpc, str(error)) from None
