"""The official client on a sandbox, watched for which of its methods a test calls."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grpclib import GRPCError
from grpclib.client import Channel
from grpclib.const import Status

from tests.interop import official
from tests.interop.official import auth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from viam_mcp.sandbox import Sandbox

CLAIMED: set[str] = set()
"""The methods that the scenarios below say they drive; each checks that it does."""


def drives(*methods: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    CLAIMED.update(methods)

    def decorate(scenario: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @wraps(scenario)
        async def run(cloud: Any, **fixtures: Any) -> None:
            await scenario(cloud, **fixtures)
            assert set(methods) <= cloud.driven, "the scenario claims a method that it does not call"

        return run

    return decorate


class Cloud:
    """The official client, and which of its methods were called."""

    def __init__(self, client: official.AppClient) -> None:
        self._client = client
        self.driven: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.driven.add(name)
        return getattr(self._client, name)


async def signed_in(sandbox: Sandbox, key_id: str, key: str) -> official.ViamClient:
    options = official.DialOptions(
        credentials=official.Credentials(type="api-key", payload=key), auth_entity=key_id, insecure=True
    )
    return await official.ViamClient.create_from_dial_options(options, sandbox.url)


async def is_refused(sandbox: Sandbox, key_id: str, key: str) -> bool:
    """Whether a key no longer signs in. On a channel of our own, because the official client leaks its own then."""
    address = urlsplit(sandbox.url)
    request = auth.AuthenticateRequest(entity=key_id, credentials=auth.Credentials(type="api-key", payload=key))
    async with Channel(address.hostname, address.port) as channel:
        try:
            await auth.AuthServiceStub(channel).Authenticate(request)
        except GRPCError as error:
            return error.status is Status.UNAUTHENTICATED
    return False
