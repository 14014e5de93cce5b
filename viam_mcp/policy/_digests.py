"""Digests: short texts that are the same for the same JSON value, and for no other."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from viam_mcp.policy.rules._text import canonical

if TYPE_CHECKING:
    from viam_mcp.policy._call import Caller

Json = Any


def digest(value: Json) -> str:
    """Return the first 192 bits of the SHA-256 of a JSON value's canonical text, as 32 characters."""
    found = hashlib.sha256(canonical(value).encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(found[:24]).decode()


def caller_digest(caller: Caller, fleet: str) -> str:
    """Return the digest of a caller on a fleet, who alone may answer and run an operation.

    Args:
        caller: Who calls.
        fleet: The fleet, and the account that calls are made with there.
    """
    return digest([caller.name, fleet])
