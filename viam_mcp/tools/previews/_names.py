"""What things are called when a person is told about them: kind, name and id.

Names come from the fleet, so they are quoted and sanitized: a machine that is named like the end of
a sentence stays a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app import NotFound, PermissionDenied
from viam_mcp.tools.previews._values import legible
from viam_mcp.tools.redaction._text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from viam_mcp.app import AppClient
    from viam_mcp.proto import app as wire


def quoted(name: str, length: int = 120) -> str:
    """Return a name from the fleet as a sentence may hold it: quoted, on one line, shortened to `length` characters.

    What cannot be seen is escaped.
    """
    return legible(repr(shorten(name, length)))


def named(kind: str, name: str, identifier: str) -> str:
    """Return the whole of what something is called, such as `machine 'rover-1' (id)`."""
    return f"{brief(kind, name)} ({identifier})"


def brief(kind: str, name: str) -> str:
    """Return what something is called in a headline, such as `machine 'rover-1'`."""
    return f"{kind} {legible(repr(name))}"


async def organization_name(app: AppClient, org_id: str) -> str:
    """Such as `organization 'Acme' (id)`."""
    return await resource_name(app, "organization", org_id)


async def location_name(app: AppClient, location_id: str | None) -> str:
    """Such as `location 'Hall 3' (id)`."""
    location = await app.get_location(location_id)
    return named("location", location.name, location.id)


async def machine_name(app: AppClient, robot_id: str) -> str:
    """Such as `machine 'rover-1' (id)`."""
    return await resource_name(app, "robot", robot_id)


async def part_name(app: AppClient, part_id: str) -> str:
    """Such as `part 'rover-1-main' (id) of machine 'rover-1' (id)`."""
    part = await app.get_robot_part(part_id)
    return f"{named('part', part.name, part_id)} of {await machine_name(app, part.robot)}"


async def fragment_name(app: AppClient, fragment_id: str) -> str:
    """Such as `fragment 'drive' (id)`."""
    return named("fragment", (await app.get_fragment(fragment_id)).name, fragment_id)


async def member_name(app: AppClient, org_id: str, user_id: str) -> str:
    """Return such as `user 'ada@example.com' (id)`; the id alone for one who is not a member."""
    members, _ = await app.list_organization_members(org_id)
    return _member(members, user_id)[0]


def _member(members: Iterable[wire.OrganizationMember], user_id: str) -> tuple[str, str]:
    """Return what to call a member, whole and briefly."""
    emails = [", ".join(member.emails) for member in members if member.user_id == user_id]
    return (named("user", emails[0], user_id), brief("user", emails[0])) if emails else (f"user {user_id}",) * 2


async def invite_name(app: AppClient, org_id: str, email: str) -> str:
    """Such as `the invite of 'ada@example.com' to organization 'Acme' (id)`."""
    return f"the invite of {quoted(email)} to {await organization_name(app, org_id)}"


async def identity_name(app: AppClient, org_id: str, identity_id: str) -> str:
    """Return a user or an API key of the organization, by name and id."""
    return (await identities(app, org_id, identity_id))[0][0]


async def identities(app: AppClient, org_id: str, *identity_ids: str) -> list[tuple[str, str]]:
    """Return what to call users or API keys of the organization, each whole and briefly."""
    keys = {entry.api_key.id: entry.api_key.name for entry in await app.list_keys(org_id)}
    members: Iterable[wire.OrganizationMember] = ()
    if not keys.keys() >= {*identity_ids}:
        members, _ = await app.list_organization_members(org_id)
    return [
        (named("API key", keys[one], one), brief("API key", keys[one])) if one in keys else _member(members, one)
        for one in identity_ids
    ]


async def resource(
    app: AppClient, resource_type: str, resource_id: str
) -> wire.Organization | wire.Location | wire.Robot:
    """An organization, location or machine."""
    if resource_type == "organization":
        return await app.get_organization(resource_id)
    return await (app.get_location(resource_id) if resource_type == "location" else app.get_robot(resource_id))


async def resource_name(app: AppClient, resource_type: str, resource_id: str) -> str:
    """An organization, location or machine, by name and id."""
    return named(kind(resource_type), (await resource(app, resource_type, resource_id)).name, resource_id)


async def resource_name_if_readable(app: AppClient, resource_type: str, resource_id: str) -> str:
    """An organization, location or machine, by name and id; the id alone if this API key may not read it."""
    try:
        return await resource_name(app, resource_type, resource_id)
    except (NotFound, PermissionDenied):
        return f"{kind(resource_type)} {resource_id}"


def kind(resource_type: str) -> str:
    """What people call a type of resource."""
    return "machine" if resource_type == "robot" else resource_type
