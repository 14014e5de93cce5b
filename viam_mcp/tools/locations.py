"""Locations: where machines are, who else may use them, their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._base import Effect, ListTool, Tool
from viam_mcp.tools._names import location_name, organization_name
from viam_mcp.tools._output import Done, Many, One
from viam_mcp.tools._types import LocationId, Name, OrganizationId, SecretId

if TYPE_CHECKING:
    from viam_mcp.app import AppClient


class CreateLocation(Tool, toolset="locations", effect=Effect.WRITE, returns=One("location", wire.Location)):
    """Create a location in an organization, at the top or under a parent location (at most three levels deep).
    Returns it with its id."""

    org_id: OrganizationId
    name: Name
    parent_location_id: LocationId | None = None

    async def run(self, app: AppClient) -> wire.Location:
        return await app.create_location(self.org_id, self.name, self.parent_location_id)


class GetLocation(Tool, toolset="locations", returns=One("location", wire.Location)):
    """Get one location: name, parent, number of machines, organizations with access. For its machines, use
    list_robots."""

    location_id: LocationId | None = None

    async def run(self, app: AppClient) -> wire.Location:
        return await app.get_location(self.location_id)


class UpdateLocation(Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=One("location", wire.Location)):
    """Rename a location or move it, with everything in it, under another parent. What is left out stays as it
    is. Returns the location as it is then."""

    location_id: LocationId
    name: Annotated[str, Field(max_length=200, description="Empty: unchanged")] | None = None
    parent_location_id: (
        Annotated[str, Field(pattern=r"^([a-z0-9]{10})?$", description="The new parent; empty: to the top")] | None
    ) = None

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def run(self, app: AppClient) -> wire.Location:
        return await app.update_location(self.location_id, self.name, self.parent_location_id)


class DeleteLocation(Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a location. It must hold no machines and no other locations. This cannot be undone."""

    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def run(self, app: AppClient) -> None:
        await app.delete_location(self.location_id)


class ListLocations(ListTool, toolset="locations", returns=Many(locations=wire.Location)):
    """List the locations that an organization owns or shares, with parents and numbers of machines."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.Location]:
        return await app.list_locations(self.org_id)


class ShareLocation(Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("Shared {subject}.")):
    """Give another organization access to a location and its machines. Taken back with unshare_location."""

    organization_id: OrganizationId
    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        return f"{await location_name(app, self.location_id)} with {await organization_name(app, self.organization_id)}"

    async def run(self, app: AppClient) -> None:
        await app.share_location(self.organization_id, self.location_id)


class UnshareLocation(
    Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("No longer shared: {subject}.")
):
    """Take a location away from an organization that it was shared with. The owner keeps it."""

    organization_id: OrganizationId
    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        return f"{await location_name(app, self.location_id)} with {await organization_name(app, self.organization_id)}"

    async def run(self, app: AppClient) -> None:
        await app.unshare_location(self.organization_id, self.location_id)


class LocationAuth(Tool, toolset="locations", reveals_secret=True, returns=One("auth", wire.LocationAuth)):
    """List the secrets of a location, with which machines and programs sign in: ids, creation times, states.
    The values are credentials."""

    location_id: LocationId | None = None

    async def run(self, app: AppClient) -> wire.LocationAuth:
        return await app.location_auth(self.location_id)


class CreateLocationSecret(
    Tool, toolset="locations", effect=Effect.WRITE, reveals_secret=True, returns=One("auth", wire.LocationAuth)
):
    """Create a new secret for a location; at most two are active at once. To replace one: create, hand out the
    new one, then delete_location_secret. Returns all of the location's secrets."""

    location_id: LocationId | None = None

    async def run(self, app: AppClient) -> wire.LocationAuth:
        return await app.create_location_secret(self.location_id)


class DeleteLocationSecret(Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a secret of a location. Whatever still signs in with it is locked out at once."""

    secret_id: SecretId
    location_id: LocationId | None = None

    async def subject(self, app: AppClient) -> str:
        return f"secret {self.secret_id} of {await location_name(app, self.location_id)}"

    async def run(self, app: AppClient) -> None:
        await app.delete_location_secret(self.secret_id, self.location_id)
