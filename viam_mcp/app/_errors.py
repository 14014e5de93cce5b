"""Errors of the app client: one small hierarchy over gRPC status."""
# ruff: noqa: N818 - the names are those of the statuses

from __future__ import annotations

from grpclib.const import Status
from grpclib.exceptions import GRPCError

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AppError",
    "Cancelled",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Unknown",
]

_LONGEST_MESSAGE = 2_000


class AppError(GRPCError):
    """A call that failed, and what to do about it.

    `str()` is what a person should read: what was asked, what is wrong, what to try. Neither it nor
    `args` ever holds a credential.

    Attributes:
        status: The gRPC status.
        message: What is wrong, in the server's words where it answered, without control characters.
        rpc: Short name of the rpc, such as `GetRobot`.
        hint: What to try next.
        outcome_unknown: True when a change may or may not have happened: the call was sent, must
            not be repeated blindly, and no clear answer came back.
    """

    hint = "Try again; if it keeps failing, the server's own logs say why."

    def __init__(
        self,
        status: Status,
        message: str | None = None,
        *,
        rpc: str = "",
        asked: str = "",
        hint: str | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(status, printable(message or "the server gave no reason"))
        self.rpc = rpc
        self.outcome_unknown = outcome_unknown
        self._asked = asked or rpc or "The call"
        if outcome_unknown:
            self.hint = "It may have happened all the same: look at the current state before asking again."
        elif hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        wrong = str(self.message).rstrip(". ")
        return f"{self._asked} failed ({self.status.name}): {wrong}. {self.hint}"


class Cancelled(AppError):
    """The server cancelled the call."""


class Unknown(AppError):
    """The server failed without saying how."""


class InvalidArgument(AppError, ValueError):
    """An argument that cannot be right, whatever the state of the fleet; also raised before any call is made."""

    hint = "Correct the argument."


class DeadlineExceeded(AppError):
    """No answer in time."""

    hint = "Try again, or allow a longer timeout."


class NotFound(AppError):
    """What was asked for does not exist, or is hidden from this API key."""

    hint = "Check the id: list what exists, and see that the API key may read it."


class AlreadyExists(AppError):
    """The thing to be created exists already."""

    hint = "Choose another name, or use what exists."


class PermissionDenied(AppError):
    """The API key is known and may not do this."""

    hint = "Use an API key with the role that this needs: operators view and control, owners change."


class ResourceExhausted(AppError):
    """A quota or a rate limit is used up."""

    hint = "Wait a little and ask less often, or free some of the quota."


class FailedPrecondition(AppError):
    """The state of the fleet does not allow this now."""

    hint = "Read the current state, resolve what stands in the way, then try again."


class Aborted(AppError):
    """Another change came in between."""

    hint = "Read the current state and try again."


class OutOfRange(AppError):
    """Past the end of what exists."""

    hint = "Ask for a smaller range."


class Unimplemented(AppError):
    """The server does not have this call."""

    hint = "Check the URL: it may not be a Viam app server, or an older one."


class Internal(AppError):
    """Something inside the server, or an answer that cannot be read."""


class Unavailable(AppError):
    """The server cannot be reached, or the connection broke."""

    hint = "Check the network and the URL, then try again."


class Unauthenticated(AppError):
    """The credentials are missing, wrong or revoked."""

    hint = "Check the API key and its id; a rotated or deleted key no longer works."


_CLASSES: dict[Status, type[AppError]] = {
    Status.CANCELLED: Cancelled,
    Status.UNKNOWN: Unknown,
    Status.INVALID_ARGUMENT: InvalidArgument,
    Status.DEADLINE_EXCEEDED: DeadlineExceeded,
    Status.NOT_FOUND: NotFound,
    Status.ALREADY_EXISTS: AlreadyExists,
    Status.PERMISSION_DENIED: PermissionDenied,
    Status.RESOURCE_EXHAUSTED: ResourceExhausted,
    Status.FAILED_PRECONDITION: FailedPrecondition,
    Status.ABORTED: Aborted,
    Status.OUT_OF_RANGE: OutOfRange,
    Status.UNIMPLEMENTED: Unimplemented,
    Status.INTERNAL: Internal,
    Status.UNAVAILABLE: Unavailable,
    Status.DATA_LOSS: Internal,
    Status.UNAUTHENTICATED: Unauthenticated,
}


def error_for(
    status: Status,
    message: str | None,
    *,
    rpc: str = "",
    asked: str = "",
    hint: str | None = None,
    outcome_unknown: bool = False,
) -> AppError:
    """Return the error that stands for `status`, ready to be raised."""
    kind = _CLASSES.get(status, AppError)
    return kind(status, message, rpc=rpc, asked=asked, hint=hint, outcome_unknown=outcome_unknown)


def invalid(rpc: str, message: str, hint: str | None = None) -> InvalidArgument:
    """Return the error for an argument of `rpc` that is refused before anything is sent."""
    return InvalidArgument(Status.INVALID_ARGUMENT, message, rpc=rpc, hint=hint)


def printable(text: str) -> str:
    """Return `text` on one line, without control, bidi or invisible characters, and of bounded length."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST_MESSAGE]).split())
    return clean if len(text) <= _LONGEST_MESSAGE else clean + "…"
