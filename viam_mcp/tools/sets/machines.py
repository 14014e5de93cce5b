"""Machines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._types import (
    FragmentId,
    LocationId,
    LocationIdOrDefault,
    MachineId,
    Name,
    OrganizationId,
)
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, location_name, machine_name, named, quoted
from viam_mcp.tools.previews._places import shared_with, whereabouts
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    UNCHANGED,
    Called,
    change,
    counted,
    day,
    exact,
    seen,
    state_of,
)
from viam_mcp.tools.results._output import Done, Many, One, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

_ALL_MACHINES = 100_000


class GetRobot(Tool, toolset="machines", core=True, returns=One("robot", wire.Robot)):
    """Get one machine: name, location, whether it is online, offline or awaiting setup, and when it was last
    seen. For its configuration use get_robot_parts, for why it is offline get_robot_part_logs."""

    robot_id: MachineId

    async def run(self, app: AppClient) -> wire.Robot:
        return await app.get_robot(self.robot_id)


class GetRoverRentalRobots(ListTool, toolset="machines", returns=Many(robots=wire.RoverRentalRobot)):
    """List the rented rovers of an organization, with their locations and main parts. For all machines use
    list_robots."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.RoverRentalRobot]:
        return await app.get_rover_rental_robots(self.org_id)


class ListRobots(ListTool, toolset="machines", core=True, returns=Many(robots=wire.Robot)):
    """List the machines of one location: names, whether each is online, when it was last seen. Machines of
    nested locations are listed under those; list_locations tells which there are."""

    location_id: LocationIdOrDefault = None

    async def run(self, app: AppClient) -> list[wire.Robot]:
        return await app.list_robots(self.location_id)


class ListRobotsForLocations(ListTool, toolset="machines", returns=Many(robots=wire.Robot)):
    """List the machines of several locations in one call; nested locations have to be named too."""

    location_ids: Annotated[list[LocationId], Field(min_length=1, max_length=1000)]

    async def run(self, app: AppClient) -> list[wire.Robot]:
        return await app.list_robots_for_locations(self.location_ids)


class ListRobotsForOrg(ListTool, toolset="machines", returns=Many(robots=wire.Robot)):
    """List the machines of all locations of an organization in one call."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.Robot]:
        return await app.list_robots_for_org(self.org_id)


class ListMachineSummaries(ListTool, toolset="machines", returns=Many(location_summaries=wire.LocationSummary)):
    """List an organization's machines by location with their parts: state, versions, platform, addresses,
    fragments."""

    org_id: OrganizationId
    fragment_ids: Annotated[list[FragmentId], Field(max_length=100, description="Using one of these")] = Field(
        default_factory=list
    )
    location_ids: Annotated[list[LocationId], Field(max_length=1000, description="In one of these")] = Field(
        default_factory=list
    )

    async def run(self, app: AppClient) -> list[wire.LocationSummary]:
        # The service would stop at 100 and not say so.
        return await app.list_machine_summaries(
            self.org_id, fragment_ids=self.fragment_ids, location_ids=self.location_ids, limit=_ALL_MACHINES
        )


class ListFavoriteMachines(
    ListTool, toolset="machines", scoped_by=ScopedBy.ITEMS, returns=Many(favorites=wire.FavoriteMachine)
):
    """List the favorite machines of the configured key, with the organization of each."""

    async def run(self, app: AppClient) -> list[wire.FavoriteMachine]:
        return await app.list_favorite_machines()


class AddFavoriteMachine(
    Tool, toolset="machines", effect=Effect.WRITE, returns=Done("Now a favorite of this key: {subject}.")
):
    """Make a machine a favorite of the configured key. Nobody else sees it."""

    machine_id: MachineId

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.machine_id)

    async def run(self, app: AppClient) -> None:
        await app.add_favorite_machine(self.machine_id)


class RemoveFavoriteMachine(
    Tool, toolset="machines", effect=Effect.DESTRUCTIVE, returns=Done("No favorite of this key: {subject}.")
):
    """Take a machine from the favorites of the configured key. The machine stays as it is."""

    machine_id: MachineId

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.machine_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        robot, favorites = await asyncio.gather(app.get_robot(self.machine_id), app.list_favorite_machines())
        is_favorite = any(favorite.machine.id == robot.id for favorite in favorites)
        lines = ["It is no longer listed as a favorite; the machine itself stays as it is."]
        return (await _called(app, robot)).preview(self, lines if is_favorite else ["Nothing changes: it is none."])

    async def run(self, app: AppClient) -> None:
        await app.remove_favorite_machine(self.machine_id)


class NewRobot(Tool, toolset="machines", effect=Effect.WRITE, core=True, returns=Values(robot_id=str)):
    """Create a machine in a location. It gets a main part and awaits setup. Returns the machine's id."""

    name: Name
    location_id: LocationIdOrDefault = None

    async def subject(self, app: AppClient) -> str:
        return f"machine {quoted(self.name)} in {await location_name(app, self.location_id)}"

    async def run(self, app: AppClient) -> str:
        return await app.new_robot(self.name, self.location_id)


class UpdateRobot(Tool, toolset="machines", effect=Effect.DESTRUCTIVE, core=True, returns=One("robot", wire.Robot)):
    """Rename a machine, or move it to another location of its organization: both take the name and the location
    that it shall have. To change what it runs, use update_robot_part. Returns the machine as it is then."""

    robot_id: MachineId
    name: Name
    location_id: LocationIdOrDefault = None

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.robot_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        # Without a location the machine goes to the client's default one.
        robot, new = await asyncio.gather(app.get_robot(self.robot_id), app.get_location(self.location_id))
        called, lines, consequences = await _called(app, robot), change("Name", robot.name, self.name), []
        if new.id != robot.location:
            (old, short), others, parts = await asyncio.gather(
                whereabouts(app, robot.location), shared_with(app, new), app.get_robot_parts(robot.id)
            )
            lines = [
                f"Place: {old} → {named('location', new.name, new.id)}.",
                "Roles on the old place no longer reach it, roles on the new one do.",
                *others,
                *(line for part in parts for line in _readdressed(part.proto, new.id)),
                f"It was created on {day(robot.created_on)}.",
                *lines,
            ]
            moves = f"{short} → {brief('location', new.name)}"
            consequences = [Consequence(Risk.ACCESS, "MOVES, with who may use it", moves)]
        return called.preview(self, lines or [UNCHANGED], consequences=consequences)

    async def run(self, app: AppClient) -> wire.Robot:
        return await app.update_robot(self.robot_id, self.name, self.location_id)


class DeleteRobot(Tool, toolset="machines", effect=Effect.DESTRUCTIVE, core=True, returns=Done("Deleted {subject}.")):
    """Delete a machine, its parts, their configuration and logs. This cannot be undone."""

    robot_id: MachineId

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.robot_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        robot, parts = await asyncio.gather(app.get_robot(self.robot_id), app.get_robot_parts(self.robot_id))
        gone = counted("part", (part.name for part in parts))
        lines = [
            gone,
            f"Their configurations, history, logs and secrets go with it. {GONE_FOR_GOOD}",
            f"It was created on {day(robot.created_on)}.",
        ]
        called, bound = await _called(app, robot), state_of(*(part.proto for part in parts))
        return called.preview(self, lines, consequences=[Consequence(Risk.DELETIONS, "DELETES IT", gone)], bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.delete_robot(self.robot_id)


class GetRobotApiKeys(
    ListTool, toolset="machines", reveals_secret=True, returns=Many(api_keys=wire.APIKeyWithAuthorizations)
):
    """List the API keys that can reach a machine, with what each may do. The values are credentials."""

    robot_id: MachineId

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.robot_id)

    async def run(self, app: AppClient) -> list[wire.APIKeyWithAuthorizations]:
        return await app.get_robot_api_keys(self.robot_id)


async def _called(app: AppClient, robot: wire.Robot) -> Called:
    """Return what to call a machine: by its name, its location's and its organization's."""
    place, where = await whereabouts(app, robot.location)
    what = f"{named('machine', robot.name, robot.id)} in {place}"
    return Called(what, brief("machine", robot.name), f"in {where}", robot.name, seen(robot))


def _readdressed(part: wire.RobotPart, location_id: str) -> list[str]:
    """Return the line that says how the address of a part changes with its machine's location, if it does."""
    name, _, domain = part.fqdn.partition(f".{part.location_id}.")
    if not domain:
        return []
    return [f"Address of {brief('part', part.name)}: {exact(part.fqdn)} → {exact(f'{name}.{location_id}.{domain}')}."]
