"""Metadata: a JSON object of the user's own on each organization, location, machine and part.

Who may use a thing reads its metadata, who owns it replaces them: which role the service asks for is not
published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, invalid, rpc
from viam_mcp.sandbox.rules import access, config

if TYPE_CHECKING:
    import sqlite3

    Reply = (
        app.GetOrganizationMetadataResponse
        | app.GetLocationMetadataResponse
        | app.GetRobotMetadataResponse
        | app.GetRobotPartMetadataResponse
    )
    Update = (
        app.UpdateOrganizationMetadataRequest
        | app.UpdateLocationMetadataRequest
        | app.UpdateRobotMetadataRequest
        | app.UpdateRobotPartMetadataRequest
    )
    Table = Literal["organizations", "locations", "robots", "parts"]

__all__ = ["MetadataRpcs"]


class MetadataRpcs:
    """The rpcs about metadata."""

    @rpc("GetOrganizationMetadata")
    def of_organization(
        self, call: IncomingCall, request: app.GetOrganizationMetadataRequest
    ) -> app.GetOrganizationMetadataResponse:
        reply = app.GetOrganizationMetadataResponse()
        _fill(reply, access.organization(call, request.organization_id))
        return reply

    @rpc("UpdateOrganizationMetadata")
    def update_organization(
        self, call: IncomingCall, request: app.UpdateOrganizationMetadataRequest
    ) -> app.UpdateOrganizationMetadataResponse:
        _replace(call, "organizations", access.organization(call, request.organization_id, "owner"), request)
        return app.UpdateOrganizationMetadataResponse()

    @rpc("GetLocationMetadata")
    def of_location(
        self, call: IncomingCall, request: app.GetLocationMetadataRequest
    ) -> app.GetLocationMetadataResponse:
        reply = app.GetLocationMetadataResponse()
        _fill(reply, access.location(call, request.location_id))
        return reply

    @rpc("UpdateLocationMetadata")
    def update_location(
        self, call: IncomingCall, request: app.UpdateLocationMetadataRequest
    ) -> app.UpdateLocationMetadataResponse:
        _replace(call, "locations", access.location(call, request.location_id, "owner"), request)
        return app.UpdateLocationMetadataResponse()

    @rpc("GetRobotMetadata")
    def of_robot(self, call: IncomingCall, request: app.GetRobotMetadataRequest) -> app.GetRobotMetadataResponse:
        reply = app.GetRobotMetadataResponse()
        _fill(reply, access.robot(call, request.id))
        return reply

    @rpc("UpdateRobotMetadata")
    def update_robot(
        self, call: IncomingCall, request: app.UpdateRobotMetadataRequest
    ) -> app.UpdateRobotMetadataResponse:
        _replace(call, "robots", access.robot(call, request.id, "owner"), request)
        return app.UpdateRobotMetadataResponse()

    @rpc("GetRobotPartMetadata")
    def of_part(self, call: IncomingCall, request: app.GetRobotPartMetadataRequest) -> app.GetRobotPartMetadataResponse:
        reply = app.GetRobotPartMetadataResponse()
        _fill(reply, access.part(call, request.id))
        return reply

    @rpc("UpdateRobotPartMetadata")
    def update_part(
        self, call: IncomingCall, request: app.UpdateRobotPartMetadataRequest
    ) -> app.UpdateRobotPartMetadataResponse:
        _replace(call, "parts", access.part(call, request.id, "owner"), request)
        return app.UpdateRobotPartMetadataResponse()


def _fill(reply: Reply, row: sqlite3.Row) -> None:
    config.fill(reply.data, row["metadata"])


def _replace(call: IncomingCall, table: Table, row: sqlite3.Row, request: Update) -> None:
    if not request.HasField("data"):
        raise invalid("data is missing: send the whole metadata, or an empty object to clear them")
    call.store.run(f"UPDATE {table} SET metadata = ? WHERE id = ?", config.text_of(request.data), row["id"])  # noqa: S608
