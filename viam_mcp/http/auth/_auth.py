"""How callers authenticate: not at all, by a token of a file, or by an access token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

from viam_mcp.calls._access import SCOPES
from viam_mcp.http.auth._credential import check_scopes
from viam_mcp.http.auth._jwks import KeySet
from viam_mcp.http.auth._oauth import AccessTokens, Trust
from viam_mcp.http.auth._tokens import TokenFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp.server.auth.provider import TokenVerifier
    from starlette.routing import Route


@dataclass(frozen=True)
class Authentication:
    """How callers authenticate.

    Attributes:
        verifier: Checks a token.
        settings: The settings of the SDK for it.
        routes: The routes that tell a client without a token where to get one.
    """

    verifier: TokenVerifier
    settings: AuthSettings
    routes: Sequence[Route] = ()


def by_tokens(path: Path) -> Authentication:
    """Return the authentication by the tokens of a file.

    Raises:
        HttpError: The file cannot be used.
    """
    # The SDK requires an issuer. Without a resource it publishes none, so this name is never shown.
    nobody = AuthSettings(issuer_url=AnyHttpUrl("https://issuer.invalid"), resource_server_url=None)
    return Authentication(TokenFile(path), nobody)


def by_oauth(trust: Trust, keys: KeySet | None = None) -> Authentication:
    """Return the authentication by the access tokens of an authorization server.

    Args:
        trust: Which tokens are accepted.
        keys: The authorization server's keys; None for those that it publishes.

    Raises:
        HttpError: A required scope is not one of this server.
    """
    check_scopes(trust.required_scopes)
    issuer, resource = AnyHttpUrl(trust.issuer), AnyHttpUrl(trust.audience)
    settings = AuthSettings(
        issuer_url=issuer,
        resource_server_url=resource,
        required_scopes=list(trust.required_scopes),
        validate_token_resource=True,
    )
    # The SDK's own metadata (RFC 9728) names only the required scopes, and clients request only those that it names.
    routes = create_protected_resource_routes(resource, [issuer], list(SCOPES), "Viam fleet")
    return Authentication(AccessTokens(trust, keys or KeySet(trust.jwks_url)), settings, routes)
