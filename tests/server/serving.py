"""The whole service that the command runs over HTTP, in this process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.http.site import Site, serving
from tests.pace import PATIENCE
from viam_mcp.app import APIKeyAuthorization
from viam_mcp.assembly.service import Service, open_service
from viam_mcp.assembly.web import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient
    from viam_mcp.assembly.settings import Settings
    from viam_mcp.calls import Limits


@dataclass(frozen=True)
class Key:
    """A key of one organization, and what that is called."""

    organization: str
    id: str
    value: str

    @property
    def headers(self) -> dict[str, str]:
        return {"viam-api-key-id": self.id, "viam-api-key": self.value}


async def keys_of_two_organizations(app: AppClient) -> list[Key]:
    """A key for each of the demo fleet's two organizations, which reaches nothing of the other."""
    keys = []
    for organization in await app.list_organizations():
        rights = APIKeyAuthorization(role="owner", resource_type="organization", resource_id=organization.id)
        value, identifier = await app.create_key(organization.id, [rights], "test")
        keys.append(Key(organization.name, identifier, value))
    return keys


@asynccontextmanager
async def running(
    settings: Settings, limits: Limits | None = None, **server: Any
) -> AsyncIterator[tuple[Site, Service]]:
    """The service, until the block is left.

    Args:
        settings: What it is told.
        limits: The limits; None for those of the settings.
        server: Options of `HttpServer`.
    """
    async with open_service(settings, limits) as service:
        app, front = app_of(settings, service)
        on_stop = [front.close, service.server.subscriptions.close, service.pool.stop_waiting]
        async with serving(app, on_stop=on_stop, limits=service.limits, **server) as site:
            yield site, service


@asynccontextmanager
async def client(
    site: Site, mode: Any = "auto", headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Client]:
    """The official client, with these headers on every request."""
    async with (
        httpx2.AsyncClient(headers=headers or {}, timeout=PATIENCE) as http,
        Client(streamable_http_client(site.url, http_client=http), mode=mode, **options) as connected,
    ):
        yield connected


async def organizations(connected: Client) -> set[str]:
    """The names of the organizations that a client's calls reach."""
    result = await connected.call_tool("list_organizations", {})
    assert not result.is_error, result.content
    assert result.structured_content
    return {organization["name"] for organization in result.structured_content["organizations"]}
