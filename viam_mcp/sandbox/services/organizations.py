"""Organizations, which everything else belongs to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc, set_time
from viam_mcp.sandbox.rules import access, grants, names
from viam_mcp.sandbox.rules.access import quoted
from viam_mcp.sandbox.services.locations import LocationRpcs

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FIRST_LOCATION", "OrganizationRpcs"]

FIRST_LOCATION = "First Location"

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LOGIN_METHODS = tuple(name for name, number in app.LoginMethod.items() if number)
_HELD = {
    "locations": "location",
    "fragments": "fragment",
    "registry_items": "registry item",
    "oauth_apps": "OAuth application",
}


class OrganizationRpcs:
    """The rpcs about organizations, and about who people are."""

    @rpc("GetUserIDByEmail")
    def user_id(self, call: IncomingCall, request: app.GetUserIDByEmailRequest) -> app.GetUserIDByEmailResponse:
        email = names.email(request.email)
        user_id = call.store.value("SELECT id FROM users WHERE email = ?", email)
        if user_id is None:
            raise not_found("user", email)
        return app.GetUserIDByEmailResponse(user_id=user_id)

    @rpc("CreateOrganization")
    def create(self, call: IncomingCall, request: app.CreateOrganizationRequest) -> app.CreateOrganizationResponse:
        org_id = call.store.new_uuid()
        name = names.label(request.name, "organization")
        call.store.insert("organizations", id=org_id, name=name, created_on=call.now)
        # An API key that creates an organization becomes its owner, though the key belongs to another organization.
        if call.identity_type == "user":
            call.store.insert("members", org_id=org_id, user_id=call.identity_id, date_added=call.now)
            grants.ownership(org_id).give(call.store, call.identity_id, "user")
        else:
            grants.ownership(org_id).give(call.store, call.identity_id, "api-key")
        LocationRpcs().create(call, app.CreateLocationRequest(organization_id=org_id, name=FIRST_LOCATION))
        return app.CreateOrganizationResponse(organization=_message(access.organization(call, org_id)))

    @rpc("ListOrganizations")
    def list(self, call: IncomingCall, request: app.ListOrganizationsRequest) -> app.ListOrganizationsResponse:
        return app.ListOrganizationsResponse(
            organizations=[_message(row) for row in access.visible_organizations(call)]
        )

    @rpc("ListOrganizationsByUser")
    def list_by_user(
        self, call: IncomingCall, request: app.ListOrganizationsByUserRequest
    ) -> app.ListOrganizationsByUserResponse:
        user_id = access.uuid(request.user_id, "user_id")
        if not call.store.one("SELECT 1 FROM users WHERE id = ?", user_id):
            raise not_found("user", user_id)
        member = {row["org_id"] for row in call.store.all("SELECT org_id FROM members WHERE user_id = ?", user_id)}
        # Memberships in organizations that the caller cannot see are not shown.
        shown = [row for row in access.visible_organizations(call) if row["id"] in member]
        return app.ListOrganizationsByUserResponse(orgs=[_details(row) for row in shown])

    @rpc("SearchOrganizations")
    def search(self, call: IncomingCall, request: app.SearchOrganizationsRequest) -> app.SearchOrganizationsResponse:
        if not request.ListFields():
            raise invalid("nothing to search for: give org_id, org_name, cid or public_namespace")
        # Viam's staff can search all organizations. Other callers find those that they can see.
        return app.SearchOrganizationsResponse(
            organizations=[_details(row) for row in access.visible_organizations(call) if _matches(row, request)]
        )

    @rpc("GetOrganizationsWithAccessToLocation")
    def with_access_to_location(
        self, call: IncomingCall, request: app.GetOrganizationsWithAccessToLocationRequest
    ) -> app.GetOrganizationsWithAccessToLocationResponse:
        location = access.location(call, request.location_id)
        within = access.ancestors(call, location["id"])
        rows = call.store.all(
            "SELECT id, name FROM organizations WHERE id = ? OR id IN (SELECT org_id FROM location_shares"  # noqa: S608
            f" WHERE location_id IN ({', '.join('?' * len(within))})) ORDER BY id <> ?, name, id",
            location["org_id"],
            *within,
            location["org_id"],
        )
        identities = [app.OrganizationIdentity(id=row["id"], name=row["name"]) for row in rows]
        return app.GetOrganizationsWithAccessToLocationResponse(organization_identities=identities)

    @rpc("GetOrganization")
    def get(self, call: IncomingCall, request: app.GetOrganizationRequest) -> app.GetOrganizationResponse:
        row = access.organization(call, request.organization_id, "visible")
        return app.GetOrganizationResponse(organization=_message(row))

    @rpc("GetOrganizationNamespaceAvailability")
    def namespace_availability(
        self, call: IncomingCall, request: app.GetOrganizationNamespaceAvailabilityRequest
    ) -> app.GetOrganizationNamespaceAvailabilityResponse:
        namespace = _namespace(request.public_namespace)
        return app.GetOrganizationNamespaceAvailabilityResponse(available=not _taken(call, namespace))

    @rpc("UpdateOrganization")
    def update(self, call: IncomingCall, request: app.UpdateOrganizationRequest) -> app.UpdateOrganizationResponse:
        row = access.organization(call, request.organization_id, "owner")
        changes: dict[str, object] = {}
        if request.HasField("allowed_login_methods"):
            if app.LOGIN_METHOD_UNSPECIFIED in request.allowed_login_methods.methods:
                raise invalid(f"allowed_login_methods: expected methods among {', '.join(_LOGIN_METHODS)}")
            # An empty list allows all methods again.
            changes["allowed_login_methods"] = request.allowed_login_methods.SerializeToString() or None
        if request.HasField("name"):
            changes["name"] = names.label(request.name, "organization")
        if request.HasField("public_namespace"):
            changes["public_namespace"] = _claimed(call, row, request.public_namespace)
        if request.HasField("region"):
            if not _REGION.fullmatch(request.region):
                raise invalid(f"region: expected a name like us-central, got {quoted(request.region)}")
            changes["default_region"] = request.region
        if request.HasField("cid"):
            changes["cid"] = request.cid or None
        if request.HasField("default_fragments"):
            for fragment in request.default_fragments.fragments:
                access.fragment(call, fragment.fragment_id)
            changes["default_fragments"] = request.default_fragments.SerializeToString() or None
        for column, value in changes.items():
            call.store.run(f"UPDATE organizations SET {column} = ? WHERE id = ?", value, row["id"])  # noqa: S608
        return app.UpdateOrganizationResponse(organization=_message(access.organization(call, row["id"])))

    @rpc("UpdateOrganizationNamespace")
    def update_namespace(
        self, call: IncomingCall, request: app.UpdateOrganizationNamespaceRequest
    ) -> app.UpdateOrganizationNamespaceResponse:
        row = access.organization(call, request.organization_id, "owner")
        if not row["public_namespace"]:
            raise conflict(
                f"organization {row['name']!r} has no namespace that could be changed: set one with "
                "update_organization first"
            )
        namespace = _namespace(request.new_public_namespace)
        if namespace != row["public_namespace"]:
            _take(call, row, namespace)
            call.store.run("UPDATE organizations SET public_namespace = ? WHERE id = ?", namespace, row["id"])
        return app.UpdateOrganizationNamespaceResponse(organization=_message(access.organization(call, row["id"])))

    @rpc("DeleteOrganization")
    def delete(self, call: IncomingCall, request: app.DeleteOrganizationRequest) -> app.DeleteOrganizationResponse:
        row = access.organization(call, request.organization_id, "owner")
        counts = {
            what: call.store.value(f"SELECT count(*) FROM {table} WHERE org_id = ?", row["id"])  # noqa: S608
            for table, what in _HELD.items()
        }
        left = [f"{count} {what}{'s' if count > 1 else ''}" for what, count in counts.items() if count]
        if left:
            raise conflict(f"organization {row['name']!r} still has {', '.join(left)}: delete them first")
        call.store.run("DELETE FROM organizations WHERE id = ?", row["id"])
        return app.DeleteOrganizationResponse()


def _namespace(namespace: str) -> str:
    if not _NAMESPACE.fullmatch(namespace):
        raise invalid(
            f"public_namespace: expected up to 63 lowercase letters, digits and dashes, got {quoted(namespace)}"
        )
    return namespace


def _taken(call: IncomingCall, namespace: str) -> bool:
    return call.store.one("SELECT 1 FROM namespaces WHERE namespace = ?", namespace) is not None


def _claimed(call: IncomingCall, organization: sqlite3.Row, namespace: str) -> str:
    """Return a namespace that now belongs to the organization."""
    present = organization["public_namespace"]
    if _namespace(namespace) == present:
        # A repeated update changes nothing.
        return namespace
    if present:
        raise conflict(f"organization {organization['name']!r} has the namespace {present!r}, which cannot be changed")
    _take(call, organization, namespace)
    return namespace


def _take(call: IncomingCall, organization: sqlite3.Row, namespace: str) -> None:
    """Register a namespace for the organization, beside those that it had before.

    Raises:
        Refusal: ALREADY_EXISTS: it is or was somebody's.
    """
    owner = call.store.value("SELECT org_id FROM namespaces WHERE namespace = ?", namespace)
    if owner == organization["id"]:
        return
    if _taken(call, namespace):
        raise Refusal(
            Status.ALREADY_EXISTS, f"the namespace {namespace!r} is or was another organization's: choose another"
        )
    call.store.insert("namespaces", namespace=namespace, org_id=organization["id"])


def _matches(row: sqlite3.Row, request: app.SearchOrganizationsRequest) -> bool:
    """Return whether an organization matches every field of a search."""
    return (
        (not request.HasField("org_id") or row["id"] == request.org_id)
        and (not request.HasField("org_name") or request.org_name.casefold() in row["name"].casefold())
        and (not request.HasField("cid") or row["cid"] == request.cid)
        and (not request.HasField("public_namespace") or row["public_namespace"] == request.public_namespace)
    )


def _details(row: sqlite3.Row) -> app.OrgDetails:
    return app.OrgDetails(
        org_id=row["id"],
        org_name=row["name"],
        org_cid=row["cid"],
        public_namespace=row["public_namespace"] or None,
    )


def _message(row: sqlite3.Row) -> app.Organization:
    message = app.Organization(
        id=row["id"],
        name=row["name"],
        public_namespace=row["public_namespace"],
        default_region=row["default_region"],
        cid=row["cid"],
    )
    set_time(message.created_on, row["created_on"])
    for name in ("default_fragments", "allowed_login_methods"):
        if row[name] is not None:
            getattr(message, name).ParseFromString(row[name])
    return message
