"""The official SDK, as far as these tests use it, imported without what its import does to the process."""

from __future__ import annotations

import inspect
import sys

_hook = sys.excepthook

import viam.proto.app as wire  # noqa: E402
import viam.proto.app.mltraining as mltraining  # noqa: E402
import viam.proto.app.packages as packages  # noqa: E402
import viam.proto.rpc.auth as auth  # noqa: E402
from viam.app.app_client import APIKeyAuthorization, AppClient, Fragment  # noqa: E402
from viam.app.viam_client import ViamClient  # noqa: E402
from viam.gen.app.v1.app_grpc import AppServiceBase  # noqa: E402
from viam.gen.proto.rpc.v1.auth_grpc import AuthServiceBase  # noqa: E402
from viam.rpc.dial import Credentials, DialOptions  # noqa: E402

import viam_mcp.app  # noqa: E402

# Importing the SDK replaces the hook with one that logs.
sys.excepthook = _hook

SHARED = frozenset(
    name
    for name, method in vars(AppClient).items()
    if inspect.iscoroutinefunction(method) and name[0] != "_" and hasattr(viam_mcp.app.AppClient, name)
)
"""The methods that the official client and ours have both."""


def parameters(method: str) -> frozenset[str]:
    """The names of what a method of the official client takes."""
    return frozenset(inspect.signature(getattr(AppClient, method)).parameters)


__all__ = [
    "SHARED",
    "APIKeyAuthorization",
    "AppClient",
    "AppServiceBase",
    "AuthServiceBase",
    "Credentials",
    "DialOptions",
    "Fragment",
    "ViamClient",
    "auth",
    "mltraining",
    "packages",
    "parameters",
    "wire",
]
