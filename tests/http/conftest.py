from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.http.issuer import AUDIENCE, Issuer
from tests.server.serving import running
from viam_mcp.assembly.options import NO_AUTH, Auth
from viam_mcp.assembly.settings import Settings
from viam_mcp.http import add

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.http.site import Site
    from viam_mcp.sandbox import Sandbox


class Served(Protocol):
    """`async with served(auth, max_request_bytes=4_096) as site`."""

    def __call__(
        self, auth: Auth = ..., *, server: Mapping[str, Any] = ..., **settings: Any
    ) -> AbstractAsyncContextManager[Site]: ...


@pytest.fixture
def served(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Servers of the demo fleet over HTTP, as the command runs them, with these settings."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # What is kept for one caller can open what was sealed for another, so that nothing but the caller decides.
    monkeypatch.setenv("VIAM_MCP_STATE_KEYS", "ab" * 32)

    @asynccontextmanager
    async def serve(
        auth: Auth = NO_AUTH, *, server: Mapping[str, Any] | None = None, **settings: Any
    ) -> AsyncIterator[Site]:
        told = Settings(
            transport="http",
            app_url=sandbox.url,
            api_key_id=sandbox.api_key_id,
            api_key=sandbox.api_key,
            store=str(tmp_path / "state.db"),
            audit_log=str(tmp_path / "audit.jsonl"),
            auth=auth,
            **settings,
        )
        async with running(told, **(server or {})) as (site, _):
            yield site

    return serve


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


@pytest.fixture
def by_tokens(token_file: Path) -> Auth:
    """Callers say who they are by the tokens of the token file."""
    return Auth("tokens", token_file)


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
async def site(served: Served, alice: str, by_tokens: Auth) -> AsyncIterator[Site]:
    """A server that lets in the holders of tokens, Alice among them."""
    async with served(by_tokens) as running_site:
        yield running_site


@pytest.fixture(scope="module")
async def running_issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running() as issuer:
        yield issuer


@pytest.fixture
def issuer(running_issuer: Issuer) -> Issuer:
    """An authorization server as it is at first."""
    running_issuer.reset()
    return running_issuer


@pytest.fixture
async def oauth_site(served: Served, issuer: Issuer) -> AsyncIterator[Site]:
    """A server that lets in the holders of this authorization server's access tokens."""
    urls: dict[str, Any] = {"oauth_issuer": issuer.url, "oauth_audience": AUDIENCE, "oauth_jwks_url": issuer.jwks_url}
    async with served(Auth("oauth"), **urls) as running_site:
        yield running_site
