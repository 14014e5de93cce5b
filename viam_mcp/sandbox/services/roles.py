"""Roles of members and keys: given, taken, changed, listed, and what they permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, grants
from viam_mcp.sandbox.rules.access import quoted

if TYPE_CHECKING:
    from viam_mcp.sandbox.rules.grants import StoredGrant

__all__ = ["PERMISSIONS", "RoleRpcs", "keep_an_owner"]

_LEVELS: tuple[access.ResourceType, ...] = ("organization", "location", "robot")


def _permissions() -> dict[str, tuple[access.ResourceType, access.Role]]:
    """Return, by permission, the innermost kind of resource that it is about and the role that it takes.

    Which role carries which is not published in full: here operators see and control, owners do the rest,
    among it the reading of logs and of secrets.
    """
    names: dict[tuple[access.ResourceType, access.Role], str] = {
        ("organization", "operator"): "read_organization read_fragment read_private_registry_item read_packages"
        " read_organization_data_management",
        ("organization", "owner"): "write_organization write_fragment write_organization_data_management"
        " write_private_registry_item write_public_registry_item train_models write_packages delete_packages"
        " configure_database_user get_database_connection create_dataset list_dataset rename_dataset delete_dataset",
        ("location", "operator"): "read_location read_location_data_management read_mapping_sessions",
        ("location", "owner"): "write_location read_location_secret write_location_data_management create_maps",
        ("robot", "operator"): "read_robot read_robot_config control_robot read_robot_data_management",
        ("robot", "owner"): "write_robot read_robot_secret read_robot_logs read_robot_history"
        " write_robot_data_management",
    }
    return {name: level_and_role for level_and_role, text in names.items() for name in text.split()}


PERMISSIONS = _permissions()


class RoleRpcs:
    """The rpcs about roles."""

    @rpc("AddRole")
    def add(self, call: IncomingCall, request: app.AddRoleRequest) -> app.AddRoleResponse:
        _add(call, request.authorization)
        return app.AddRoleResponse()

    @rpc("RemoveRole")
    def remove(self, call: IncomingCall, request: app.RemoveRoleRequest) -> app.RemoveRoleResponse:
        grant, identity_type = _take(call, request.authorization)
        if grant == grants.ownership(grant.org_id):
            keep_an_owner(call, grant.org_id, identity_type)
        return app.RemoveRoleResponse()

    @rpc("ChangeRole")
    def change(self, call: IncomingCall, request: app.ChangeRoleRequest) -> app.ChangeRoleResponse:
        grant, identity_type = _take(call, request.old_authorization, "old_authorization: ")
        _add(call, request.new_authorization, "new_authorization: ")
        if grant == grants.ownership(grant.org_id):
            keep_an_owner(call, grant.org_id, identity_type)
        return app.ChangeRoleResponse()

    @rpc("ListAuthorizations")
    def list(self, call: IncomingCall, request: app.ListAuthorizationsRequest) -> app.ListAuthorizationsResponse:
        organization = access.organization(call, request.organization_id)
        rows = call.store.all(
            "SELECT * FROM authorizations WHERE org_id = ? AND identity_type <> 'invite'"
            " ORDER BY identity_type DESC, identity_id, resource_type, resource_id, role",
            organization["id"],
        )
        wanted = set(request.resource_ids)
        shown = [row for row in rows if not wanted or row["resource_id"] in wanted]
        return app.ListAuthorizationsResponse(authorizations=[grants.message(row) for row in shown])

    @rpc("CheckPermissions")
    def check(self, call: IncomingCall, request: app.CheckPermissionsRequest) -> app.CheckPermissionsResponse:
        if not request.permissions:
            raise invalid("permissions is empty: name at least one resource and what to check there")
        return app.CheckPermissionsResponse(
            authorized_permissions=[_permitted(call, asked) for asked in request.permissions]
        )


def keep_an_owner(call: IncomingCall, org_id: str, identity_type: grants.IdentityType) -> None:
    """Refuse to leave an organization without an owner; without a person, if a person has just stopped to be one.

    Raises:
        Refusal: FAILED_PRECONDITION.
    """
    owners = call.store.all(
        "SELECT identity_type FROM authorizations WHERE org_id = ? AND resource_type = 'organization'"
        " AND role = 'owner' AND identity_type <> 'invite'",
        org_id,
    )
    if not any(identity_type == "api-key" or owner["identity_type"] == "user" for owner in owners):
        raise conflict(f"organization {org_id!r} would be left without an owner: make somebody else an owner first")


def _add(call: IncomingCall, authorization: app.Authorization, what: str = "") -> None:
    grant = grants.requested(call, authorization)
    identity_type = _identity(call, authorization, what)
    for row in grants.of(call.store, authorization.identity_id, grant.org_id):
        if (row["resource_type"], row["resource_id"]) == (grant.resource_type, grant.resource_id):
            raise Refusal(
                Status.ALREADY_EXISTS,
                f"{authorization.identity_id!r} is {row['role']} of {grant.resource_type} {grant.resource_id!r}"
                " already: change the role instead of adding one",
            )
    grant.give(call.store, authorization.identity_id, identity_type)


def _take(
    call: IncomingCall, authorization: app.Authorization, what: str = ""
) -> tuple[StoredGrant, grants.IdentityType]:
    grant = grants.requested(call, authorization)
    identity_type = _identity(call, authorization, what)
    if not grant.take(call.store, authorization.identity_id):
        raise not_found(
            f"the role {grant.role} on {grant.resource_type} {grant.resource_id!r} for", authorization.identity_id
        )
    return grant, identity_type


def _identity(call: IncomingCall, authorization: app.Authorization, what: str) -> Literal["user", "api-key"]:
    """Return whether the identity is a user or an API key. It must belong to the organization."""
    identity_id = access.uuid(authorization.identity_id, f"{what}identity_id")
    org_id = authorization.organization_id
    found: Literal["user", "api-key"]
    if call.store.one("SELECT 1 FROM members WHERE org_id = ? AND user_id = ?", org_id, identity_id):
        found = "user"
    elif call.store.one("SELECT 1 FROM api_keys WHERE org_id = ? AND id = ?", org_id, identity_id) or grants.of(
        call.store, identity_id, org_id
    ):
        found = "api-key"
    else:
        raise not_found("member or API key", identity_id)
    if authorization.identity_type not in ("", found):
        raise invalid(
            f"{what}identity_type is {quoted(authorization.identity_type)}, but {identity_id!r} is of type {found!r}"
        )
    return found


def _permitted(call: IncomingCall, asked: app.AuthorizedPermissions) -> app.AuthorizedPermissions:
    """Return the permissions that the caller has among those it asks about. Unknown names are left out."""
    kind = next((level for level in _LEVELS if level == asked.resource_type), None)
    if kind is None:
        raise invalid(f"resource_type {quoted(asked.resource_type)}: expected one of {', '.join(_LEVELS)}")
    if not asked.permissions:
        raise invalid(f"permissions of {kind} {quoted(asked.resource_id)} is empty: name at least one")
    if kind == "location":
        access.location_form(asked.resource_id, "resource_id")
    else:
        access.uuid(asked.resource_id, "resource_id")
    permitted = [name for name in asked.permissions if _may(call, name, kind, asked.resource_id)]
    return app.AuthorizedPermissions(resource_type=kind, resource_id=asked.resource_id, permissions=permitted)


def _may(call: IncomingCall, name: str, kind: access.ResourceType, resource_id: str) -> bool:
    if name not in PERMISSIONS:
        return False
    level, role = PERMISSIONS[name]
    # A permission of organizations cannot be asked of a machine. One of machines can be asked of an organization.
    return _LEVELS.index(kind) <= _LEVELS.index(level) and access.holds(call, role, kind, resource_id)
