"""How callers say who they are: not at all, by a token of a file, or by an access token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

from viam_mcp.calls._access import SCOPES
from viam_mcp.http.auth._credential import check_scopes
from viam_mcp.http.auth._jwks import Keys
from viam_mcp.http.auth._oauth import AccessTokens, Trust
from viam_mcp.http.auth._tokens import TokenFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp.server.auth.provider import TokenVerifier
    from starlette.routing import Route


@dataclass(frozen=True)
class Authentication:
    """What decides who is let in.

    Attributes:
        verifier: Checks a token.
        settings: What the SDK wants to know of it.
        routes: What is told to whoever comes without a token.
    """

    verifier: TokenVerifier
    settings: AuthSettings
    routes: Sequence[Route] = ()


def by_tokens(path: Path) -> Authentication:
    """Callers by the tokens of a file.

    Raises:
        HttpError: The file cannot be used.
    """
    # The SDK asks for an issuer also where there is none to name; without a resource it tells nobody.
    nobody = AuthSettings(issuer_url=AnyHttpUrl("https://issuer.invalid"), resource_server_url=None)
    return Authentication(TokenFile(path), nobody)


def by_oauth(trust: Trust, keys: Keys | None = None) -> Authentication:
    """Callers by the access tokens of an authorization server.

    Args:
        trust: Which tokens are taken.
        keys: The authorization server's keys; None for those that it publishes.

    Raises:
        HttpError: A required scope means nothing here.
    """
    check_scopes(trust.required_scopes)
    issuer, resource = AnyHttpUrl(trust.issuer), AnyHttpUrl(trust.audience)
    settings = AuthSettings(
        issuer_url=issuer,
        resource_server_url=resource,
        required_scopes=list(trust.required_scopes),
        validate_token_resource=True,
    )
    # The SDK's own metadata names the required scopes alone, and clients ask for no others than it names.
    routes = create_protected_resource_routes(resource, [issuer], list(SCOPES), "Viam fleet")
    return Authentication(AccessTokens(trust, keys or Keys(trust.jwks_url)), settings, routes)
