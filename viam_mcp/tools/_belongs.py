"""Where the messages of the wire contract belong: which of their fields leads to their place in the fleet.

A message that is not here belongs nowhere that is known, so it is outside of every scope.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from viam_mcp.proto import app as wire
from viam_mcp.proto.common import LogEntry
from viam_mcp.tools._refs import NotARef, Ref, looks_like_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message


AS_ASKED: Final = ""
"""In the place of a field: the message belongs to what was asked about, as a log entry does to its part."""


OUTSIDE: Final = "[outside]"
"""In the place of the id of something that is outside of the scope."""


@dataclass(frozen=True, eq=False)
class Belongs:
    """Where messages of a type belong.

    Attributes:
        within: The field that leads to their place: an id, a message, or several, one of which is enough.
            `AS_ASKED` if they belong to what was asked about.
        fields: What their fields name, by name.
        named: The fields that tell the name of what another one names, by that one.
        kept: The fields that stay where no more than its id may be seen. Without any, nothing of it stays.
        fact: Whether one that is outside is said of something that is inside, so that its id may be seen.
    """

    within: str
    fields: Mapping[str, Ref | NotARef] = field(default_factory=dict)
    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kept: Sequence[str] = ()
    fact: bool = False

    @cached_property
    def refs(self) -> Mapping[str, Ref]:
        """The fields that name something."""
        return {name: mark for name, mark in self.fields.items() if isinstance(mark, Ref)}


BELONGS: dict[str, Belongs] = {}
"""Where the messages of the wire contract belong, by the full name of their type."""


def belongs(
    message: type[Message],
    within: str,
    *,
    named: Mapping[str, Sequence[str]] | None = None,
    kept: Sequence[str] = (),
    fact: bool = False,
    **fields: Ref | NotARef,
) -> None:
    """Say where messages of a type belong, and what their fields name.

    Raises:
        TypeError: There is no such field, or one that looks like an id is not said to name anything.
    """
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment]
    known = descriptor.fields_by_name
    for name in (*fields, *([within] if within else []), *(one for names in (named or {}).values() for one in names)):
        if name not in known:
            raise TypeError(f"{descriptor.full_name} has no field {name}")
    for name in undeclared_fields(descriptor, fields):
        raise TypeError(f"{descriptor.full_name}.{name} looks like an id: say what it names, or NotARef(why)")
    if within and within not in fields and not known[within].message_type:
        raise TypeError(f"{descriptor.full_name} is within {within}, which has to name something")
    BELONGS[descriptor.full_name] = Belongs(within, fields, named or {}, kept, fact)


def undeclared_fields(descriptor: Descriptor, fields: Collection[str] = ()) -> list[str]:
    """Return the fields of a type of message that look like ids and are not among these."""
    return [
        one.name
        for one in descriptor.fields
        if looks_like_id(one.name) and one.name not in fields and not one.message_type
    ]


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


_ORGANIZATION, _LOCATION, _FRAGMENT, _KEY = Ref("organization"), Ref("location"), Ref("fragment"), Ref("key")
_RESOURCE = Ref(by="resource_type")
_SAME = NotARef("it belongs where the message does")
_ASKED = NotARef("it was asked about, or made by the call")
_PERSON = NotARef("a user belongs to no place")
_IDENTITY = NotARef("a user or a key: roles are judged by what they are on")
_ROLE = NotARef("the name of a role")
_SECRET = NotARef("a secret belongs to what holds it")
_APP = NotARef("an application of the organization that was asked about")

# Organizations. One that a location is shared with is part of what is said of the location, by its id.
belongs(wire.Organization, "id", id=_ORGANIZATION, kept=["id"])
belongs(wire.OrgDetails, "org_id", org_id=_ORGANIZATION, kept=["org_id"])
belongs(wire.OrganizationIdentity, "id", id=_ORGANIZATION, kept=["id"], fact=True)
belongs(wire.LocationOrganization, AS_ASKED, organization_id=_ORGANIZATION)
belongs(wire.OrganizationMember, AS_ASKED, user_id=_PERSON)
belongs(wire.OrganizationInvite, "organization_id", organization_id=_ORGANIZATION)
belongs(wire.FragmentImport, AS_ASKED, fragment_id=_FRAGMENT)
belongs(wire.BillingAddress, AS_ASKED)
belongs(wire.OAuthConfig, AS_ASKED)

# Roles and keys.
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
belongs(wire.APIKey, "id", id=_KEY)
belongs(wire.APIKeyWithAuthorizations, "authorizations")

# Locations and machines.
belongs(wire.Location, "id", id=_LOCATION, parent_location_id=_LOCATION)
belongs(wire.LocationAuth, "location_id", location_id=_LOCATION)
belongs(wire.SharedSecret, AS_ASKED, id=_SECRET)
belongs(wire.Robot, "location", id=_SAME, location=_LOCATION)
belongs(wire.RoverRentalRobot, "location_id", robot_id=_SAME, location_id=_LOCATION, robot_main_part_id=_SAME)
belongs(wire.FavoriteMachine, "machine", organization_id=_ORGANIZATION)
belongs(wire.LocationSummary, "location_id", location_id=_LOCATION)
belongs(wire.MachineSummary, AS_ASKED, machine_id=_SAME)
belongs(wire.PartSummary, AS_ASKED, part_id=_SAME)
belongs(
    wire.RobotPart,
    "location_id",
    id=_SAME,
    robot=_SAME,
    location_id=_LOCATION,
    named={"location_id": ["fqdn", "dns_name", "local_fqdn"]},
)
belongs(wire.RobotPartHistoryEntry, AS_ASKED, part=_SAME, robot=_SAME)
belongs(wire.ConfigPropertyChangeResult, AS_ASKED)
belongs(wire.SetConfigPropertyResponse, AS_ASKED)
belongs(LogEntry, AS_ASKED)

# Fragments. What a machine's configuration brings along is part of the machine.
belongs(wire.Fragment, "organization_owner", id=_SAME, organization_owner=_ORGANIZATION)
belongs(wire.FragmentHistoryEntry, AS_ASKED, fragment=_SAME)
belongs(wire.FragmentRevision, AS_ASKED)
belongs(wire.FragmentTag, AS_ASKED)
belongs(wire.FragmentUsage, "fragment_id", fragment_id=_FRAGMENT)
belongs(wire.FragmentSummary, "id", id=_FRAGMENT, kept=["id"], fact=True)
belongs(wire.ResolvedFragment, AS_ASKED, fragment_id=_FRAGMENT)
belongs(wire.FragmentError, AS_ASKED, fragment_id=_FRAGMENT)

# The registry.
belongs(wire.RegistryItem, "organization_id", item_id=_SAME, organization_id=_ORGANIZATION)
belongs(wire.Module, "organization_id", module_id=_SAME, organization_id=_ORGANIZATION)
belongs(wire.App, AS_ASKED, fragment_ids=_FRAGMENT)
belongs(wire.AllowedOrgIDs, AS_ASKED, ids=_ORGANIZATION)

# Answers that hold ids themselves.
belongs(wire.GetUserIDByEmailResponse, AS_ASKED, user_id=_PERSON)
belongs(wire.ListOrganizationMembersResponse, AS_ASKED, organization_id=_ASKED)
belongs(wire.CreateOAuthAppResponse, AS_ASKED, client_id=_APP)
belongs(wire.ReadOAuthAppResponse, AS_ASKED)
belongs(wire.ListOAuthAppsResponse, AS_ASKED, client_ids=_APP)
belongs(wire.CreateOAuthAppUserResponse, AS_ASKED, registration_id=_APP, user_id=_PERSON)
belongs(wire.NewRobotResponse, AS_ASKED, id=_ASKED)
belongs(wire.NewRobotPartResponse, AS_ASKED, part_id=_ASKED)
belongs(wire.CreateModuleResponse, AS_ASKED, module_id=_ASKED)
belongs(wire.CreateKeyResponse, AS_ASKED, id=_ASKED)
belongs(wire.RenameKeyResponse, AS_ASKED, id=_ASKED)
belongs(wire.RotateKeyResponse, AS_ASKED, id=_ASKED)
belongs(wire.CreateKeyFromExistingKeyAuthorizationsResponse, AS_ASKED, id=_ASKED)
belongs(wire.GetAppContentResponse, AS_ASKED)
belongs(wire.GetAppBrandingResponse, AS_ASKED, fragment_ids=_FRAGMENT, allowed_org_ids=_ORGANIZATION)
belongs(wire.GetFirebaseConfigResponse, AS_ASKED, app_id=_APP)
belongs(wire.GetBillingServiceConfigResponse, AS_ASKED)
