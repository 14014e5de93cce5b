"""Organizations by what they are known by, and their public namespaces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._types import Name, OrganizationId
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import organization_name
from viam_mcp.tools.previews._organizations import organization_called
from viam_mcp.tools.previews._wording import UNCHANGED, change, counted, exact, state_of
from viam_mcp.tools.results._output import Many, One

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment


class SearchOrganizations(
    ListTool, toolset="organizations", scoped_by=ScopedBy.ITEMS, returns=Many(organizations=wire.OrgDetails)
):
    """Find organizations that match all that is given, at least one of the four."""

    org_id: OrganizationId | None = None
    org_name: Annotated[Name, Field(description="A part of it")] | None = None
    cid: Annotated[Name, Field(description="CRM id")] | None = None
    public_namespace: Name | None = None

    async def run(self, app: AppClient) -> list[wire.OrgDetails]:
        return await app.search_organizations(self.org_id, self.org_name, self.cid, self.public_namespace)


class UpdateOrganizationNamespace(
    Tool, toolset="organizations", effect=Effect.DESTRUCTIVE, returns=One("organization", wire.Organization)
):
    """Change an organization's public namespace. The ids of its registry items begin with it and change too.
    Returns the organization as it is then."""

    organization_id: OrganizationId
    new_public_namespace: Name

    async def subject(self, app: AppClient) -> str:
        return await organization_name(app, self.organization_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        org, items = await asyncio.gather(
            app.get_organization(self.organization_id),
            app.list_registry_items(self.organization_id, [], [], [], []),
        )
        called = organization_called(org)
        lines = change("Public namespace", org.public_namespace, self.new_public_namespace)
        if not lines:
            return called.preview(self, [UNCHANGED])
        own = [item for item in items if item.organization_id == org.id]
        gets_ids = f"New ids for {counted('registry item', (item.item_id for item in own))}"
        lines = [*lines, gets_ids, "Whatever names the present ids has to name the new ones."]
        moves = f"{exact(org.public_namespace)} → {exact(self.new_public_namespace, sent=True)}"
        return called.preview(
            self,
            lines,
            consequences=[Consequence(Risk.ACCESS, "NEW IDS for its registry items", moves, len(own))],
            bound=state_of(org.public_namespace, *(item.item_id for item in own)),
        )

    async def run(self, app: AppClient) -> wire.Organization:
        return await app.update_organization_namespace(self.organization_id, self.new_public_namespace)
