"""Who may do what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._refs import Ref
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Preview, Tool
from viam_mcp.tools.arguments._nested import AuthorizedPermissions
from viam_mcp.tools.arguments._types import IdentityId, OrganizationId, ResourceId, ResourceType, Role
from viam_mcp.tools.previews._grants import Grant, held_by, in_words, warned
from viam_mcp.tools.previews._names import identity_name, organization_name, resource, resource_name
from viam_mcp.tools.previews._wording import preview
from viam_mcp.tools.results._output import Done, Many

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment


class _OneRole(Tool):
    """The arguments of the tools that add or remove one role."""

    org_id: OrganizationId
    identity_id: IdentityId
    role: Role
    resource_type: ResourceType
    resource_id: ResourceId

    async def subject(self, app: AppClient) -> str:
        who = await identity_name(app, self.org_id, self.identity_id)
        return f"{who} as {self.role} of {await resource_name(app, self.resource_type, self.resource_id)}"

    async def _name(self, app: AppClient) -> str:
        return (await resource(app, self.resource_type, self.resource_id)).name

    async def _facts(self, app: AppClient) -> tuple[str, str, list[Grant]]:
        """What the call is about, the resource's name alone, and all that the identity holds."""
        return await asyncio.gather(
            self.subject(app),
            self._name(app),
            held_by(app, self.org_id, self.identity_id),
        )


class AddRole(_OneRole, toolset="roles", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Added {subject}.")):
    """Make a user or an API key an owner or operator of an organization, location or machine and all below it.
    Owners configure it and manage members and keys, operators control and view."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        what, name, held = await self._facts(app)
        wanted = Grant.asked(self)
        granted = warned(app, self.identity_id)
        if wanted in held:
            granted.append("They have this role already.")
        else:
            granted += [f"Gains: {text}, and of all below it." for text in await in_words(app, [wanted])]
        others = [grant for grant in held if grant != wanted]
        lines = [f"Has already: {text}." for text in await in_words(app, others)]
        return preview(self, what, lines, granted=granted, subject=name)

    async def run(self, app: AppClient) -> None:
        await app.add_role(self.org_id, self.identity_id, self.role, self.resource_type, self.resource_id)


class RemoveRole(_OneRole, toolset="roles", effect=Effect.DESTRUCTIVE, returns=Done("Removed {subject}.")):
    """Take a role away from a user or an API key. What they hold on other resources stays; see
    list_authorizations."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        what, name, held = await self._facts(app)
        lost = Grant.asked(self)
        lines = warned(app, self.identity_id)
        if lost in held:
            lines += [f"Loses: {text}, and of all below it." for text in await in_words(app, [lost])]
        else:
            lines.append("They do not have this role.")
        kept = [grant for grant in held if grant != lost]
        lines += [f"Keeps: {text}." for text in await in_words(app, kept)] or ["Nothing else is left to them."]
        return preview(self, what, lines, subject=name)

    async def run(self, app: AppClient) -> None:
        await app.remove_role(self.org_id, self.identity_id, self.role, self.resource_type, self.resource_id)


class ChangeRole(Tool, toolset="roles", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Changed {subject}.")):
    """Replace one role by another within an organization, in one step: another role, another resource, or
    another user or key."""

    organization_id: OrganizationId
    old_identity_id: IdentityId
    old_role: Role
    old_resource_type: ResourceType
    old_resource_id: Annotated[ResourceId, Ref(by="old_resource_type")]
    new_identity_id: IdentityId
    new_role: Role
    new_resource_type: ResourceType
    new_resource_id: Annotated[ResourceId, Ref(by="new_resource_type")]

    async def subject(self, app: AppClient) -> str:
        org = self.organization_id
        old = f"{await identity_name(app, org, self.old_identity_id)} as {self.old_role} of "
        new = f"{await identity_name(app, org, self.new_identity_id)} as {self.new_role} of "
        old += await resource_name(app, self.old_resource_type, self.old_resource_id)
        return f"{old} to {new}{await resource_name(app, self.new_resource_type, self.new_resource_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        org = self.organization_id
        old = Grant(self.old_role, self.old_resource_type, self.old_resource_id)
        new = Grant(self.new_role, self.new_resource_type, self.new_resource_id)
        place, loser, gainer, (lost, gained) = await asyncio.gather(
            organization_name(app, org),
            identity_name(app, org, self.old_identity_id),
            identity_name(app, org, self.new_identity_id),
            in_words(app, [old, new]),
        )
        loser_holds, gainer_holds, target = await asyncio.gather(
            held_by(app, org, self.old_identity_id),
            held_by(app, org, self.new_identity_id),
            resource(app, self.new_resource_type, self.new_resource_id),
        )
        granted = [
            *(f"{loser}: {line}" for line in warned(app, self.old_identity_id)),
            *(f"{gainer}: {line}" for line in warned(app, self.new_identity_id) if loser != gainer),
            f"Loses: {loser}: {lost}." if old in loser_holds else f"{loser} is not {lost}: nothing to take away.",
            f"Has it already: {gainer}: {gained}." if new in gainer_holds else f"Gains: {gainer}: {gained}.",
        ]
        return preview(self, f"in {place}", [], granted=granted, subject=target.name)

    async def run(self, app: AppClient) -> None:
        arguments: dict[str, Any] = self.model_dump()
        await app.change_role(**arguments)


class ListAuthorizations(ListTool, toolset="roles", core=True, returns=Many(authorizations=wire.Authorization)):
    """List who holds which role on what, in a whole organization or on the resources named. identity_id is a
    user's or a key's; list_organization_members and list_keys tell their names."""

    org_id: OrganizationId
    resource_ids: (
        Annotated[list[ResourceId], Field(max_length=1000), Ref("organization", "location", "machine")] | None
    ) = None

    async def run(self, app: AppClient) -> list[wire.Authorization]:
        return await app.list_authorizations(self.org_id, self.resource_ids)


class CheckPermissions(ListTool, toolset="roles", core=True, returns=Many(permissions=wire.AuthorizedPermissions)):
    """Ask which of some permissions the configured key has. Returns those that it has; the others are missing
    from the answer. Use it to find out why a call is denied."""

    permissions: Annotated[list[AuthorizedPermissions], Field(min_length=1, max_length=1000)]

    async def run(self, app: AppClient) -> list[wire.AuthorizedPermissions]:
        return await app.check_permissions([item.message() for item in self.permissions])
