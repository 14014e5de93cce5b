"""Organizations, their members and invites."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from viam_mcp.app import Page
from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._nested import Authorization, FragmentImport
from viam_mcp.tools.arguments._types import Email, KeepEmpty, LocationId, Name, OrganizationId, Text, UserId
from viam_mcp.tools.previews._authority import (
    MOST_GRANTS,
    RoleGrant,
    authority,
    held_by,
    in_words,
    strongest_first,
)
from viam_mcp.tools.previews._configuration import ConfigChange
from viam_mcp.tools.previews._imports import import_changes, lacking, whole_imports
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, invite_name, member_name, named, organization_name, quoted
from viam_mcp.tools.previews._places import owner_of
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    UNCHANGED,
    VISIBILITIES,
    Called,
    change,
    count,
    counted,
    day,
    exact,
    state_of,
)
from viam_mcp.tools.results._output import Done, Many, One, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

_NO_INVITE = "There is no such pending invite."


class GetUserIdByEmail(Tool, toolset="organizations", scoped_by=ScopedBy.NOTHING, returns=Values(user_id=str)):
    """Find the id of a user by e-mail address. Needed before list_organizations_by_user and the role tools,
    which take ids."""

    email: Email

    async def run(self, app: AppClient) -> str:
        return await app.get_user_id_by_email(self.email)


class CreateOrganization(
    Tool,
    toolset="organizations",
    effect=Effect.WRITE,
    scoped_by=ScopedBy.NOTHING,
    returns=One("organization", wire.Organization),
):
    """Create an organization, owned by the caller. It starts with one location. Returns the new organization
    with its id."""

    name: Name

    async def subject(self, app: AppClient) -> str:
        return f"organization {quoted(self.name)}"

    async def run(self, app: AppClient) -> wire.Organization:
        return await app.create_organization(self.name)


class ListOrganizations(
    ListTool,
    toolset="organizations",
    core=True,
    scoped_by=ScopedBy.ITEMS,
    returns=Many(organizations=wire.Organization),
):
    """List the organizations that the configured key can reach. The place to start: their ids lead to
    locations, members, fragments, keys and registry items."""

    async def run(self, app: AppClient) -> list[wire.Organization]:
        return await app.list_organizations()


class GetOrganizationsWithAccessToLocation(
    ListTool, toolset="organizations", returns=Many(organizations=wire.OrganizationIdentity)
):
    """List the organizations that may use a location: its owner and those that it is shared with. Returns ids
    and names."""

    location_id: LocationId

    async def run(self, app: AppClient) -> list[wire.OrganizationIdentity]:
        return await app.get_organizations_with_access_to_location(self.location_id)


class ListOrganizationsByUser(
    ListTool, toolset="organizations", scoped_by=ScopedBy.ITEMS, returns=Many(organizations=wire.OrgDetails)
):
    """List the organizations that a user belongs to, with names and namespaces. Take the id from
    get_user_id_by_email."""

    user_id: UserId

    async def run(self, app: AppClient) -> list[wire.OrgDetails]:
        return await app.list_organizations_by_user(self.user_id)


class GetOrganization(Tool, toolset="organizations", core=True, returns=One("organization", wire.Organization)):
    """Get one organization: name, public namespace, region, fragments that new machines start with."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> wire.Organization:
        return await app.get_organization(self.org_id)


class GetOrganizationNamespaceAvailability(
    Tool, toolset="organizations", scoped_by=ScopedBy.NOTHING, returns=Values(available=bool)
):
    """Say whether a public namespace is still free. A namespace is lowercase letters, digits and dashes."""

    public_namespace: Name

    async def run(self, app: AppClient) -> bool:
        return await app.get_organization_namespace_availability(self.public_namespace)


class UpdateOrganization(
    Tool, toolset="organizations", effect=Effect.DESTRUCTIVE, returns=One("organization", wire.Organization)
):
    """Change an organization's name, region, CRM id or default fragments, or set its public namespace, which
    can be done once and not undone. What is left out stays as it is. Returns the organization as it is then."""

    org_id: OrganizationId
    name: Name | None = None
    public_namespace: Name | None = None
    region: Name | None = None
    cid: Annotated[Text, KeepEmpty(), Field(description="Empty: none")] | None = None
    default_fragments: Annotated[
        list[FragmentImport] | None,
        KeepEmpty(),
        Field(max_length=100, description="Replaces the present list; empty: none"),
    ] = None

    async def subject(self, app: AppClient) -> str:
        return await organization_name(app, self.org_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        org = await app.get_organization(self.org_id)
        lines = [
            *change("Name", org.name, self.name),
            *change("Public namespace, which cannot be changed again", org.public_namespace, self.public_namespace),
            *change("Region", org.default_region, self.region),
            *change("CRM id", org.cid, self.cid),
        ]
        starts = ConfigChange([], is_empty=True)
        if self.default_fragments is not None:
            starts = await import_changes(app, org, self.default_fragments)
            lines = [*starts.lines, *lines] if not starts.is_empty else lines
        return _called(org).preview(
            self,
            lines or [UNCHANGED],
            consequences=starts.consequences,
            bound=(*starts.bound, *state_of(org)),
        )

    async def run(self, app: AppClient) -> wire.Organization:
        fragments = None if self.default_fragments is None else [item.message() for item in self.default_fragments]
        if lacking(self.default_fragments or ()):
            fragments = whole_imports(self.default_fragments or (), await app.get_organization(self.org_id))
        return await app.update_organization(
            self.org_id, self.name, self.public_namespace, self.region, self.cid, default_fragments=fragments
        )


class DeleteOrganization(
    Tool, toolset="organizations", effect=Effect.DESTRUCTIVE, types_name="always", returns=Done("Deleted {subject}.")
):
    """Delete an organization. Its locations have to be deleted before. This cannot be undone."""

    org_id: OrganizationId

    async def subject(self, app: AppClient) -> str:
        return await organization_name(app, self.org_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        org, visible, (members, invites), keys, fragments, items = await asyncio.gather(
            app.get_organization(self.org_id),
            app.list_locations(self.org_id),
            app.list_organization_members(self.org_id),
            app.list_keys(self.org_id),
            app.list_fragments(self.org_id, visibilities=VISIBILITIES),
            app.list_registry_items(self.org_id, [], [], [], []),
        )
        locations = [location for location in visible if owner_of(location) == self.org_id]
        machines = sum(location.robot_count for location in locations)
        own_fragments = [fragment for fragment in fragments if fragment.organization_owner == self.org_id]
        own_items = [item for item in items if item.organization_id == self.org_id]
        people = f"{count(len(members), 'member')}, {count(len(invites), 'pending invite')}"
        lines = [
            f"It has {count(len(locations), 'location')} with {count(machines, 'machine')}.",
            f"It has {count(len(own_fragments), 'fragment')} and {count(len(own_items), 'registry item')}.",
            f"It has {people} and {count(len(keys), 'API key')}.",
            f"Public namespace: {exact(org.public_namespace)}.",
            counted("location", (location.name for location in locations)),
            *(["While it has locations, the service refuses this."] if locations else []),
            f"It was created on {day(org.created_on)}. {GONE_FOR_GOOD}",
        ]
        gone = f"{count(len(locations), 'location')}, {count(len(own_fragments), 'fragment')}, {people}"
        bound = state_of(
            *(location.id for location in locations),
            *(member.user_id for member in members),
            *(invite.email for invite in invites),
            *(entry.api_key.id for entry in keys),
            *(fragment.id for fragment in own_fragments),
            *(item.item_id for item in own_items),
        )
        deletes = Consequence(Risk.DELETIONS, "DELETES IT", gone)
        return _called(org).preview(self, lines, consequences=[deletes], type_subject=True, bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.delete_organization(self.org_id)


class ListOrganizationMembers(
    ListTool,
    toolset="organizations",
    core=True,
    returns=Many(members=wire.OrganizationMember, invites=wire.OrganizationInvite),
):
    """List who belongs to an organization, with addresses and last access, and the invites that are still
    pending. For what each may do, see list_authorizations."""

    org_id: OrganizationId

    async def page(self, app: AppClient, token: str, limit: int) -> Page[Any]:
        members, invites = await app.list_organization_members(self.org_id)
        return Page([("members", member) for member in members] + [("invites", invite) for invite in invites])


class CreateOrganizationInvite(
    Tool,
    toolset="organizations",
    effect=Effect.DESTRUCTIVE,
    grants=True,
    returns=One("invite", wire.OrganizationInvite),
):
    """Invite somebody to an organization by e-mail. Without authorizations the invited person becomes an owner
    of everything in it. Returns the pending invite."""

    org_id: OrganizationId
    email: Email
    authorizations: Annotated[list[Authorization], Field(max_length=MOST_GRANTS)] | None = None
    send_email_invite: Annotated[
        bool, Field(description="False: no mail is sent, the access is there at the person's next login")
    ] = True

    def meant(self, default_location: str | None = None) -> dict[str, Any]:
        whole = {"role": "owner", "resource_type": "organization", "resource_id": self.org_id}
        arguments = super().meant(default_location)
        return {**arguments, "authorizations": arguments["authorizations"] or [whole]}

    async def subject(self, app: AppClient) -> str:
        return f"{quoted(self.email)} to {await organization_name(app, self.org_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        org, (members, invites) = await asyncio.gather(
            app.get_organization(self.org_id), app.list_organization_members(self.org_id)
        )
        whole = RoleGrant("owner", "organization", self.org_id)
        opens = await authority(app, strongest_first(map(RoleGrant.asked, self.authorizations or [])) or [whole])
        granted = opens.lines("They become")
        if not self.authorizations:
            granted = [
                "They become OWNER of the WHOLE organization: all machines, members, keys and secrets.",
                *granted,
            ]
        lines, email = [], self.email.casefold()
        if any(email == address.casefold() for member in members for address in member.emails):
            lines.append("They are a member already.")
        if any(email == invite.email.casefold() for invite in invites):
            lines.append("They have a pending invite already.")
        if not self.send_email_invite:
            lines.append("No mail is sent: the access is there at their next login.")
        who, place = exact(self.email), named("organization", org.name, org.id)
        called = Called(f"{who} to {place}", who, f"to {brief('organization', org.name)}", self.email)
        return called.preview(self, [*granted, *lines], consequences=opens.consequences(), bound=opens.bound)

    async def run(self, app: AppClient) -> wire.OrganizationInvite:
        given = None if self.authorizations is None else [item.message(self.org_id) for item in self.authorizations]
        return await app.create_organization_invite(self.org_id, self.email, given, self.send_email_invite)


class UpdateOrganizationInviteAuthorizations(
    Tool,
    toolset="organizations",
    effect=Effect.DESTRUCTIVE,
    grants=True,
    returns=One("invite", wire.OrganizationInvite),
):
    """Change what a pending invite will allow. An invite holds at most one authorization for each resource and
    at least one in all. Returns the invite as it is then. For members who have joined, use change_role."""

    org_id: OrganizationId
    email: Email
    add_authorizations: Annotated[list[Authorization], Field(max_length=MOST_GRANTS)] | None = None
    remove_authorizations: Annotated[list[Authorization], Field(max_length=MOST_GRANTS)] | None = None

    async def subject(self, app: AppClient) -> str:
        return await invite_name(app, self.org_id, self.email)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called, invite = await _called_invite(app, self.org_id, self.email)
        if invite is None:
            return called.preview(self, [_NO_INVITE])
        add, remove, held = (
            strongest_first(grants)
            for grants in (
                map(RoleGrant.asked, self.add_authorizations or ()),
                map(RoleGrant.asked, self.remove_authorizations or ()),
                map(RoleGrant.held, invite.authorizations),
            )
        )
        new, taken, kept = await asyncio.gather(
            authority(app, (grant for grant in add if grant not in held)),
            in_words(app, remove),
            in_words(app, (grant for grant in held if grant not in remove)),
        )
        lines = [
            *new.lines("It allows from then on:"),
            *(f"It allows {text} already." for text in await in_words(app, (one for one in add if one in held))),
            *(
                f"It no longer allows: {text}."
                if grant in held
                else f"It does not allow {text}, so that cannot be taken away."
                for grant, text in zip(remove, taken, strict=True)
            ),
            *(f"It still allows: {text}." for text in kept),
        ]
        return called.preview(self, lines, consequences=new.consequences(), bound=new.bound)

    async def run(self, app: AppClient) -> wire.OrganizationInvite:
        add, remove = (
            None if items is None else [item.message(self.org_id) for item in items]
            for items in (self.add_authorizations, self.remove_authorizations)
        )
        return await app.update_organization_invite_authorizations(self.org_id, self.email, add, remove)


class DeleteOrganizationMember(
    Tool, toolset="organizations", effect=Effect.DESTRUCTIVE, returns=Done("Removed {subject}.")
):
    """Remove a member from an organization, with all access to it. For a pending invite, use
    delete_organization_invite."""

    org_id: OrganizationId
    user_id: UserId

    async def subject(self, app: AppClient) -> str:
        return f"{await member_name(app, self.org_id, self.user_id)} from {await organization_name(app, self.org_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        org, (members, _), (held,) = await asyncio.gather(
            app.get_organization(self.org_id),
            app.list_organization_members(self.org_id),
            held_by(app, self.org_id, self.user_id),
        )
        member = next((member for member in members if member.user_id == self.user_id), None)
        if member is None:
            called = replace(_called(org), what=f"user {self.user_id} from {named('organization', org.name, org.id)}")
            return replace(called, title=f"user {self.user_id}").preview(self, ["They are not a member."])
        email, opens = ", ".join(member.emails), await authority(app, held)
        called = replace(
            _called(org),
            what=f"{named('user', email, self.user_id)} from {named('organization', org.name, org.id)}",
            title=brief("user", email),
            where=f"from {brief('organization', org.name)}",
            subject=email,
        )
        lines = [f"They are a member since {day(member.date_added)}.", *opens.lines("They lose:")]
        return called.preview(self, lines, consequences=opens.consequences("TAKES AWAY"))

    async def run(self, app: AppClient) -> None:
        await app.delete_organization_member(self.org_id, self.user_id)


class DeleteOrganizationInvite(
    Tool, toolset="organizations", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")
):
    """Withdraw a pending invite. For somebody who has joined, use delete_organization_member."""

    org_id: OrganizationId
    email: Email

    async def subject(self, app: AppClient) -> str:
        return await invite_name(app, self.org_id, self.email)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called, invite = await _called_invite(app, self.org_id, self.email)
        if invite is None:
            return called.preview(self, [_NO_INVITE])
        opens = await authority(app, strongest_first(map(RoleGrant.held, invite.authorizations)))
        lines = [f"It is pending since {day(invite.created_on)}.", *opens.lines("It would allow:")]
        return called.preview(self, lines, consequences=opens.consequences("TAKES AWAY"))

    async def run(self, app: AppClient) -> None:
        await app.delete_organization_invite(self.org_id, self.email)


class ResendOrganizationInvite(
    Tool, toolset="organizations", effect=Effect.WRITE, returns=One("invite", wire.OrganizationInvite)
):
    """Send the mail of a pending invite again. Changes nothing else. Returns the invite."""

    org_id: OrganizationId
    email: Email

    async def subject(self, app: AppClient) -> str:
        return await invite_name(app, self.org_id, self.email)

    async def run(self, app: AppClient) -> wire.OrganizationInvite:
        return await app.resend_organization_invite(self.org_id, self.email)


def _called(org: wire.Organization) -> Called:
    return Called(named("organization", org.name, org.id), brief("organization", org.name), "", org.name)


async def _called_invite(app: AppClient, org_id: str, email: str) -> tuple[Called, wire.OrganizationInvite | None]:
    """Return what to call a pending invite, and the invite; None if there is none."""
    org, invite = await asyncio.gather(app.get_organization(org_id), _invite(app, org_id, email))
    who = f"the invite of {exact(email)}"
    place = named("organization", org.name, org.id)
    called = Called(f"{who} to {place}", who, f"to {brief('organization', org.name)}", email)
    return called, invite


async def _invite(app: AppClient, org_id: str, email: str) -> wire.OrganizationInvite | None:
    _, invites = await app.list_organization_members(org_id)
    return next((invite for invite in invites if invite.email.casefold() == email.casefold()), None)
