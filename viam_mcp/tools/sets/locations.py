"""Locations: where machines are, who else may use them, their secrets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._refs import Ref
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._types import KeepEmpty, LocationId, LocationIdOrDefault, Name, OrganizationId, SecretId
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import (
    brief,
    location_name,
    named,
    organization_name,
    quoted,
)
from viam_mcp.tools.previews._places import below, contents_of, organization_by_id, organization_of, owner_of, place
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    UNCHANGED,
    Called,
    change,
    count,
    counted,
    day,
    deleted_secret,
    preview,
    state_of,
)
from viam_mcp.tools.results._output import Done, Many, One

if TYPE_CHECKING:
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
        called, lines = await _called(app, location), change("Name", location.name, self.name or None)
        old, new = location.parent_location_id, self.parent_location_id
        if new is None or new == old:
            return called.preview(self, lines or [UNCHANGED])
        (before, short, _), (after, short_after, shared), inside = await asyncio.gather(
            place(app, old), place(app, new), contents_of(app, location)
        )
        lines = [
            f"Place: {before} → {after}.",
            "Roles on the old place no longer reach what moves, roles on the new one do.",
            *shared,
            *lines,
            "With it moves all that is in it and below it. The addresses of its machines stay.",
            *inside.lines,
            f"It was created on {day(location.created_on)}.",
        ]
        moves = Consequence(Risk.ACCESS, "MOVES, with who may use it", f"{short} → {short_after}")
        return called.preview(self, lines, consequences=[moves], bound=inside.bound)

    async def run(self, app: AppClient) -> wire.Location:
        return await app.update_location(self.location_id, self.name, self.parent_location_id)


class DeleteLocation(
    Tool,
    toolset="locations",
    effect=Effect.DESTRUCTIVE,
    types_name="if machines go with it",
    returns=Done("Deleted {subject}."),
):
    """Delete a location. It must hold no machines and no other locations. This cannot be undone."""

    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        location, machines = await asyncio.gather(app.get_location(self.location_id), app.list_robots(self.location_id))
        everything, called = await asyncio.gather(app.list_locations(owner_of(location)), _called(app, location))
        nested = below(location.id, everything)
        deeper = sum(item.robot_count for item in nested)
        lines = [
            counted("machine", (machine.name for machine in machines)),
            counted("nested location", (item.name for item in nested)),
            *([f"In the nested locations: {count(deeper, 'machine')}."] if nested else []),
            *(["While it holds machines or locations, the service refuses this."] if machines or nested else []),
            f"It was created on {day(location.created_on)}. {GONE_FOR_GOOD}",
        ]
        bound = state_of(*(one.id for one in machines), *(one.id for one in nested))
        deletes = Consequence(Risk.DELETIONS, "DELETES IT", lines[0])
        return called.preview(self, lines, consequences=[deletes], type_subject=bool(machines or deeper), bound=bound)

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
        return f"{location} with {organization[0]}"

    async def _organization(self, app: AppClient) -> tuple[str, str]:
        """Return what to call the other organization, whole and briefly."""
        # Mostly another organization than those that the key can read; one that shares the location is named there.
        for item in await app.get_organizations_with_access_to_location(self.location_id):
            if item.id == self.organization_id:
                return named("organization", item.name, item.id), brief("organization", item.name)
        return await organization_by_id(app, self.organization_id)

    async def _preview(self, app: AppClient, label: str, effect: str, otherwise: str, *, when: bool) -> Preview:
        """Return the location, what is in it and whose it is, and what becomes of it.

        Args:
            app: The fleet.
            label: What the call does, for the headline.
            effect: What the call does.
            otherwise: What to say instead if it does nothing.
            when: Whether the location is shared already, if the call does something.
        """
        organization, location = await asyncio.gather(self._organization(app), app.get_location(self.location_id))
        called, inside = await asyncio.gather(_called(app, location), contents_of(app, location))
        has_effect = self._shared(location) is when
        lines = [
            effect if has_effect else otherwise,
            f"It has {count(location.robot_count, 'machine')} of its own.",
            *inside.lines,
        ]
        return preview(
            self,
            f"{called.what} with {organization[0]}",
            lines,
            title=f"{called.title} with {organization[1]}",
            where=called.where,
            consequences=[Consequence(Risk.ACCESS, label, inside.lines[0])] if has_effect else [],
            subject=location.name,
            bound=inside.bound,
        )

    def _shared(self, location: wire.Location) -> bool:
        return any(item.organization_id == self.organization_id for item in location.organizations)


class ShareLocation(
    _Sharing, toolset="locations", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Shared {subject}.")
):
    """Give another organization access to a location and its machines. Taken back with unshare_location."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        gain = "All members and keys of that organization get access to its machines and to the locations below."
        return await self._preview(app, "GIVES ACCESS", gain, "They have access already.", when=False)

    async def run(self, app: AppClient) -> None:
        await app.share_location(self.organization_id, self.location_id)


class UnshareLocation(
    _Sharing, toolset="locations", effect=Effect.DESTRUCTIVE, returns=Done("No longer shared: {subject}.")
):
    """Take a location away from an organization that it was shared with. The owner keeps it."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        loss = "All members and keys of that organization lose its machines and the locations below."
        return await self._preview(app, "TAKES ACCESS", loss, "It is not shared with that organization.", when=True)

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

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        location, machines = await asyncio.gather(app.get_location(self.location_id), app.list_robots(self.location_id))
        called, opens = await _called(app, location), counted("machine", (machine.name for machine in machines))
        return called.of("a new secret").preview(
            self,
            [f"Its holder signs in to all of the location's {opens}", "It is good until it is deleted."],
            consequences=[Consequence(Risk.ACCESS, "A NEW SECRET opens", opens)],
            bound=state_of(*(machine.id for machine in machines)),
        )

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
        bound = (*secrets, *state_of(*(machine.id for machine in machines)))
        called = await _called(app, location)
        return called.of(f"secret {quoted(self.secret_id)}").preview(self, lines, bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.delete_location_secret(self.secret_id, self.location_id)


async def _called(app: AppClient, location: wire.Location) -> Called:
    """Return what to call a location: by its name and its organization's."""
    organization, short = await organization_of(app, location)
    what = f"{named('location', location.name, location.id)} of {organization}"
    return Called(what, brief("location", location.name), f"of {short}", location.name)
