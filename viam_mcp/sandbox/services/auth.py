"""Authentication: access tokens for API keys, and the key that a token stands for.

A token is a JWT, signed with a secret that lives as long as the process. It carries a mark of the key's
value, so that rotating or deleting the key ends all of its tokens at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jwt
from grpclib.const import Status

from viam_mcp.sandbox.rpc import Refusal, invalid
from viam_mcp.sandbox.rules.access import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.proto.proto.rpc.v1 import auth_pb2
    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = ["TOKEN_LIFETIME", "Identity", "TokenIssuer", "check"]

TOKEN_LIFETIME = 3600.0  # seconds; what the service uses is not published

_BEARER = "Bearer "
_ALGORITHM = "HS256"
_KEY_TYPE = "api-key"


@dataclass(frozen=True)
class Identity:
    """The key behind a token, and the mark of the value it had when the token was made."""

    key_id: str
    mark: str


class TokenIssuer:
    """Makes tokens and recognizes them.

    Attributes:
        lifetime: How long a token made from now on is good for, in seconds. None: it says no end,
            and is good until its key goes.
    """

    def __init__(self, lifetime: float | None = TOKEN_LIFETIME) -> None:
        self.lifetime = lifetime
        self._secret = secrets.token_bytes(32)
        self._generation = 0

    def expire(self) -> None:
        """Make every token that was issued so far worthless, whatever expiry it has."""
        self._generation += 1

    def authenticate(
        self, store: FleetStore, metadata: Mapping[str, str | bytes], request: auth_pb2.AuthenticateRequest
    ) -> str:
        """Return a token for an API key.

        Args:
            store: Where the keys are.
            metadata: What came with the call; it must not carry a token already.
            request: The key's id and value.

        Raises:
            Refusal: INVALID_ARGUMENT for a call that could never work, UNAUTHENTICATED for a wrong key.
        """
        if "authorization" in metadata:
            raise invalid("already authenticated; cannot re-authenticate")
        if not request.HasField("credentials"):
            raise invalid("credentials required")
        if request.credentials.type != _KEY_TYPE:
            raise invalid(f"do not know how to handle credential type {quoted(request.credentials.type)}")
        key = store.value("SELECT key FROM api_keys WHERE id = ?", request.entity)
        if key is None or not hmac.compare_digest(key.encode(), request.credentials.payload.encode()):
            raise _unauthenticated("invalid credentials")
        claims = {"sub": request.entity, "mark": _mark(key), "generation": self._generation, "iat": int(time.time())}
        if self.lifetime is not None:
            claims["exp"] = time.time() + self.lifetime
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def identity(self, store: FleetStore, metadata: Mapping[str, str | bytes]) -> Identity:
        """Return the API key that a call is made with.

        Raises:
            Refusal: UNAUTHENTICATED, saying what is wrong with the authorization header.
        """
        header = metadata.get("authorization")
        if not header:
            raise _unauthenticated("authentication required")
        if not isinstance(header, str) or not header.startswith(_BEARER):
            raise _unauthenticated(f"expected authorization header with prefix: {_BEARER}")
        try:
            # PyJWT would compare `exp` in whole seconds.
            claims = jwt.decode(header.removeprefix(_BEARER), self._secret, [_ALGORITHM], options={"verify_exp": False})
        except jwt.PyJWTError as error:
            raise _unauthenticated(f"unauthenticated: {error}") from None
        if claims["generation"] != self._generation or claims.get("exp", float("inf")) <= time.time():
            raise _unauthenticated("unauthenticated: token is expired")
        identity = Identity(claims["sub"], claims["mark"])
        check(store, identity)
        return identity


def check(store: FleetStore, identity: Identity) -> None:
    """Refuse a token whose key no longer exists, or no longer has the value that the token was made for.

    Raises:
        Refusal: UNAUTHENTICATED.
    """
    key = store.value("SELECT key FROM api_keys WHERE id = ?", identity.key_id)
    if key is None or _mark(key) != identity.mark:
        raise _unauthenticated("unauthenticated: the API key was deleted or rotated")


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _unauthenticated(message: str) -> Refusal:
    return Refusal(Status.UNAUTHENTICATED, message)
