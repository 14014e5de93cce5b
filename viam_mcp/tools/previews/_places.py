"""Locations and what is in them: whose they are, who else uses them, and which machines are there and below."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from viam_mcp.app import NotFound, PermissionDenied
from viam_mcp.proto import app as wire
from viam_mcp.tools._belongs import OUTSIDE
from viam_mcp.tools.previews._names import brief, named
from viam_mcp.tools.previews._wording import count, counted, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from viam_mcp.app import AppClient

_MOST_MACHINES = 1_000
"""Of how many machines each is named: of an organization with more of them, its locations are counted."""


class Contents(NamedTuple):
    """What is in a place.

    Attributes:
        lines: What to say about it.
        bound: What a confirmation is bound to: which machines and locations these are.
    """

    lines: list[str]
    bound: tuple[str, ...]


NOTHING = Contents([], ())
UNREADABLE = Contents(["What is in it cannot be read."], ())


def owner_of(location: wire.Location) -> str:
    """Return the id of the organization that a location belongs to; others may share it."""
    primary = (item.organization_id for item in location.organizations if item.primary)
    return location.primary_org_identity.id or next(primary, "")


async def shared_with(app: AppClient, location: wire.Location) -> list[str]:
    """Return the lines that say which other organizations use a location, and so everything that is moved into it."""
    owner, organizations = owner_of(location), await app.get_organizations_with_access_to_location(location.id)
    others = sorted(named("organization", item.name, item.id) for item in organizations if item.id != owner)
    return [f"It is shared with {other}, which gets access too." for other in others]


def below(location_id: str, locations: Sequence[wire.Location]) -> list[wire.Location]:
    """Return all locations that lie in a location, and in those, and so on."""
    inside = [item for item in locations if item.parent_location_id == location_id]
    return inside + [deeper for item in inside for deeper in below(item.id, locations)]


async def contents_of(app: AppClient, location: wire.Location) -> Contents:
    """Return what is in a location and below it."""
    org_id = owner_of(location)
    nested = below(location.id, await app.list_locations(org_id))
    machines = await _machines(app, org_id, [location, *nested])
    lines = [
        f"In all, {counted('machine', (machine.machine_name for machine in machines))}",
        *([counted("nested location", (item.name for item in nested))] if nested else []),
    ]
    return Contents(lines, state_of(*(one.machine_id for one in machines), *(item.id for item in nested)))


async def _machines(app: AppClient, org_id: str, locations: Iterable[wire.Location]) -> list[wire.MachineSummary]:
    locations = [*locations]
    total = sum(item.robot_count for item in locations)
    places = await app.list_machine_summaries(org_id, location_ids=[item.id for item in locations], limit=max(total, 1))
    return [machine for place in places for machine in place.machine_summaries]


async def contents_of_organization(app: AppClient, org_id: str) -> Contents:
    """Return what is in an organization: its locations, and how many machines are in them."""
    locations = [item for item in await app.list_locations(org_id) if owner_of(item) == org_id]
    total = sum(item.robot_count for item in locations)
    known = [f"{item.id} {item.parent_location_id} {item.robot_count}" for item in locations]
    if locations and total <= _MOST_MACHINES:
        known += [machine.machine_id for machine in await _machines(app, org_id, locations)]
    said = f"It has {count(total, 'machine')} in {counted('location', (item.name for item in locations))}"
    return Contents([said], state_of(*known))


async def contents_of_resource(app: AppClient, resource: wire.Organization | wire.Location | wire.Robot) -> Contents:
    """Return what a role on a resource opens besides the resource itself: nothing for a machine.

    What this server's key may not read is said to be unknown.
    """
    try:
        if isinstance(resource, wire.Organization):
            return await contents_of_organization(app, resource.id)
        if isinstance(resource, wire.Location):
            return await contents_of(app, resource)
    except (NotFound, PermissionDenied):
        return UNREADABLE
    return NOTHING


async def place(app: AppClient, location_id: str) -> tuple[str, str, list[str]]:
    """Return what to call a place that locations can be in, in a headline too, and who else uses it.

    Args:
        app: The fleet.
        location_id: The location; empty for the top.
    """
    if not location_id:
        return "the top of its organization", "the top", []
    if location_id == OUTSIDE:
        return "a location outside of what this server is limited to", "a location outside", []
    location = await app.get_location(location_id)
    shared = await shared_with(app, location)
    return named("location", location.name, location.id), brief("location", location.name), shared


async def whereabouts(app: AppClient, location_id: str) -> tuple[str, str]:
    """Return where a machine is: its location and that one's organization, whole and briefly."""
    location = await app.get_location(location_id)
    organization = await organization_of(app, location)
    whole, short = named("location", location.name, location.id), brief("location", location.name)
    return f"{whole} of {organization[0]}", f"{short}, {organization[1]}"


async def organization_of(app: AppClient, location: wire.Location) -> tuple[str, str]:
    """Return the organization that a location belongs to, whole and briefly."""
    org_id, name = owner_of(location), location.primary_org_identity.name
    if name:
        return named("organization", name, org_id), brief("organization", name)
    return await organization_by_id(app, org_id)


async def organization_by_id(app: AppClient, org_id: str) -> tuple[str, str]:
    """Return an organization, whole and briefly; its id alone if this server's key may not read it."""
    try:
        name = (await app.get_organization(org_id)).name
    except (NotFound, PermissionDenied):
        return f"organization {org_id}", f"organization {org_id}"
    return named("organization", name, org_id), brief("organization", name)
