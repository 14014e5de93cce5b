"""Roles: who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from viam_mcp.app._errors import invalid
from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ResourceType", "Role", "RoleMethods", "authorization", "check_role"]

Role = Literal["owner", "operator"]
ResourceType = Literal["organization", "location", "robot"]


def check_role(rpc: str, role: str, resource_type: str) -> None:
    """Refuse a role that does not exist.

    Raises:
        InvalidArgument: With the names that do.
    """
    for name, value, known in (
        ("role", role, get_args(Role)),
        ("resource_type", resource_type, get_args(ResourceType)),
    ):
        if value not in known:
            raise invalid(rpc, f"{name} is {value!r}", f"Give one of {', '.join(known)}.")


def authorization(
    rpc: str,
    org_id: str,
    role: str,
    resource_type: str,
    resource_id: str,
    *,
    identity_id: str = "",
    identity_type: str = "",
) -> app.Authorization:
    """Return the message for a role on a resource."""
    check_role(rpc, role, resource_type)
    return app.Authorization(
        authorization_type="role",
        authorization_id=f"{resource_type}_{role}",
        resource_type=resource_type,
        resource_id=resource_id,
        organization_id=org_id,
        identity_id=identity_id,
        identity_type=identity_type,
    )


class RoleMethods(Subject):
    """Methods about roles and permissions.

    Operators view and control; owners configure and manage besides. A role on an organization holds for
    its locations, one on a location for its machines.
    """

    async def add_role(
        self, org_id: str, identity_id: str, role: Role, resource_type: ResourceType, resource_id: str
    ) -> None:
        """Give an identity a role on a resource.

        Args:
            org_id: The organization that the resource belongs to.
            identity_id: Whom: a user's id, for example.
            role: "owner" or "operator".
            resource_type: "organization", "location" or "robot", for a machine.
            resource_id: The resource, of that type.

        Raises:
            InvalidArgument: Also before any call, for a role or a type of resource that does not exist.
        """
        granted = authorization("AddRole", org_id, role, resource_type, resource_id, identity_id=identity_id)
        await self._session.unary(self._stub.AddRole, build(app.AddRoleRequest, authorization=granted))

    async def remove_role(
        self, org_id: str, identity_id: str, role: Role, resource_type: ResourceType, resource_id: str
    ) -> None:
        """Take a role on a resource from an identity.

        Args:
            org_id: The organization that the resource belongs to.
            identity_id: From whom: a user's id, for example.
            role: "owner" or "operator".
            resource_type: "organization", "location" or "robot", for a machine.
            resource_id: The resource, of that type.

        Raises:
            InvalidArgument: Also before any call, for a role or a type of resource that does not exist.
        """
        revoked = authorization("RemoveRole", org_id, role, resource_type, resource_id, identity_id=identity_id)
        await self._session.unary(self._stub.RemoveRole, build(app.RemoveRoleRequest, authorization=revoked))

    async def change_role(
        self,
        organization_id: str,
        old_identity_id: str,
        old_role: Role,
        old_resource_type: ResourceType,
        old_resource_id: str,
        new_identity_id: str,
        new_role: Role,
        new_resource_type: ResourceType,
        new_resource_id: str,
    ) -> None:
        """Replace one role by another, within one organization.

        Args:
            organization_id: The organization.
            old_identity_id: Who has the role.
            old_role: "owner" or "operator".
            old_resource_type: "organization", "location" or "robot", for a machine.
            old_resource_id: The resource that it is on.
            new_identity_id: Who gets the other role.
            new_role: "owner" or "operator".
            new_resource_type: "organization", "location" or "robot", for a machine.
            new_resource_id: The resource that it is on.

        Raises:
            InvalidArgument: Also before any call, for a role or a type of resource that does not exist.
        """
        rpc = "ChangeRole"
        old = authorization(
            rpc, organization_id, old_role, old_resource_type, old_resource_id, identity_id=old_identity_id
        )
        new = authorization(
            rpc, organization_id, new_role, new_resource_type, new_resource_id, identity_id=new_identity_id
        )
        request = build(app.ChangeRoleRequest, old_authorization=old, new_authorization=new)
        await self._session.unary(self._stub.ChangeRole, request)

    async def list_authorizations(
        self, org_id: str, resource_ids: Sequence[str] | None = None
    ) -> list[app.Authorization]:
        """List who may do what in an organization.

        Args:
            org_id: The organization.
            resource_ids: Only what is allowed on these resources; None for all of the organization.
        """
        request = build(app.ListAuthorizationsRequest, organization_id=org_id, resource_ids=resource_ids)
        return list((await self._session.unary(self._stub.ListAuthorizations, request)).authorizations)

    async def check_permissions(
        self, permissions: Sequence[app.AuthorizedPermissions]
    ) -> list[app.AuthorizedPermissions]:
        """Ask what the API key may do.

        Args:
            permissions: Permissions by name, such as "control_robot", on resources; at least one.

        Returns:
            Those of them that it has.
        """
        request = build(app.CheckPermissionsRequest, permissions=permissions)
        return list((await self._session.unary(self._stub.CheckPermissions, request)).authorized_permissions)
