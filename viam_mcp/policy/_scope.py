"""`[scope]`: which organizations and locations a server may touch, whatever its key may do.

Every id among a call's arguments is traced to the organization and the location that it belongs to. All
of them have to be inside; an id that cannot be traced is outside. What a list gives back is looked
through as well.

With organizations named, what belongs to them is inside. With locations named, only they and the
locations below them are, and what belongs to an organization as a whole (fragments, keys, members, registry
items) may be read if the organization is named too, and is not changed.

Whom a location that is inside is shared with is part of it, and so is whatever its machines' configurations name.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from viam_mcp.app import AppError, InvalidArgument, NotFound, PermissionDenied
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.proto import app as wire
from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from viam_mcp.app import AppClient
    from viam_mcp.policy.rules._rules import Scope
    from viam_mcp.tools import Spec, Tool

Json = Any
Reference = tuple[str, str]  # a kind of thing, and its id

REMEMBERED_SECONDS = 60.0
_REMEMBERED = 4_096
_DEEPEST = 16  # locations have three levels; a cycle must not hold us

_KINDS = {
    "org_id": "organization",
    "organization_id": "organization",
    "location_id": "location",
    "parent_location_id": "location",
    "robot_id": "robot",
    "robot_part_id": "part",
    "fragment_id": "fragment",
    "item_id": "item",
    "module_id": "item",
}
"""What the arguments are that name one thing."""

_IDS_BY_TOOLSET = {"keys": "key", "fragments": "fragment"}
"""What an argument that is just called `id` is."""

_FILTERED = frozenset({"list_organizations", "list_organizations_by_user"})
"""Lists over everything that the key can reach, whose items are looked through instead."""


@dataclass(frozen=True)
class Place:
    """Where a thing is: its organization, and its location with those above it, or none for the whole organization."""

    organization: str
    locations: tuple[str, ...] = ()


class Boundary:
    """The scope, held against the fleet.

    Args:
        scope: What is inside.
        app: The fleet.
        clock: Seconds, never going back.
    """

    def __init__(self, scope: Scope, app: AppClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.scope = scope
        self._app = app
        self._clock = clock
        self._places: OrderedDict[Reference, tuple[float, Place]] = OrderedDict()

    async def check(self, tool: Tool) -> None:
        """Do nothing if the call stays inside.

        Raises:
            Stopped: It does not, or it cannot be found out.
        """
        if not self.scope or tool.spec.name in _FILTERED:
            return
        references = list(dict.fromkeys(references_of(tool)))
        if not references:
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"{tool.spec.title} is about no organization or location, and this server is limited to some. "
                "Nothing was done.",
            )
        if tool.spec.name == "list_locations" and references[0][1].lower() in await self._owners(fresh=False):
            return
        changes = tool.spec.effect is not Effect.READ
        for kind, identifier in references:
            place = await self._place(kind, identifier, fresh=changes)
            if place is None or not self._inside(place, changes=changes):
                raise Stopped(
                    Outcome.OUT_OF_SCOPE,
                    f"{kind} {identifier} is outside of what this server is limited to by its operator, or does not "
                    "exist. Nothing was done.",
                )

    async def visible(self, spec: Spec) -> Callable[[Any], bool] | None:
        """What says of an item of a list whether it may be seen; None where all of them may.

        Args:
            spec: The tool that lists.
        """
        if not self.scope:
            return None
        owners = await self._owners(fresh=False)
        parents: dict[str, tuple[str, ...]] = {}
        if spec.name == "list_locations":
            for owner in owners:
                for location in await self._app.list_locations(owner):
                    parents[location.id] = (location.parent_location_id,)

        def inside(item: Any) -> bool:
            message = getattr(item, "proto", item)
            if isinstance(message, wire.Location):
                return self._inside(Place(_owner(message), tuple(_chain(message.id, parents))), changes=False)
            organization = _organization_of(message)
            return organization is None or organization.lower() in owners

        return inside

    async def _owners(self, *, fresh: bool) -> frozenset[str]:
        """The organizations that may be seen: those named, and those that own a location that is named."""
        owners = set(self.scope.organizations)
        if not owners:
            for location in self.scope.locations:
                if place := await self._place("location", location, fresh=fresh):
                    owners.add(place.organization)
        return frozenset(owners)

    def _inside(self, place: Place, *, changes: bool) -> bool:
        organizations, locations = self.scope.organizations, self.scope.locations
        if organizations and place.organization not in organizations:
            return False
        if not locations:
            return True
        if place.locations:
            return not locations.isdisjoint(place.locations)
        return bool(organizations) and not changes

    async def _place(self, kind: str, identifier: str, *, fresh: bool) -> Place | None:
        """Where a thing is; None if that cannot be told. `fresh`: as it is now, not as it was a minute ago."""
        reference = (kind, identifier)
        now = self._clock()
        known = self._places.get(reference)
        if known is not None and not fresh and known[0] > now:
            return known[1]
        try:
            place = await self._find[kind](self, identifier)
        except (NotFound, PermissionDenied, InvalidArgument):
            return None
        except AppError as error:
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"Whether {kind} {identifier} may be touched could not be read, so nothing was done: {error}",
            ) from error
        if place is not None:
            self._places[reference] = (now + REMEMBERED_SECONDS, place)
            self._places.move_to_end(reference)
            while len(self._places) > _REMEMBERED:
                self._places.popitem(last=False)
        return place

    async def _organization(self, identifier: str) -> Place | None:
        return Place(identifier.lower())

    async def _location(self, identifier: str) -> Place | None:
        location = await self._app.get_location(identifier or None)
        above = [location.id]
        parent = location.parent_location_id
        while parent and len(above) < _DEEPEST:
            above.append(parent)
            parent = (await self._app.get_location(parent)).parent_location_id
        return Place(_owner(location), tuple(above))

    async def _top(self, identifier: str) -> Place | None:
        """The top level of the organization that a location belongs to."""
        return Place(_owner(await self._app.get_location(identifier)))

    async def _robot(self, identifier: str) -> Place | None:
        return await self._location((await self._app.get_robot(identifier)).location)

    async def _part(self, identifier: str) -> Place | None:
        return await self._location((await self._app.get_robot_part(identifier)).location_id)

    async def _fragment(self, identifier: str) -> Place | None:
        return Place((await self._app.get_fragment(identifier)).organization_owner.lower())

    async def _item(self, identifier: str) -> Place | None:
        return Place((await self._app.get_registry_item(identifier)).organization_id.lower())

    async def _key(self, identifier: str) -> Place | None:
        for organization in await self._owners(fresh=True):
            keys = await self._app.list_keys(organization)
            if any(entry.api_key.id == identifier.lower() for entry in keys):
                return Place(organization)
        return None

    _find: ClassVar[dict[str, Callable[[Boundary, str], Awaitable[Place | None]]]] = {
        "organization": _organization,
        "location": _location,
        "top": _top,
        "robot": _robot,
        "part": _part,
        "fragment": _fragment,
        "item": _item,
        "key": _key,
    }


def references_of(tool: Tool) -> Iterator[Reference]:
    """Everything that a call's arguments name, in their order."""
    arguments = tool.model_dump(mode="json", exclude={"robot_config", "config"})
    if "location_id" in arguments and arguments["location_id"] is None and not arguments.get("robot_part_ids"):
        # The client's default stands for it, if there is one.
        arguments["location_id"] = ""
    if arguments.get("parent_location_id") == "":
        del arguments["parent_location_id"]
        yield "top", arguments["location_id"]
    yield from _references(arguments, tool.spec.toolset)


def _references(value: Json, toolset: str) -> Iterator[Reference]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item, toolset)
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if name == "fragment_variables":
            continue  # whatever a fragment's author called them, they name nothing here
        kind = _IDS_BY_TOOLSET.get(toolset) if name == "id" else _KINDS.get(name)
        if kind and isinstance(item, str):
            yield kind, item
        elif name.endswith("resource_id") and isinstance(item, str):
            yield value[f"{name.removesuffix('resource_id')}resource_type"], item
        elif name == "robot_part_ids":
            yield from (("part", one) for one in item or ())
        elif name == "resource_ids":
            yield from ((_kind_of(one, value), one) for one in item or ())
        else:
            yield from _references(item, toolset)


def _kind_of(identifier: str, arguments: Json) -> str:
    """What an id is whose kind nothing says: locations have a form of their own, and machines are the rest."""
    if len(identifier) == 10:
        return "location"
    return "organization" if identifier == arguments.get("org_id") else "robot"


def _owner(location: Any) -> str:
    primary = [entry.organization_id for entry in location.organizations if entry.primary]
    return str(primary[0] if primary else location.primary_org_identity.id).lower()


def _chain(location: str, parents: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for _ in range(_DEEPEST):
        if not location:
            return
        yield location
        (location,) = parents.get(location, ("",))


def _organization_of(message: Any) -> str | None:
    """The organization that an item of a list belongs to, where it says so."""
    fields = {wire.Organization: "id", wire.OrgDetails: "org_id", wire.Fragment: "organization_owner",
              wire.RegistryItem: "organization_id", wire.Module: "organization_id"}  # fmt: skip
    name = fields.get(type(message))
    return None if name is None else str(getattr(message, name))
