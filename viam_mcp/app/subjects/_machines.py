"""Machines, which the API calls robots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MachineMethods"]


class MachineMethods(Subject):
    """Methods about machines. A machine is named by its id, a UUID.

    Where `location_id` may be None, it stands for the client's default, and `InvalidArgument` is raised
    before any call when there is none.
    """

    async def get_robot(self, robot_id: str) -> app.Robot:
        """Get a machine.

        Args:
            robot_id: The machine.
        """
        return (await self._session.unary(self._stub.GetRobot, build(app.GetRobotRequest, id=robot_id))).robot

    async def get_rover_rental_robots(self, org_id: str) -> list[app.RoverRentalRobot]:
        """List the machines that an organization has on loan from Viam's rover rental.

        Args:
            org_id: The organization.
        """
        request = build(app.GetRoverRentalRobotsRequest, org_id=org_id)
        return list((await self._session.unary(self._stub.GetRoverRentalRobots, request)).robots)

    async def get_robot_api_keys(self, robot_id: str) -> list[app.APIKeyWithAuthorizations]:
        """List the API keys that reach a machine. They are credentials.

        Args:
            robot_id: The machine.
        """
        request = build(app.GetRobotAPIKeysRequest, robot_id=robot_id)
        return list((await self._session.unary(self._stub.GetRobotAPIKeys, request)).api_keys)

    async def list_robots(self, location_id: str | None = None) -> list[app.Robot]:
        """List the machines of a location.

        Args:
            location_id: The location, or None for the client's default.
        """
        request = build(app.ListRobotsRequest, location_id=self._location("ListRobots", location_id))
        return list((await self._session.unary(self._stub.ListRobots, request)).robots)

    async def list_robots_for_locations(self, location_ids: Sequence[str]) -> list[app.Robot]:
        """List the machines of several locations in one call.

        Args:
            location_ids: The locations.
        """
        request = build(app.ListRobotsForLocationsRequest, location_ids=location_ids)
        return list((await self._session.unary(self._stub.ListRobotsForLocations, request)).robots)

    async def list_robots_for_org(self, org_id: str) -> list[app.Robot]:
        """List the machines of all locations of an organization in one call.

        Args:
            org_id: The organization.
        """
        request = build(app.ListRobotsForOrgRequest, org_id=org_id)
        return list((await self._session.unary(self._stub.ListRobotsForOrg, request)).robots)

    async def list_machine_summaries(
        self,
        org_id: str,
        *,
        fragment_ids: Sequence[str] = (),
        location_ids: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[app.LocationSummary]:
        """List the machines of an organization as a fleet page shows them: parts, versions, fragments.

        Args:
            org_id: The organization.
            fragment_ids: Only machines that use one of these fragments.
            location_ids: Only machines in one of these locations.
            limit: At most so many machines; None leaves it to the server, which stops at 100.

        Returns:
            The machines, grouped by location.
        """
        request = build(
            app.ListMachineSummariesRequest,
            organization_id=org_id,
            fragment_ids=fragment_ids,
            location_ids=location_ids,
            limit=limit,
        )
        return list((await self._session.unary(self._stub.ListMachineSummaries, request)).location_summaries)

    async def new_robot(self, name: str, location_id: str | None = None) -> str:
        """Make a machine, with a main part.

        Args:
            name: Its name, unique within the location.
            location_id: The location to put it into, or None for the client's default.

        Returns:
            The id of the new machine.
        """
        request = build(app.NewRobotRequest, name=name, location=self._location("NewRobot", location_id))
        return (await self._session.unary(self._stub.NewRobot, request)).id

    async def update_robot(self, robot_id: str, name: str, location_id: str | None = None) -> app.Robot:
        """Rename a machine, move it to another location of its organization, or both.

        Args:
            robot_id: The machine.
            name: Its name from now on.
            location_id: Its location from now on, or None for the client's default.

        Returns:
            The machine as it is now.
        """
        location = self._location("UpdateRobot", location_id)
        request = build(app.UpdateRobotRequest, id=robot_id, name=name, location=location)
        return (await self._session.unary(self._stub.UpdateRobot, request)).robot

    async def delete_robot(self, robot_id: str) -> None:
        """Delete a machine for good, with its parts and their configuration.

        Args:
            robot_id: The machine.
        """
        await self._session.unary(self._stub.DeleteRobot, build(app.DeleteRobotRequest, id=robot_id))
