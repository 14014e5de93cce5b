"""What an rpc of the sandbox is: a plain function from a request to a response, found by name.

A subject's module defines a class whose methods are marked `@rpc("Name")`. Each gets an `IncomingCall` and
the request, reads and writes rows through `call.store`, and returns the response or raises
`Refusal`. It runs inside one transaction: a refusal leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from grpclib.const import Status

from viam_mcp.proto import POOL, app  # noqa: F401 - `app` fills the pool

if TYPE_CHECKING:
    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = [
    "APP_SERVICE",
    "CHECK_IN",
    "RPCS",
    "ApiKey",
    "IncomingCall",
    "Refusal",
    "conflict",
    "invalid",
    "nanoseconds",
    "not_found",
    "rpc",
    "set_time",
]

Handler = TypeVar("Handler", bound=Callable[..., Any])

_NANOS = 1_000_000_000
APP_SERVICE = "viam.app.v1.AppService"
RPCS = {method.name: method for method in POOL.FindServiceByName(APP_SERVICE).methods}
"""The rpcs of AppService, by name."""

# How often a machine that is online checks in, in nanoseconds. A requested restart happens this long after the
# request.
CHECK_IN = 5 * _NANOS


class Refusal(Exception):  # noqa: N818 - gRPC's word would be "status", an answer rather than a defect
    """The rpc ends with this status and message, and with nothing changed."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_found(what: str, identifier: str) -> Refusal:
    """Return the refusal for an id that names nothing (or nothing that the caller may see)."""
    return Refusal(Status.NOT_FOUND, f"{what} {identifier!r} was not found")


def invalid(message: str) -> Refusal:
    """Return the refusal for an argument that could never be right."""
    return Refusal(Status.INVALID_ARGUMENT, message)


def conflict(message: str) -> Refusal:
    """Return the refusal for a call that the fleet's present state does not allow."""
    return Refusal(Status.FAILED_PRECONDITION, message)


@dataclass(frozen=True)
class ApiKey:
    """An API key that works, as a client authenticates with it."""

    key_id: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class IncomingCall:
    """One rpc under way: who calls, and the rows.

    `identity_id` is an API key's id (`identity_type` "api-key") or a user's ("user").
    """

    store: FleetStore
    identity_id: str
    identity_type: str
    now: int  # nanoseconds since 1970 UTC, the same for all that one call writes


def rpc(name: str) -> Callable[[Handler], Handler]:
    """Mark a function as the handler of the rpc `name` of AppService.

    Raises:
        ValueError: AppService has no such rpc.
    """
    if name not in RPCS:
        raise ValueError(f"AppService has no rpc {name!r}: its names are in protos/app/v1/app.proto")

    def mark(handler: Handler) -> Handler:
        handler.__rpc__ = name  # type: ignore[attr-defined]
        return handler

    return mark


def set_time(stamp: Timestamp, nanoseconds: int | None) -> None:
    """Fill a Timestamp field; None leaves it unset."""
    if nanoseconds is not None:
        stamp.seconds, stamp.nanos = divmod(nanoseconds, _NANOS)


def nanoseconds(stamp: Timestamp) -> int:
    """Return a Timestamp as nanoseconds since 1970 UTC, or the nearest that a column holds: the year 1677 or 2262."""
    return min(max(stamp.seconds * _NANOS + stamp.nanos, -(2**63)), 2**63 - 1)
