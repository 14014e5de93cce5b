"""Locations: the places that group machines."""

from __future__ import annotations

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

__all__ = ["LocationMethods"]


class LocationMethods(Subject):
    """Methods about locations. A location is named by its id, ten lowercase letters and digits.

    Where `location_id` may be None, it stands for the client's default, and `InvalidArgument` is raised
    before any call when there is none.
    """

    async def create_location(self, org_id: str, name: str, parent_location_id: str | None = None) -> app.Location:
        """Make a location.

        Args:
            org_id: The organization that it will belong to.
            name: Its name.
            parent_location_id: The location to put it into; None for the top level. At most three levels.

        Returns:
            The new location.
        """
        request = build(
            app.CreateLocationRequest, organization_id=org_id, name=name, parent_location_id=parent_location_id
        )
        return (await self._session.unary(self._stub.CreateLocation, request)).location

    async def get_location(self, location_id: str | None = None) -> app.Location:
        """Get a location.

        Args:
            location_id: The location, or None for the client's default.
        """
        request = build(app.GetLocationRequest, location_id=self._location("GetLocation", location_id))
        return (await self._session.unary(self._stub.GetLocation, request)).location

    async def update_location(
        self, location_id: str, name: str | None = None, parent_location_id: str | None = None
    ) -> app.Location:
        """Rename a location, move it, or both.

        Args:
            location_id: The location.
            name: Its new name; None or "" keeps it.
            parent_location_id: The location to move it into; None keeps its place, "" moves it to the top.

        Returns:
            The location as it is now.
        """
        request = build(
            app.UpdateLocationRequest, location_id=location_id, name=name, parent_location_id=parent_location_id
        )
        return (await self._session.unary(self._stub.UpdateLocation, request)).location

    async def delete_location(self, location_id: str) -> None:
        """Delete a location for good.

        Args:
            location_id: The location.
        """
        await self._session.unary(self._stub.DeleteLocation, build(app.DeleteLocationRequest, location_id=location_id))

    async def list_locations(self, org_id: str) -> list[app.Location]:
        """List the locations of an organization, those that are shared with it among them.

        Args:
            org_id: The organization.
        """
        request = build(app.ListLocationsRequest, organization_id=org_id)
        return list((await self._session.unary(self._stub.ListLocations, request)).locations)

    async def share_location(self, organization_id: str, location_id: str) -> None:
        """Give another organization access to a location and its machines.

        Args:
            organization_id: The other organization.
            location_id: The location.
        """
        request = build(app.ShareLocationRequest, organization_id=organization_id, location_id=location_id)
        await self._session.unary(self._stub.ShareLocation, request)

    async def unshare_location(self, organization_id: str, location_id: str) -> None:
        """Take the access to a location back from another organization.

        Args:
            organization_id: The other organization. The one that owns the location cannot be removed.
            location_id: The location.
        """
        request = build(app.UnshareLocationRequest, organization_id=organization_id, location_id=location_id)
        await self._session.unary(self._stub.UnshareLocation, request)

    async def location_auth(self, location_id: str | None = None) -> app.LocationAuth:
        """Get the secrets of a location. They are credentials.

        Args:
            location_id: The location, or None for the client's default.
        """
        request = build(app.LocationAuthRequest, location_id=self._location("LocationAuth", location_id))
        return (await self._session.unary(self._stub.LocationAuth, request)).auth

    async def create_location_secret(self, location_id: str | None = None) -> app.LocationAuth:
        """Add a secret to a location, which can have two at most.

        Args:
            location_id: The location, or None for the client's default.

        Returns:
            All secrets of the location, the new one among them. They are credentials.
        """
        request = build(
            app.CreateLocationSecretRequest, location_id=self._location("CreateLocationSecret", location_id)
        )
        return (await self._session.unary(self._stub.CreateLocationSecret, request)).auth

    async def delete_location_secret(self, secret_id: str, location_id: str | None = None) -> None:
        """Delete a secret of a location. Machines that sign in with it no longer can.

        Args:
            secret_id: The secret's id.
            location_id: The location, or None for the client's default.
        """
        location = self._location("DeleteLocationSecret", location_id)
        request = build(app.DeleteLocationSecretRequest, location_id=location, secret_id=secret_id)
        await self._session.unary(self._stub.DeleteLocationSecret, request)
