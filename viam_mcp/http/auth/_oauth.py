"""Callers by the access tokens of an authorization server: this server is a resource server of OAuth 2.1.

A token is a JWT that names this server as its audience (RFC 9068). Where to get one is told to whoever comes
without, by the metadata of RFC 9728.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import jwt

from viam_mcp.calls._access import Access, effects_of
from viam_mcp.http._bind import is_loopback
from viam_mcp.http._errors import HttpError
from viam_mcp.http.auth._credential import Credential
from viam_mcp.http.auth._jwks import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from viam_mcp.http.auth._jwks import Keys

logger = logging.getLogger("viam_mcp.http")

LEEWAY_SECONDS = 30
"""How far the clocks of the two servers may be apart."""

_LONGEST = 16_384  # characters of a token


@dataclass(frozen=True)
class Trust:
    """Which tokens are taken.

    Attributes:
        issuer: The authorization server, exactly as its tokens name it.
        audience: The URL that clients reach this server's MCP endpoint at.
        jwks_url: Where the authorization server's keys are.
        required_scopes: What a token has to open to be taken at all.

    Raises:
        HttpError: One of them is missing, or is not what it should be.
    """

    issuer: str
    audience: str
    jwks_url: str
    required_scopes: tuple[str, ...] = ("viam:read",)

    def __post_init__(self) -> None:
        _check_url("--oauth-issuer", self.issuer, "the authorization server, as its tokens name it in iss")
        _check_url("--oauth-audience", self.audience, "the URL of this server's /mcp, as its clients reach it")
        _check_url("--oauth-jwks-url", self.jwks_url, "the jwks_uri in the authorization server's metadata")


class AccessTokens:
    """Checks the access tokens of an authorization server.

    Args:
        trust: Which are taken.
        keys: The authorization server's keys.
    """

    def __init__(self, trust: Trust, keys: Keys) -> None:
        self._trust = trust
        self._keys = keys

    async def verify_token(self, token: str) -> Credential | None:
        """What a token is good for; None if it is not taken, for whatever reason."""
        try:
            claims = await self._claims(token)
            return None if claims is None else self._credential(claims)
        # Not all that a token can hold is foreseen by those who read it: numbers without end, lists without end,
        # text that is none. Whatever it comes to, it is a token that is not good.
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError, RecursionError) as error:
            # Its text can quote the token.
            logger.info("an access token is refused (%s)", type(error).__name__)
            return None

    async def _claims(self, token: str) -> dict[str, Any] | None:
        if len(token) > _LONGEST:
            return None
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            return None  # before anybody is asked for a key
        key_id = header.get("kid")
        key = await self._keys.find(key_id)
        if key is None:
            return None
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=self._trust.audience,
            issuer=self._trust.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )

    def _credential(self, claims: Mapping[str, Any]) -> Credential:
        subject, client = claims["sub"], _client(claims)
        if not subject:
            raise jwt.InvalidTokenError("nobody is its subject")
        scopes = list(_scopes(claims))
        # The client is set off by the last @, which its own name has quoted.
        caller = f"oauth:{quote(subject, safe='@|')}@{quote(client, safe='')}"
        access, expires = Access(caller, effects_of(scopes)), int(claims["exp"]) + LEEWAY_SECONDS
        return Credential(
            client_id=client,
            subject=subject,
            scopes=scopes,
            # The SDK checks the time once more, without the leeway.
            expires_at=expires,
            resource=self._trust.audience,
            claims={"iss": self._trust.issuer},
            access=access,
            # A token cannot be cut, but it ends, also while a question waits for its answer.
            renewed=lambda: access if time.time() < expires else None,
        )


def _client(claims: Mapping[str, Any]) -> str:
    """The client that the token was given to, where the authorization server says it."""
    named = (claims.get(name) for name in ("client_id", "azp", "cid"))
    return next((name for name in named if isinstance(name, str)), "")


def _scopes(claims: Mapping[str, Any]) -> Iterable[str]:
    """The scopes of a token: one text in RFC 9068, a list or another name with some servers."""
    value = claims.get("scope", claims.get("scp", ""))
    scopes = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return (scope for scope in scopes if isinstance(scope, str))


def _check_url(flag: str, url: str, what: str) -> None:
    if not url:
        raise HttpError(f"--auth oauth needs {flag}: {what}.")
    parts = urlsplit(url)
    if parts.hostname is None or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    ):
        raise HttpError(f"{flag}: {url!r} is not an https URL; it is {what}.")
