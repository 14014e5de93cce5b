"""A client of Viam's fleet-management API over gRPC, and a library of its own.

    async with connect(api_key_id=..., api_key=...) as app:
        robots = await app.list_robots(location_id)

`connect()` gives an `AppClient` that authenticates, keeps deadlines, repeats what may be repeated and
reconnects. Records are views over the messages of `viam_mcp.proto.app`. Errors are `AppError`.

- `subjects`: the methods of `AppClient`, one module a subject. To add one for an rpc, write it there.
- `records`: views over messages, and conversions between wire types and Python types.
- `transport`: addresses, connections, and how a call is made: deadline, repetition, errors.
- `credentials`: access tokens for an API key or a login.
"""

from viam_mcp.app._client import AppClient
from viam_mcp.app._connect import DEFAULT_URL, connect, open_client
from viam_mcp.app._errors import (
    Aborted,
    AlreadyExists,
    AppError,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Unknown,
)
from viam_mcp.app._observer import CallObserver
from viam_mcp.app.credentials._credentials import AccessToken, Credentials, Exchange, TokenSource
from viam_mcp.app.credentials._login import PROFILE_VARIABLE, Login, login_path, read_login
from viam_mcp.app.records._records import (
    Fragment,
    FragmentHistoryEntry,
    LogEntry,
    Page,
    RobotPart,
    RobotPartHistoryEntry,
)
from viam_mcp.app.records._struct import to_plain, to_struct
from viam_mcp.app.subjects._keys import APIKeyAuthorization
from viam_mcp.app.transport._dial import parse_url
from viam_mcp.app.transport._session import LOGGER, Session

__all__ = [
    "DEFAULT_URL",
    "LOGGER",
    "PROFILE_VARIABLE",
    "APIKeyAuthorization",
    "Aborted",
    "AccessToken",
    "AlreadyExists",
    "AppClient",
    "AppError",
    "CallObserver",
    "Cancelled",
    "Credentials",
    "DeadlineExceeded",
    "Exchange",
    "FailedPrecondition",
    "Fragment",
    "FragmentHistoryEntry",
    "Internal",
    "InvalidArgument",
    "LogEntry",
    "Login",
    "NotFound",
    "OutOfRange",
    "Page",
    "PermissionDenied",
    "ResourceExhausted",
    "RobotPart",
    "RobotPartHistoryEntry",
    "Session",
    "TokenSource",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Unknown",
    "connect",
    "login_path",
    "open_client",
    "parse_url",
    "read_login",
    "to_plain",
    "to_struct",
]
