"""Locations: where machines are, who else may use them, their secrets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._refs import Ref
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import ListTool, Preview, Tool
from viam_mcp.tools.arguments._types import KeepEmpty, LocationId, LocationIdOrDefault, Name, OrganizationId, SecretId
from viam_mcp.tools.previews._names import location_name, named, organization_name, quoted, resource_name_if_readable
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    UNCHANGED,
    change,
    count,
    counted,
    deleted_secret,
    owner_of,
    preview,
    shared_with,
    state_of,
)
from viam_mcp.tools.results._output import Done, Many, One

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment


class CreateLocation(
    Tool,
    toolset="locations",
    effect=Effect.WRITE,
    core=True,
    reveals_secret=False,
    returns=One("location", wire.Location),
):
    """Create a location in an organization, at the top or under a parent location (at most three levels deep).
    Returns it with its id."""

    org_id: OrganizationId
    name: Name
    parent_location_id: LocationId | None = None

    async def subject(self, app: AppClient) -> str:
        parent = self.parent_location_id
        place = organization_name(app, self.org_id) if parent is None else location_name(app, parent)
        return f"location {quoted(self.name)} in {await place}"

    async def run(self, app: AppClient) -> wire.Location:
        return await app.create_location(self.org_id, self.name, self.parent_location_id)


class GetLocation(Tool, toolset="locations", core=True, reveals_secret=False, returns=One("location", wire.Location)):
    """Get one location: name, parent, number of machines, organizations with access. For its machines, use
    list_robots."""

    location_id: LocationIdOrDefault = None

    async def run(self, app: AppClient) -> wire.Location:
        return await app.get_location(self.location_id)


class UpdateLocation(
    Tool,
    toolset="locations",
    effect=Effect.DESTRUCTIVE,
    core=True,
    reveals_secret=False,
    returns=One("location", wire.Location),
):
    """Rename a location or move it, with everything in it, under another parent. What is left out stays as it
    is. Returns the location as it is then."""

    location_id: LocationId
    name: Annotated[str, Field(max_length=200, description="Empty: unchanged")] | None = None
    parent_location_id: Annotated[
        str | None,
        KeepEmpty(),
        Field(pattern=r"^([a-z0-9]{10})?$", description="The new parent; empty: to the top"),
        Ref("location", top_of="location_id"),
    ] = None

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        location = await app.get_location(self.location_id)
        what = named("location", location.name, location.id)
        lines = change("Name", location.name, self.name or None)
        old, new = location.parent_location_id, self.parent_location_id
        if new is None or new == old:
            return preview(self, what, lines or [UNCHANGED], subject=location.name)
        (before, _), (after, granted), (inside, bound) = await asyncio.gather(
            _place(app, old), _place(app, new), _inside(app, location)
        )
        granted = [
            f"Place: {before} → {after}.",
            "Roles on the old place no longer reach what moves, roles on the new one do.",
            *granted,
        ]
        lines += ["With it moves all that is in it and below it.", *inside]
        return preview(self, what, lines, granted=granted, subject=location.name, bound=bound)

    async def run(self, app: AppClient) -> wire.Location:
        return await app.update_location(self.location_id, self.name, self.parent_location_id)


class DeleteLocation(Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a location. It must hold no machines and no other locations. This cannot be undone."""

    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        location, machines = await asyncio.gather(app.get_location(self.location_id), app.list_robots(self.location_id))
        org_id = owner_of(location)
        everything, org = await asyncio.gather(
            app.list_locations(org_id), resource_name_if_readable(app, "organization", org_id)
        )
        below = _below(location.id, everything)
        nested = sum(item.robot_count for item in below)
        lines = [
            f"It belongs to {org}.",
            counted("machine", (machine.name for machine in machines)),
            counted("nested location", (item.name for item in below)),
            *([f"In the nested locations: {count(nested, 'machine')}."] if below else []),
            *(["While it holds machines or locations, the service refuses this."] if machines or below else []),
            GONE_FOR_GOOD,
        ]
        what = named("location", location.name, location.id)
        bound = state_of(*(one.id for one in machines), *(one.id for one in below))
        return preview(self, what, lines, subject=location.name, type_subject=bool(machines or nested), bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.delete_location(self.location_id)


class ListLocations(
    ListTool,
    toolset="locations",
    core=True,
    scoped_by=ScopedBy.ITEMS,
    reveals_secret=False,
    returns=Many(locations=wire.Location),
):
    """List the locations that an organization owns or shares, with parents and numbers of machines."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.Location]:
        return await app.list_locations(self.org_id)


class _Sharing(Tool):
    """The arguments of the tools that give and take an organization's access to a location."""

    organization_id: OrganizationId
    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        location, organization = await asyncio.gather(location_name(app, self.location_id), self._organization(app))
        return f"{location} with {organization}"

    async def _organization(self, app: AppClient) -> str:
        # Mostly another organization than those that the key can read; one that shares the location is named there.
        for item in await app.get_organizations_with_access_to_location(self.location_id):
            if item.id == self.organization_id:
                return named("organization", item.name, item.id)
        return await resource_name_if_readable(app, "organization", self.organization_id)

    async def _preview(self, app: AppClient, consequences: dict[bool, str]) -> Preview:
        """The location, what is in it and whose it is, and what becomes of it if it is shared already and if not."""
        what, location = await asyncio.gather(self.subject(app), app.get_location(self.location_id))
        owner, (inside, bound) = await asyncio.gather(
            resource_name_if_readable(app, "organization", owner_of(location)), _inside(app, location)
        )
        lines = [f"It belongs to {owner}, and has {count(location.robot_count, 'machine')} of its own.", *inside]
        granted = [consequences[self._shared(location)]]
        return preview(self, what, lines, granted=granted, subject=location.name, bound=bound)

    def _shared(self, location: wire.Location) -> bool:
        return any(item.organization_id == self.organization_id for item in location.organizations)


class ShareLocation(
    _Sharing, toolset="locations", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Shared {subject}.")
):
    """Give another organization access to a location and its machines. Taken back with unshare_location."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        gain = "All members and keys of that organization get access to its machines and to the locations below."
        return await self._preview(app, {True: "They have access already.", False: gain})

    async def run(self, app: AppClient) -> None:
        await app.share_location(self.organization_id, self.location_id)


class UnshareLocation(
    _Sharing, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("No longer shared: {subject}.")
):
    """Take a location away from an organization that it was shared with. The owner keeps it."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        loss = "All members and keys of that organization lose its machines and the locations below."
        return await self._preview(app, {True: loss, False: "It is not shared with that organization."})

    async def run(self, app: AppClient) -> None:
        await app.unshare_location(self.organization_id, self.location_id)


class LocationAuth(Tool, toolset="locations", reveals_secret=True, returns=One("auth", wire.LocationAuth)):
    """List the secrets of a location, with which machines and programs sign in: ids, creation times, states.
    The values are credentials."""

    location_id: LocationIdOrDefault = None

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def run(self, app: AppClient) -> wire.LocationAuth:
        return await app.location_auth(self.location_id)


class CreateLocationSecret(
    Tool,
    toolset="locations",
    effect=Effect.WRITE,
    reveals_secret=True,
    mints="read it with location_auth",
    returns=One("auth", wire.LocationAuth),
):
    """Create a new secret for a location; at most two are active at once. To replace one: create, hand out the
    new one, then delete_location_secret. Returns all of the location's secrets."""

    location_id: LocationIdOrDefault = None

    async def subject(self, app: AppClient) -> str:
        return f"a secret for {await location_name(app, self.location_id)}"

    async def run(self, app: AppClient) -> wire.LocationAuth:
        return await app.create_location_secret(self.location_id)


class DeleteLocationSecret(Tool, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a secret of a location. Whatever still signs in with it is locked out at once."""

    secret_id: SecretId
    location_id: LocationIdOrDefault = None

    async def subject(self, app: AppClient) -> str:
        return f"secret {quoted(self.secret_id)} of {await location_name(app, self.location_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        location, auth, machines = await asyncio.gather(
            app.get_location(self.location_id),
            app.location_auth(self.location_id),
            app.list_robots(self.location_id),
        )
        lines, secrets = deleted_secret(self.secret_id, auth.secrets)
        lines.append(f"It opens all of the location's {counted('machine', (machine.name for machine in machines))}")
        what = f"secret {quoted(self.secret_id)} of {named('location', location.name, location.id)}"
        bound = (*secrets, *state_of(*(machine.id for machine in machines)))
        return preview(self, what, lines, subject=location.name, bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.delete_location_secret(self.secret_id, self.location_id)


async def _place(app: AppClient, location_id: str) -> tuple[str, list[str]]:
    """What to call a place that locations can be in, and who else uses it; an empty id is the top."""
    if not location_id:
        return "the top of its organization", []
    location = await app.get_location(location_id)
    return named("location", location.name, location.id), await shared_with(app, location)


async def _inside(app: AppClient, location: wire.Location) -> tuple[list[str], tuple[str, ...]]:
    """All that is in a location and below it: lines, and which machines and locations these are, as a digest."""
    org_id = owner_of(location)
    below = _below(location.id, await app.list_locations(org_id))
    total = sum(item.robot_count for item in (location, *below))
    places = await app.list_machine_summaries(
        org_id, location_ids=[location.id, *(item.id for item in below)], limit=max(total, 1)
    )
    machines = [machine for place in places for machine in place.machine_summaries]
    lines = [
        f"In all, {counted('machine', (machine.machine_name for machine in machines))}",
        *([counted("nested location", (item.name for item in below))] if below else []),
    ]
    return lines, state_of(*(machine.machine_id for machine in machines), *(item.id for item in below))


def _below(location_id: str, locations: Sequence[wire.Location]) -> list[wire.Location]:
    """All that lie in a location, and in those, and so on."""
    inside = [item for item in locations if item.parent_location_id == location_id]
    return inside + [deeper for item in inside for deeper in _below(item.id, locations)]
