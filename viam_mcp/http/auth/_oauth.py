"""Callers by the access tokens of an authorization server: this server is a resource server of OAuth 2.1.

A token is a JWT that names this server as its audience: https://www.rfc-editor.org/rfc/rfc9068
A client without a token learns where to get one from the metadata of https://www.rfc-editor.org/rfc/rfc9728
https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
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

    from viam_mcp.http.auth._jwks import KeySet

logger = logging.getLogger("viam_mcp.http")

LEEWAY_SECONDS = 30
"""How far the clocks of the two servers may be apart."""

_LONGEST = 16_384  # characters of a token


@dataclass(frozen=True)
class Trust:
    """Which access tokens are accepted.

    Attributes:
        issuer: The authorization server, exactly as its tokens name it.
        audience: The URL that clients reach this server's MCP endpoint at.
        jwks_url: Where the authorization server's keys are.
        required_scopes: The scopes that a token must have.

    Raises:
        HttpError: A value is missing or malformed.
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
        trust: Which are accepted.
        keys: The authorization server's keys.
    """

    def __init__(self, trust: Trust, keys: KeySet) -> None:
        self._trust = trust
        self._keys = keys

    async def verify_token(self, token: str) -> Credential | None:
        """Return the credential in a token, or None if the token is not accepted."""
        try:
            claims = await self._claims(token)
            return None if claims is None else self._credential(claims)
        # A token may hold anything: huge numbers, deep lists, text that is not Unicode. Whichever error the libraries
        # raise for it, the token is not accepted.
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError, RecursionError) as error:
            # The text of the error can quote the token.
            logger.info("an access token is refused (%s)", type(error).__name__)
            return None

    async def _claims(self, token: str) -> dict[str, Any] | None:
        if len(token) > _LONGEST:
            return None
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            return None  # before a key is fetched
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
        # The last @ separates the client, whose own name has no @ after quoting.
        caller = f"oauth:{quote(subject, safe='@|')}@{quote(client, safe='')}"
        access, expires = Access(caller, effects_of(scopes)), int(claims["exp"]) + LEEWAY_SECONDS
        return Credential(
            client_id=client,
            subject=subject,
            scopes=scopes,
            # The SDK checks this time again, without a leeway.
            expires_at=expires,
            resource=self._trust.audience,
            claims={"iss": self._trust.issuer},
            access=access,
            # A token cannot be revoked, but it can expire while a question waits for its answer.
            renewed=lambda: access if time.time() < expires else None,
        )


def _client(claims: Mapping[str, Any]) -> str:
    """Return the client that the token was issued to, or "" if the token does not name it."""
    named = (claims.get(name) for name in ("client_id", "azp", "cid"))
    return next((name for name in named if isinstance(name, str)), "")


def _scopes(claims: Mapping[str, Any]) -> Iterable[str]:
    """Return the scopes of a token: one text in RFC 9068; some servers have a list, or name the claim scp."""
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
