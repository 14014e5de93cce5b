"""An authorization server: signs access tokens, and publishes its keys over HTTP."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.http.site import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

AUDIENCE = "https://fleet.example.com/mcp"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key; the same for the same name, since making one takes a while."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """An authorization server.

    Attributes:
        url: Its name, as its tokens have it.
        published: The keys that it publishes, as JWKs.
        asked: How often its keys were asked for.
        answer: What it answers with instead of its keys, if that is not None.
    """

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Behave as at first."""
        self.published = [self.jwk("first")]
        self.asked = 0
        self.answer: Response | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Issuer]:
        issuer = cls()
        async with serving(Starlette(routes=[Route("/jwks", issuer._jwks)])) as site:
            issuer.url = site.base
            yield issuer

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks"

    def token(self, *, key: str = "first", headers: dict[str, Any] | None = None, **changed: Any) -> str:
        """A token of Alice's that opens everything, but for what is changed; None leaves a claim out."""
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "client_id": "console",
            "scope": "viam:read viam:write viam:destructive",
            "iat": int(time.time()),
            "exp": int(time.time()) + 600,
        } | changed
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, rsa_key(key), algorithm="RS256", headers={"kid": key} if headers is None else headers)

    @staticmethod
    def jwk(name: str, **more: Any) -> dict[str, Any]:
        """The public half of a key, as it is published."""
        return {**RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True), "kid": name, "use": "sig", **more}

    @staticmethod
    def ec_jwk(name: str) -> dict[str, Any]:
        return {**ECAlgorithm.to_jwk(ec_key(name).public_key(), as_dict=True), "kid": name}

    async def _jwks(self, request: Request) -> Response:
        self.asked += 1
        return self.answer or JSONResponse({"keys": self.published})
