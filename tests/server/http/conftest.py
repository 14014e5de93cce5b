from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.server.http.issuer import Issuer
from tests.server.http.site import Site, serving
from viam_mcp.policy import Audit, Gate, Policy, load
from viam_mcp.server import Calls, Shares, build_server
from viam_mcp.server.http import add, build_app, by_tokens, transport_security
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.server.http import Authentication
    from viam_mcp.tools import Tool


class Served(Protocol):
    """`async with served(authentication) as site`."""

    def __call__(
        self,
        authentication: Authentication | None = ...,
        *,
        allowed_hosts: tuple[str, ...] = ...,
        origins: tuple[str, ...] = ...,
        app_options: Mapping[str, Any] = ...,
        **server_options: Any,
    ) -> AbstractAsyncContextManager[Site]: ...


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def served(app: AppClient, tmp_path: Path) -> Served:
    """Servers of the demo fleet over HTTP, under the default policy."""

    @asynccontextmanager
    async def serve(
        authentication: Authentication | None = None,
        *,
        allowed_hosts: tuple[str, ...] = (),
        origins: tuple[str, ...] = (),
        app_options: Mapping[str, Any] | None = None,
        **server_options: Any,
    ) -> AsyncIterator[Site]:
        gates: dict[Path | None, Gate] = {}

        def make(tools: Mapping[str, type[Tool]], policy: Path | None) -> Calls:
            if policy not in gates:
                rules = Policy() if policy is None else load(policy)
                gates[policy] = Gate(rules, app, audit=Audit(tmp_path / "audit.jsonl"), state=tmp_path / "state")
            return Calls(tools, app, gates[policy])

        calls = make(TOOLS, None)
        security = transport_security(
            "127.0.0.1",
            allowed_hosts=allowed_hosts,
            allowed_origins=origins,
            authenticated=authentication is not None,
        )
        front = build_app(
            build_server(calls, Shares(calls, make)), security, authentication, origins=origins, **(app_options or {})
        )
        async with serving(front, on_stop=[front.close], **server_options) as site:
            yield site

    return serve


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


@pytest.fixture
def new_token(token_file: Path) -> Callable[..., str]:
    """Makes tokens in the token file."""

    def make(name: str, **options: Any) -> str:
        return add(token_file, name, **options)

    return make


@pytest.fixture
def alice(new_token: Callable[..., str]) -> str:
    """A token that opens everything."""
    return new_token("alice")


@pytest.fixture
async def site(served: Served, alice: str, token_file: Path) -> AsyncIterator[Site]:
    """A server that lets in the holders of tokens, Alice among them."""
    async with served(by_tokens(token_file)) as running:
        yield running


@pytest.fixture(scope="module")
async def running_issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running() as issuer:
        yield issuer


@pytest.fixture
def issuer(running_issuer: Issuer) -> Issuer:
    """An authorization server as it is at first."""
    running_issuer.reset()
    return running_issuer
