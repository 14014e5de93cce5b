"""Where the messages of the wire contract belong: which of their fields leads to their place in the fleet.

A message that is not here belongs nowhere that is known, so it is outside of every scope. `said_of` finds what is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from viam_mcp.proto import app as wire
from viam_mcp.proto.common import LogEntry
from viam_mcp.tools._refs import NotARef, Ref, looks_like_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from viam_mcp.tools._refs import Reference

AS_ASKED: Final = ""
"""In the place of a field: the message belongs to what was asked about, as a log entry does to its part."""


@dataclass(frozen=True)
class Belongs:
    """Where messages of a type belong.

    Attributes:
        within: The field that leads to their place: an id, a message, or several, one of which is enough.
            `AS_ASKED` if they belong to what was asked about.
        fields: What their fields name, by name.
    """

    within: str
    fields: Mapping[str, Ref | NotARef] = field(default_factory=dict)


BELONGS: dict[str, Belongs] = {}
"""Where the messages of the wire contract belong, by the full name of their type."""


def belongs(message: type[Message], within: str, **fields: Ref | NotARef) -> None:
    """Say where messages of a type belong, and what their fields name.

    Raises:
        TypeError: There is no such field, or one that looks like an id is not said to name anything.
    """
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment]
    for name in (*fields, *([within] if within else [])):
        if name not in descriptor.fields_by_name:
            raise TypeError(f"{descriptor.full_name} has no field {name}")
    for name in descriptor.fields_by_name:
        if looks_like_id(name) and name not in fields and not descriptor.fields_by_name[name].message_type:
            raise TypeError(f"{descriptor.full_name}.{name} looks like an id: say what it names, or NotARef(why)")
    if within and within not in fields and not descriptor.fields_by_name[within].message_type:
        raise TypeError(f"{descriptor.full_name} is within {within}, which has to name something")
    BELONGS[descriptor.full_name] = Belongs(within, fields)


def places_of(message: Any) -> list[Reference] | None:
    """Return what a message (or a record of it) belongs to: one of these is enough.

    Returns:
        None if nothing says where it belongs; an empty list if it belongs to what was asked about.
    """
    message = getattr(message, "proto", message)
    known = BELONGS.get(message.DESCRIPTOR.full_name) if hasattr(message, "DESCRIPTOR") else None
    if known is None:
        return None
    if known.within is AS_ASKED:
        return []
    value = getattr(message, known.within)
    ref = known.fields.get(known.within)
    if isinstance(ref, Ref):
        return list(ref.of(message, value)) or None
    inner = value if message.DESCRIPTOR.fields_by_name[known.within].is_repeated else [value]
    return [place for one in inner for place in places_of(one) or ()] or None


def is_organization(message: Any) -> bool:
    """Whether a message stands for an organization itself, not for something that belongs to one."""
    return isinstance(
        getattr(message, "proto", message), wire.Organization | wire.OrgDetails | wire.OrganizationIdentity
    )


def undeclared_messages(message: type[Message], *, items: bool) -> Iterator[str]:
    """Yield what is missing in the declarations of a type of message that a tool returns, a sentence each.

    Args:
        message: The type.
        items: Whether each message has to lead to a place of its own.
    """
    name = message.DESCRIPTOR.full_name
    known = BELONGS.get(name)
    if known is None:
        yield f"{name} does not say where it belongs: say so in tools/_belongs.py"
    elif items and known.within is AS_ASKED:
        yield f"{name} belongs to what is asked about, so a scope cannot judge each of them on its own"


_ORGANIZATION, _LOCATION, _MACHINE = Ref("organization"), Ref("location"), Ref("machine")
_PART, _FRAGMENT, _ITEM, _KEY = Ref("part"), Ref("fragment"), Ref("item"), Ref("key")
_RESOURCE = Ref(by="resource_type")
_PERSON = NotARef("a user belongs to no place")
_IDENTITY = NotARef("a user or a key: roles are judged by what they are on")
_ROLE = NotARef("the name of a role")

belongs(wire.Organization, "id", id=_ORGANIZATION)
belongs(wire.OrgDetails, "org_id", org_id=_ORGANIZATION)
belongs(wire.OrganizationIdentity, "id", id=_ORGANIZATION)
belongs(wire.OrganizationMember, AS_ASKED, user_id=_PERSON)
belongs(wire.OrganizationInvite, "organization_id", organization_id=_ORGANIZATION)
belongs(
    wire.Authorization,
    "resource_id",
    resource_id=_RESOURCE,
    organization_id=_ORGANIZATION,
    identity_id=_IDENTITY,
    authorization_id=_ROLE,
)
belongs(wire.AuthorizationDetails, "resource_id", resource_id=_RESOURCE, org_id=_ORGANIZATION, authorization_id=_ROLE)
belongs(wire.AuthorizedPermissions, "resource_id", resource_id=_RESOURCE)
belongs(wire.Location, "id", id=_LOCATION, parent_location_id=_LOCATION)
belongs(wire.LocationAuth, "location_id", location_id=_LOCATION)
belongs(wire.Robot, "location", id=_MACHINE, location=_LOCATION)
belongs(wire.RoverRentalRobot, "location_id", robot_id=_MACHINE, location_id=_LOCATION, robot_main_part_id=_PART)
belongs(wire.FavoriteMachine, "machine", organization_id=_ORGANIZATION)
belongs(wire.LocationSummary, "location_id", location_id=_LOCATION)
belongs(wire.MachineSummary, "machine_id", machine_id=_MACHINE)
belongs(wire.PartSummary, "part_id", part_id=_PART)
belongs(wire.RobotPart, "location_id", id=_PART, robot=_MACHINE, location_id=_LOCATION)
belongs(wire.RobotPartHistoryEntry, "part", part=_PART, robot=_MACHINE)
belongs(LogEntry, AS_ASKED)
belongs(wire.Fragment, "organization_owner", id=_FRAGMENT, organization_owner=_ORGANIZATION)
belongs(wire.FragmentUsage, "fragment_id", fragment_id=_FRAGMENT)
belongs(wire.FragmentHistoryEntry, "fragment", fragment=_FRAGMENT)
belongs(wire.FragmentSummary, "id", id=_FRAGMENT)
belongs(wire.RegistryItem, "organization_id", item_id=_ITEM, organization_id=_ORGANIZATION)
belongs(wire.Module, "organization_id", module_id=_ITEM, organization_id=_ORGANIZATION)
belongs(wire.APIKey, "id", id=_KEY)
belongs(wire.APIKeyWithAuthorizations, "authorizations")
