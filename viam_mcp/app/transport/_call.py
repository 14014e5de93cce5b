"""One call: what the wire contract says about it, how far it got, and what its failures mean."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error

from viam_mcp.app._errors import AppError, error_for
from viam_mcp.app.records._redact import REDACTED, asked, secrets_in
from viam_mcp.app.transport._dial import DialError
from viam_mcp.app.transport._stream import UnusableMessage
from viam_mcp.proto import POOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

__all__ = ["TRANSIENT", "OutgoingCall", "Rpc", "rpc_at"]

TRANSIENT = frozenset({Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED})
_AMBIGUOUS = frozenset(
    {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED, Status.UNKNOWN, Status.INTERNAL}
)
_BROKEN = (StreamTerminatedError, H2Error, ProtocolError, OSError)


class Rpc(NamedTuple):
    """What the wire contract says about an rpc."""

    name: str
    repeatable: bool


@cache
def rpc_at(path: str) -> Rpc:
    """Return what the contract says about the rpc at a path such as `/viam.app.v1.AppService/GetRobot`."""
    method = POOL.FindMethodByName(path.lstrip("/").replace("/", "."))
    return Rpc(method.name, bool(method.GetOptions().idempotency_level))


class OutgoingCall:
    """One call over all its attempts.

    Attributes:
        rpc: What is called.
        request: With what.
        timeout: Seconds that were allowed.
        deadline: When they are over, by the loop's clock.
        attempts: How often it has failed.
        sent: Whether the current attempt may have reached the server.
        token: The access token that it was sent with.
        renewed: Whether a refused token has been replaced already.
        replayable: Whether what was sent can be sent again.
    """

    __slots__ = ("attempts", "deadline", "renewed", "replayable", "request", "rpc", "sent", "timeout", "token")

    def __init__(self, rpc: Rpc, request: Message, timeout: float) -> None:
        """Start the clock."""
        self.rpc = rpc
        self.request = request
        self.timeout = timeout
        self.deadline = asyncio.get_running_loop().time() + timeout
        self.attempts = 0
        self.sent = False
        self.token: str | None = None
        self.renewed = False
        self.replayable = True

    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    def failure(self, error: Exception, target: str, secrets: Iterable[str]) -> AppError:
        """Return what an error means for the caller.

        This is the one place where an exception of grpclib, h2, protobuf or the operating system becomes an
        `AppError`. One of a kind that is not known here counts as an answer that cannot be handled.

        Args:
            error: Whatever a call ended with.
            target: The server's address.
            secrets: Credentials that the server might have repeated in its message.
        """
        if isinstance(error, AppError):
            return error
        status, message = _status_of(error, target, self.timeout)
        for secret in (*secrets, *secrets_in(self.request)):
            if secret:
                message = message.replace(secret, REDACTED)
        in_doubt = error.answered if isinstance(error, UnusableMessage) else status in _AMBIGUOUS
        return error_for(
            status,
            message,
            rpc=self.rpc.name,
            asked=asked(self.rpc.name, self.request),
            hint=error.hint if isinstance(error, DialError | UnusableMessage) else None,
            outcome_unknown=self.sent and not self.rpc.repeatable and in_doubt,
        )


def _status_of(error: Exception, target: str, timeout: float) -> tuple[Status, str]:
    if isinstance(error, GRPCError):
        return error.status, error.message or ""
    if isinstance(error, UnusableMessage):
        return error.status, f"{target}: {error}"
    if isinstance(error, DialError):
        return Status.UNAVAILABLE, str(error)
    if isinstance(error, TimeoutError):
        return Status.DEADLINE_EXCEEDED, f"{target} did not answer within {timeout:g} s"
    if isinstance(error, _BROKEN):
        return Status.UNAVAILABLE, f"the connection to {target} broke: {error}"
    # protobuf raises DecodeError, and grpclib asserts that a message is complete. The text of any other exception
    # is not shown: grpclib's ValueError for a header repeats the header, which may be an access token.
    what = str(error) if isinstance(error, DecodeError | AssertionError) else type(error).__name__
    return Status.INTERNAL, f"the answer of {target} cannot be read: {what}"
