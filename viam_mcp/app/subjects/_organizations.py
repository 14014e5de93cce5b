"""Organizations, their members and invites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OrganizationMethods"]


class OrganizationMethods(Subject):
    """Methods about organizations. An organization is named by its id, a UUID."""

    async def get_user_id_by_email(self, email: str) -> str:
        """Find a user by email address.

        Args:
            email: The address that the user signs in with.

        Returns:
            The user's id.
        """
        request = build(app.GetUserIDByEmailRequest, email=email)
        return (await self._session.unary(self._stub.GetUserIDByEmail, request)).user_id

    async def create_organization(self, name: str) -> app.Organization:
        """Make an organization, owned by the caller.

        Args:
            name: Its name.

        Returns:
            The new organization. It comes with a first location.
        """
        request = build(app.CreateOrganizationRequest, name=name)
        return (await self._session.unary(self._stub.CreateOrganization, request)).organization

    async def list_organizations(self) -> list[app.Organization]:
        """List the organizations that the API key may see."""
        request = app.ListOrganizationsRequest()
        return list((await self._session.unary(self._stub.ListOrganizations, request)).organizations)

    async def get_organizations_with_access_to_location(self, location_id: str) -> list[app.OrganizationIdentity]:
        """List the organizations that share a location, its owner among them.

        Args:
            location_id: The location.
        """
        request = build(app.GetOrganizationsWithAccessToLocationRequest, location_id=location_id)
        reply = await self._session.unary(self._stub.GetOrganizationsWithAccessToLocation, request)
        return list(reply.organization_identities)

    async def list_organizations_by_user(self, user_id: str) -> list[app.OrgDetails]:
        """List the organizations that a user is a member of.

        Args:
            user_id: The user, as `get_user_id_by_email` names them.
        """
        request = build(app.ListOrganizationsByUserRequest, user_id=user_id)
        return list((await self._session.unary(self._stub.ListOrganizationsByUser, request)).orgs)

    async def search_organizations(
        self,
        org_id: str | None = None,
        org_name: str | None = None,
        cid: str | None = None,
        public_namespace: str | None = None,
    ) -> list[app.OrgDetails]:
        """Find organizations that match everything that is given.

        Args:
            org_id: The organization's id.
            org_name: A part of its name.
            cid: Its id in the customer database of Viam.
            public_namespace: Its namespace.
        """
        request = build(
            app.SearchOrganizationsRequest, org_id=org_id, org_name=org_name, cid=cid, public_namespace=public_namespace
        )
        return list((await self._session.unary(self._stub.SearchOrganizations, request)).organizations)

    async def get_organization(self, org_id: str) -> app.Organization:
        """Get an organization: name, namespace, region and more.

        Args:
            org_id: The organization.
        """
        request = build(app.GetOrganizationRequest, organization_id=org_id)
        return (await self._session.unary(self._stub.GetOrganization, request)).organization

    async def get_organization_namespace_availability(self, public_namespace: str) -> bool:
        """Tell whether a namespace can still be taken.

        Args:
            public_namespace: Lowercase letters, digits and dashes.

        Returns:
            False if an organization has it, or once had it.
        """
        request = build(app.GetOrganizationNamespaceAvailabilityRequest, public_namespace=public_namespace)
        return (await self._session.unary(self._stub.GetOrganizationNamespaceAvailability, request)).available

    async def update_organization(
        self,
        org_id: str,
        name: str | None = None,
        public_namespace: str | None = None,
        region: str | None = None,
        cid: str | None = None,
        default_fragments: Sequence[app.FragmentImport] | None = None,
    ) -> app.Organization:
        """Change an organization. What is None stays as it is.

        Args:
            org_id: The organization.
            name: Its new name.
            public_namespace: Its namespace, which can be set once only.
            region: Where its data is stored.
            cid: Its id in the customer database of Viam.
            default_fragments: The fragments that new machines start with; an empty list for none.

        Returns:
            The organization as it is now.
        """
        fragments = None if default_fragments is None else app.FragmentImportList(fragments=default_fragments)
        request = build(
            app.UpdateOrganizationRequest,
            organization_id=org_id,
            name=name,
            public_namespace=public_namespace,
            region=region,
            cid=cid,
            default_fragments=fragments,
        )
        return (await self._session.unary(self._stub.UpdateOrganization, request)).organization

    async def update_organization_namespace(self, organization_id: str, new_public_namespace: str) -> app.Organization:
        """Change the namespace of an organization, which the ids of its registry items begin with.

        Args:
            organization_id: The organization.
            new_public_namespace: Its namespace from now on: lowercase letters, digits and dashes.

        Returns:
            The organization as it is now.
        """
        request = build(
            app.UpdateOrganizationNamespaceRequest,
            organization_id=organization_id,
            new_public_namespace=new_public_namespace,
        )
        return (await self._session.unary(self._stub.UpdateOrganizationNamespace, request)).organization

    async def delete_organization(self, org_id: str) -> None:
        """Delete an organization for good. Its locations are deleted before it.

        Args:
            org_id: The organization.
        """
        await self._session.unary(
            self._stub.DeleteOrganization, build(app.DeleteOrganizationRequest, organization_id=org_id)
        )

    async def list_organization_members(
        self, org_id: str
    ) -> tuple[list[app.OrganizationMember], list[app.OrganizationInvite]]:
        """List who belongs to an organization and who is invited.

        Args:
            org_id: The organization.

        Returns:
            The members, and the invites that are pending.
        """
        request = build(app.ListOrganizationMembersRequest, organization_id=org_id)
        reply = await self._session.unary(self._stub.ListOrganizationMembers, request)
        return list(reply.members), list(reply.invites)

    async def create_organization_invite(
        self,
        org_id: str,
        email: str,
        authorizations: Sequence[app.Authorization] | None = None,
        send_email_invite: bool = True,
    ) -> app.OrganizationInvite:
        """Invite somebody to an organization.

        Args:
            org_id: The organization.
            email: Whom to invite.
            authorizations: What they will be allowed; None makes them owner of the whole organization.
            send_email_invite: Send an email that has to be accepted; without it they belong to the
                organization from their next sign-in on.

        Returns:
            The invite.
        """
        request = build(
            app.CreateOrganizationInviteRequest,
            organization_id=org_id,
            email=email,
            authorizations=authorizations,
            send_email_invite=send_email_invite,
        )
        return (await self._session.unary(self._stub.CreateOrganizationInvite, request)).invite

    async def update_organization_invite_authorizations(
        self,
        org_id: str,
        email: str,
        add_authorizations: Sequence[app.Authorization] | None = None,
        remove_authorizations: Sequence[app.Authorization] | None = None,
    ) -> app.OrganizationInvite:
        """Change what a pending invite will allow.

        An invite holds at least one authorization, and one at most for each level of resource.

        Args:
            org_id: The organization.
            email: Who is invited.
            add_authorizations: What to allow besides.
            remove_authorizations: What to allow no more.

        Returns:
            The invite as it is now.
        """
        request = build(
            app.UpdateOrganizationInviteAuthorizationsRequest,
            organization_id=org_id,
            email=email,
            add_authorizations=add_authorizations,
            remove_authorizations=remove_authorizations,
        )
        return (await self._session.unary(self._stub.UpdateOrganizationInviteAuthorizations, request)).invite

    async def delete_organization_member(self, org_id: str, user_id: str) -> None:
        """Take a member out of an organization, with all that they were allowed there.

        Args:
            org_id: The organization.
            user_id: The member.
        """
        request = build(app.DeleteOrganizationMemberRequest, organization_id=org_id, user_id=user_id)
        await self._session.unary(self._stub.DeleteOrganizationMember, request)

    async def delete_organization_invite(self, org_id: str, email: str) -> None:
        """Withdraw a pending invite.

        Args:
            org_id: The organization.
            email: Who is invited.
        """
        request = build(app.DeleteOrganizationInviteRequest, organization_id=org_id, email=email)
        await self._session.unary(self._stub.DeleteOrganizationInvite, request)

    async def resend_organization_invite(self, org_id: str, email: str) -> app.OrganizationInvite:
        """Send the email of a pending invite once more.

        Args:
            org_id: The organization.
            email: Who is invited.

        Returns:
            The invite.
        """
        request = build(app.ResendOrganizationInviteRequest, organization_id=org_id, email=email)
        return (await self._session.unary(self._stub.ResendOrganizationInvite, request)).invite
