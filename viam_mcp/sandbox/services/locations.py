"""Locations: the tree that an organization's machines are in, the organizations that it is shared with, its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, messages, names
from viam_mcp.sandbox.rules.shared_secrets import LOCATION

if TYPE_CHECKING:
    import sqlite3

__all__ = ["LEVELS", "PER_ORGANIZATION", "LocationRpcs", "seen_from"]

LEVELS = 3
PER_ORGANIZATION = 100

_BELOW = """
WITH RECURSIVE below (id, depth) AS (
    VALUES (?, 1)
    UNION ALL
    SELECT locations.id, depth + 1 FROM locations JOIN below ON locations.parent_id = below.id
)
SELECT id, depth FROM below
"""
_SEEN_FROM = """
WITH RECURSIVE shared (id) AS (
    SELECT location_id FROM location_shares WHERE org_id = ?
    UNION
    SELECT locations.id FROM locations JOIN shared ON locations.parent_id = shared.id
)
SELECT * FROM locations WHERE org_id = ? OR id IN shared ORDER BY name, id
"""


def seen_from(call: IncomingCall, org_id: str) -> list[sqlite3.Row]:
    """Return the locations that an organization owns or has shared with it and the caller may see, by name.

    Raises:
        Refusal: NOT_FOUND: there is no such organization for this caller.
    """
    access.organization(call, org_id, "visible")
    rows = call.store.all(_SEEN_FROM, org_id, org_id)
    return [row for row in rows if access.holds(call, "visible", "location", row["id"])]


class LocationRpcs:
    """The rpcs about locations."""

    @rpc("CreateLocation")
    def create(self, call: IncomingCall, request: app.CreateLocationRequest) -> app.CreateLocationResponse:
        organization = access.organization(call, request.organization_id, "visible")
        parent_id = _placed(call, organization["id"], request.parent_location_id, levels=1)
        name = names.label(request.name, "location")
        if call.store.value("SELECT COUNT(*) FROM locations WHERE org_id = ?", organization["id"]) >= PER_ORGANIZATION:
            raise Refusal(
                Status.RESOURCE_EXHAUSTED,
                f"the organization {organization['name']!r} has {PER_ORGANIZATION} locations, as many as are allowed: "
                "delete one that is no longer needed",
            )
        location_id = call.store.new_location_id()
        call.store.insert(
            "locations",
            id=location_id,
            org_id=organization["id"],
            name=name,
            parent_id=parent_id,
            created_on=call.now,
            region=organization["default_region"],
        )
        LOCATION.add(call, location_id)
        return app.CreateLocationResponse(location=_message(call, location_id))

    @rpc("GetLocation")
    def get(self, call: IncomingCall, request: app.GetLocationRequest) -> app.GetLocationResponse:
        row = access.location(call, request.location_id, "visible")
        return app.GetLocationResponse(location=messages.location(call.store, row))

    @rpc("UpdateLocation")
    def update(self, call: IncomingCall, request: app.UpdateLocationRequest) -> app.UpdateLocationResponse:
        row = access.location(call, request.location_id, "owner")
        parent_id = row["parent_id"]
        if request.HasField("parent_location_id") and request.parent_location_id != (parent_id or ""):
            parent_id = self._moved(call, row, request.parent_location_id)
        call.store.run(
            "UPDATE locations SET name = ?, parent_id = ?, region = ? WHERE id = ?",
            names.label(request.name, "location") if request.name else row["name"],
            parent_id,
            names.region(request.region) if request.HasField("region") else row["region"],
            row["id"],
        )
        return app.UpdateLocationResponse(location=_message(call, row["id"]))

    @staticmethod
    def _moved(call: IncomingCall, row: sqlite3.Row, parent_id: str) -> str | None:
        below = {entry["id"]: entry["depth"] for entry in call.store.all(_BELOW, row["id"])}
        if parent_id in below:
            raise conflict(
                f"the location {row['name']!r} cannot be moved into itself or into one that lies in it ({parent_id}): "
                "choose a parent outside it"
            )
        return _placed(call, row["org_id"], parent_id, levels=max(below.values()))

    @rpc("DeleteLocation")
    def delete(self, call: IncomingCall, request: app.DeleteLocationRequest) -> app.DeleteLocationResponse:
        row = access.location(call, request.location_id, "owner")
        machines = call.store.value("SELECT COUNT(*) FROM robots WHERE location_id = ?", row["id"])
        children = call.store.value("SELECT COUNT(*) FROM locations WHERE parent_id = ?", row["id"])
        if machines or children:
            raise conflict(
                f"the location {row['name']!r} ({row['id']}) still holds {_count(machines, 'machine')} and "
                f"{_count(children, 'child location')}: move or delete them first"
            )
        call.store.run("DELETE FROM authorizations WHERE resource_id = ?", row["id"])
        call.store.run("DELETE FROM locations WHERE id = ?", row["id"])
        return app.DeleteLocationResponse()

    @rpc("ListLocations")
    def list(self, call: IncomingCall, request: app.ListLocationsRequest) -> app.ListLocationsResponse:
        rows = seen_from(call, request.organization_id)
        return app.ListLocationsResponse(locations=[messages.location(call.store, row) for row in rows])

    @rpc("ShareLocation")
    def share(self, call: IncomingCall, request: app.ShareLocationRequest) -> app.ShareLocationResponse:
        row, other = _sharing(call, request)
        if other["id"] == row["org_id"]:
            raise conflict(f"the organization {other['name']!r} owns the location {row['name']!r}: no need to share it")
        if _is_shared(call, row["id"], other["id"]):
            raise Refusal(
                Status.ALREADY_EXISTS,
                f"the location {row['name']!r} ({row['id']}) is shared with the organization {other['name']!r} already",
            )
        call.store.insert("location_shares", location_id=row["id"], org_id=other["id"])
        return app.ShareLocationResponse()

    @rpc("UnshareLocation")
    def unshare(self, call: IncomingCall, request: app.UnshareLocationRequest) -> app.UnshareLocationResponse:
        row, other = _sharing(call, request)
        if other["id"] == row["org_id"]:
            raise conflict(
                f"the organization {other['name']!r} is the primary owner of the location {row['name']!r}, "
                "which always has access to it"
            )
        if not _is_shared(call, row["id"], other["id"]):
            raise not_found(f"a share of the location {row['name']!r} ({row['id']}) with organization", other["id"])
        call.store.run("DELETE FROM location_shares WHERE location_id = ? AND org_id = ?", row["id"], other["id"])
        return app.UnshareLocationResponse()

    @rpc("LocationAuth")
    def auth(self, call: IncomingCall, request: app.LocationAuthRequest) -> app.LocationAuthResponse:
        row = access.location(call, request.location_id, "owner")
        return app.LocationAuthResponse(auth=messages.location_auth(call.store, row["id"]))

    @rpc("CreateLocationSecret")
    def create_secret(
        self, call: IncomingCall, request: app.CreateLocationSecretRequest
    ) -> app.CreateLocationSecretResponse:
        row = access.location(call, request.location_id, "owner")
        LOCATION.add(call, row["id"])
        return app.CreateLocationSecretResponse(auth=messages.location_auth(call.store, row["id"]))

    @rpc("DeleteLocationSecret")
    def delete_secret(
        self, call: IncomingCall, request: app.DeleteLocationSecretRequest
    ) -> app.DeleteLocationSecretResponse:
        row = access.location(call, request.location_id, "owner")
        LOCATION.remove(call, row["id"], request.secret_id)
        return app.DeleteLocationSecretResponse()


def _placed(call: IncomingCall, org_id: str, parent_id: str, levels: int) -> str | None:
    """Return the parent under which a tree of `levels` levels may go; None for the root, which "" asks for.

    Raises:
        Refusal: The caller may not change it, it belongs to another organization, or it lies too deep.
    """
    if not parent_id:
        access.require(call, "owner", "organization", org_id)
        return None
    parent = access.location(call, parent_id, "owner")
    if parent["org_id"] != org_id:
        raise invalid(
            f"the parent location {parent['name']!r} ({parent_id}) belongs to another organization than {org_id}: "
            "choose one of the same organization"
        )
    depth = len(access.ancestors(call, parent_id))
    if depth + levels > LEVELS:
        raise conflict(
            f"under {parent['name']!r}, which is on level {depth}, this would reach level {depth + levels}: locations "
            f"have at most {LEVELS} levels, so choose a parent further up"
        )
    return parent_id


def _sharing(
    call: IncomingCall, request: app.ShareLocationRequest | app.UnshareLocationRequest
) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Return the location, and the organization it is shared with, which the caller need not belong to."""
    row = access.location(call, request.location_id, "owner")
    org_id = access.uuid(request.organization_id, "organization_id")
    other = call.store.one("SELECT id, name FROM organizations WHERE id = ?", org_id)
    if other is None:
        raise not_found("organization", org_id)
    return row, other


def _is_shared(call: IncomingCall, location_id: str, org_id: str) -> bool:
    sql = "SELECT 1 FROM location_shares WHERE location_id = ? AND org_id = ?"
    return call.store.one(sql, location_id, org_id) is not None


def _message(call: IncomingCall, location_id: str) -> app.Location:
    return messages.location(call.store, access.location(call, location_id, "owner"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
