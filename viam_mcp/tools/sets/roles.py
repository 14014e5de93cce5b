"""Who may do what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._refs import Ref
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._nested import AuthorizedPermissions
from viam_mcp.tools.arguments._types import IdentityId, OrganizationId, ResourceId, ResourceType, Role
from viam_mcp.tools.previews._authority import RoleGrant, authority, held_by, in_words, warned
from viam_mcp.tools.previews._names import brief, identities, identity_name, named, resource_name
from viam_mcp.tools.previews._wording import Called, preview
from viam_mcp.tools.results._output import Done, Many

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
    from viam_mcp.tools.previews._authority import Authority
    from viam_mcp.tools.previews._model import Preview


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

    async def _facts(self, app: AppClient) -> tuple[Called, list[RoleGrant], Authority]:
        """Return what the call is about, all that the identity holds, and what the role opens."""
        (identity,), organization, (held,), opens = await asyncio.gather(
            identities(app, self.org_id, self.identity_id),
            app.get_organization(self.org_id),
            held_by(app, self.org_id, self.identity_id),
            authority(app, [RoleGrant.asked(self)]),
        )
        called = Called(
            what=f"{identity[0]} as {opens.roles[0]}",
            title=f"{identity[1]} as {opens.briefly[0]}",
            where=f"in {brief('organization', organization.name)}",
            subject=opens.names[0],
        )
        return called, held, opens


class AddRole(_OneRole, toolset="roles", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Added {subject}.")):
    """Make a user or an API key an owner or operator of an organization, location or machine and all below it.
    Owners configure it and manage members and keys, operators control and view."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called, held, opens = await self._facts(app)
        wanted = RoleGrant.asked(self)
        others = await in_words(app, (grant for grant in held if grant != wanted))
        is_new = wanted not in held
        lines = [
            *warned(app, self.identity_id),
            *(opens.lines("Gains, with all below it:") if is_new else ["They have this role already."]),
            *(f"Has already: {text}." for text in others),
        ]
        return called.preview(self, lines, consequences=opens.consequences() if is_new else [], bound=opens.bound)

    async def run(self, app: AppClient) -> None:
        await app.add_role(self.org_id, self.identity_id, self.role, self.resource_type, self.resource_id)


class RemoveRole(_OneRole, toolset="roles", effect=Effect.DESTRUCTIVE, returns=Done("Removed {subject}.")):
    """Take a role away from a user or an API key. What they hold on other resources stays; see
    list_authorizations."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called, held, opens = await self._facts(app)
        lost = RoleGrant.asked(self)
        kept = await in_words(app, (grant for grant in held if grant != lost))
        is_held = lost in held
        lines = [
            *warned(app, self.identity_id),
            *(opens.lines("Loses, with all below it:") if is_held else ["They do not have this role."]),
            *([f"Keeps: {text}." for text in kept] or ["Nothing else is left to them."]),
        ]
        return called.preview(
            self, lines, consequences=opens.consequences("TAKES AWAY") if is_held else [], bound=opens.bound
        )

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
        old = RoleGrant(self.old_role, self.old_resource_type, self.old_resource_id)
        new = RoleGrant(self.new_role, self.new_resource_type, self.new_resource_id)
        organization, (loser, gainer), (loser_holds, gainer_holds), lost, gained = await asyncio.gather(
            app.get_organization(org),
            identities(app, org, self.old_identity_id, self.new_identity_id),
            held_by(app, org, self.old_identity_id, self.new_identity_id),
            authority(app, [old]),
            authority(app, [new]),
        )
        lines = [
            *(f"{loser[0]}: {line}" for line in warned(app, self.old_identity_id)),
            *(f"{gainer[0]}: {line}" for line in warned(app, self.new_identity_id) if loser != gainer),
            *(
                lost.lines(f"Loses: {loser[0]}:")
                if old in loser_holds
                else [f"{loser[0]} is not {lost.roles[0]}: nothing to take away."]
            ),
            *gained.lines(f"Has it already: {gainer[0]}:" if new in gainer_holds else f"Gains: {gainer[0]}:"),
        ]
        return preview(
            self,
            f"in {named('organization', organization.name, organization.id)}",
            lines,
            title=f"from {loser[1]}",
            where=f"to {gainer[1]} in {brief('organization', organization.name)}",
            consequences=gained.consequences(),
            subject=gained.names[0],
            bound=(*lost.bound, *gained.bound),
        )

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
