"""Grants: a role on a resource, held by a user, an API key or a pending invite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import invalid
from viam_mcp.sandbox.rules import access
from viam_mcp.sandbox.rules.access import quoted

if TYPE_CHECKING:
    import sqlite3
    from typing import Literal

    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.sandbox.rpc import IncomingCall

    IdentityType = Literal["user", "api-key", "invite"]

__all__ = ["ROLES", "StoredGrant", "details", "grant", "message", "of", "ownership", "requested"]

ROLES = {
    f"{resource_type}_{role}": (resource_type, role)
    for resource_type in ("organization", "location", "robot")
    for role in ("owner", "operator")
}


@dataclass(frozen=True)
class StoredGrant:
    """A role on a resource of an organization."""

    org_id: str
    resource_type: str
    resource_id: str
    role: str

    def give(self, store: FleetStore, identity_id: str, identity_type: IdentityType) -> None:
        """Give this grant to an identity, which must not hold it yet."""
        store.insert(
            "authorizations",
            org_id=self.org_id,
            identity_id=identity_id,
            identity_type=identity_type,
            role=self.role,
            resource_type=self.resource_type,
            resource_id=self.resource_id,
        )

    def take(self, store: FleetStore, identity_id: str) -> bool:
        """Take this grant from an identity. Return whether it held it."""
        return bool(
            store.run(
                "DELETE FROM authorizations WHERE org_id = ? AND identity_id = ? AND resource_type = ?"
                " AND resource_id = ? AND role = ?",
                self.org_id,
                identity_id,
                self.resource_type,
                self.resource_id,
                self.role,
            )
        )


def ownership(org_id: str) -> StoredGrant:
    """Return the highest grant: owner of an organization."""
    return StoredGrant(org_id, "organization", org_id, "owner")


def requested(call: IncomingCall, authorization: app.Authorization) -> StoredGrant:
    """Return the grant that a message describes, if the caller may give and take it.

    Raises:
        Refusal: INVALID_ARGUMENT for a contradiction, else as `access` refuses.
    """
    if authorization.authorization_type != "role":
        raise invalid(f"authorization_type {quoted(authorization.authorization_type)}: expected 'role'")
    if authorization.authorization_id not in ROLES:
        raise invalid(f"authorization_id {quoted(authorization.authorization_id)}: expected one of {', '.join(ROLES)}")
    resource_type, role = ROLES[authorization.authorization_id]
    if authorization.resource_type != resource_type:
        raise invalid(
            f"authorization_id {authorization.authorization_id!r} is a role on a {resource_type},"
            f" but resource_type is {quoted(authorization.resource_type)}"
        )
    organization = access.organization(call, authorization.organization_id, "visible")
    identifier = authorization.resource_id
    if resource_type == "organization":
        owner = access.organization(call, identifier, "owner")["id"]
    elif resource_type == "location":
        owner = access.location(call, identifier, "owner")["org_id"]
    else:
        owner = access.robot(call, identifier, "owner")["org_id"]
    if owner != organization["id"]:
        raise invalid(f"{resource_type} {identifier!r} does not belong to organization {organization['id']!r}")
    return StoredGrant(organization["id"], resource_type, identifier, role)


def of(store: FleetStore, identity_id: str, org_id: str | None = None) -> list[sqlite3.Row]:
    """Return the rows of what an identity holds, in one organization or in all."""
    return store.all(
        "SELECT * FROM authorizations WHERE identity_id = ? AND org_id = ifnull(?, org_id)"
        " ORDER BY org_id, resource_type, resource_id, role",
        identity_id,
        org_id,
    )


def grant(row: sqlite3.Row) -> StoredGrant:
    """Return the grant in a row of `authorizations`."""
    return StoredGrant(row["org_id"], row["resource_type"], row["resource_id"], row["role"])


def message(row: sqlite3.Row) -> app.Authorization:
    """Return a row of `authorizations` as its message."""
    return app.Authorization(
        authorization_type="role",
        authorization_id=f"{row['resource_type']}_{row['role']}",
        resource_type=row["resource_type"],
        resource_id=row["resource_id"],
        organization_id=row["org_id"],
        identity_id=row["identity_id"],
        identity_type=row["identity_type"],
    )


def details(row: sqlite3.Row) -> app.AuthorizationDetails:
    """Return a row of `authorizations` as the message that stands beside the key that holds it."""
    return app.AuthorizationDetails(
        authorization_type="role",
        authorization_id=f"{row['resource_type']}_{row['role']}",
        resource_type=row["resource_type"],
        resource_id=row["resource_id"],
        org_id=row["org_id"],
    )
