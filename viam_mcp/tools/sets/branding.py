"""Branding: how an organization and its hosted applications look to its own customers."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import anyio.to_thread

from viam_mcp.proto import app as wire
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools._files import sha256
from viam_mcp.tools._saving import Source, opened
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._types import Email, Name, OrganizationId
from viam_mcp.tools.previews._names import organization_name, quoted
from viam_mcp.tools.previews._organizations import organization_called
from viam_mcp.tools.previews._wording import UNCHANGED, change, exact, state_of
from viam_mcp.tools.results._output import Done, One, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
    from viam_mcp.tools.previews._model import Preview

ON_REQUEST = True

_LARGEST_LOGO = 200 * 1024  # bytes


class _OneOrganization(Tool):
    """The argument of the tools that take an organization."""

    org_id: OrganizationId

    async def subject(self, app: AppClient) -> str:
        return await organization_name(app, self.org_id)


class OrganizationSetSupportEmail(
    _OneOrganization,
    toolset="branding",
    effect=Effect.DESTRUCTIVE,
    returns=Done("Set the support email of {subject}."),
):
    """Set the address that an organization's customers write to."""

    email: Email

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        organization, present = await asyncio.gather(
            app.get_organization(self.org_id), app.organization_get_support_email(self.org_id)
        )
        lines = change("Support email", present, self.email)
        return organization_called(organization).preview(self, lines or [UNCHANGED], bound=state_of(present))

    async def run(self, app: AppClient) -> None:
        await app.organization_set_support_email(self.org_id, self.email)


class OrganizationGetSupportEmail(Tool, toolset="branding", returns=Values(email=str)):
    """Get the address that an organization's customers write to; empty if none is set."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> str:
        return await app.organization_get_support_email(self.org_id)


class OrganizationSetLogo(
    _OneOrganization, toolset="branding", effect=Effect.DESTRUCTIVE, returns=Done("Set the logo of {subject}.")
):
    """Set the logo of an organization from a PNG file of at most 200 KB below the server's files folder."""

    logo: Source

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        with opened(environment, self.logo) as (stream, size):
            digest = await anyio.to_thread.run_sync(sha256, stream)
        organization, present = await asyncio.gather(
            app.get_organization(self.org_id), app.organization_get_logo(self.org_id)
        )
        lines = [
            f"Logo: {exact(present) if present else 'none'} → the file {exact(self.logo)}.",
            f"It has {size:,} bytes, SHA-256 {digest}. The organization's customers see it.",
        ]
        return organization_called(organization).preview(self, lines, bound=state_of(present), file=digest)

    async def execute(self, app: AppClient, environment: Environment) -> None:
        with opened(environment, self.logo) as (stream, size):
            if size > _LARGEST_LOGO:
                raise ToolError(f"logo: {quoted(self.logo)} has {size:,} bytes; at most {_LARGEST_LOGO:,} are taken.")
            content = await anyio.to_thread.run_sync(stream.read)
        agreed = environment.file
        if agreed is not None and hashlib.sha256(content).hexdigest() != agreed:
            raise ToolError(f"logo: {quoted(self.logo)} was changed since it was shown. Nothing was done.")
        await app.organization_set_logo(self.org_id, content)


class OrganizationGetLogo(Tool, toolset="branding", returns=Values(url=str)):
    """Get the address of an organization's logo; empty if none is set."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> str:
        return await app.organization_get_logo(self.org_id)


class GetAppContent(
    Tool, toolset="branding", scoped_by=ScopedBy.NOTHING, returns=One("content", wire.GetAppContentResponse)
):
    """Get where the files of a hosted application are, what starts it, and whether it is public."""

    public_namespace: Name
    name: Name

    async def run(self, app: AppClient) -> wire.GetAppContentResponse:
        return await app.get_app_content(self.public_namespace, self.name)


class GetAppBranding(
    Tool, toolset="branding", scoped_by=ScopedBy.NOTHING, returns=One("branding", wire.GetAppBrandingResponse)
):
    """Get how a hosted application looks, logo and texts, and which organizations and fragments it is for."""

    public_namespace: Name
    name: Name

    async def run(self, app: AppClient) -> wire.GetAppBrandingResponse:
        return await app.get_app_branding(self.public_namespace, self.name)
