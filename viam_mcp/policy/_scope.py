"""`[scope]`: which organizations and locations a server may touch, whatever its key may do.

Everything that a call's arguments name, as the tool declares it, is traced to the organization and the location that
it belongs to. All of it has to be inside; what cannot be traced is outside. The items of a list are judged in the same
way, by what their type declares; an item of a type that does not say where it belongs is outside.

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
from viam_mcp.tools import Effect, ScopedBy, is_organization, places_of, references

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.policy.rules._rules import Scope
    from viam_mcp.tools import Reference, Tool

Thing = tuple[str, str]  # a kind, and an id

REMEMBERED_SECONDS = 60.0
_REMEMBERED = 4_096
_DEEPEST = 16  # locations have three levels; a cycle must not hold us


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
        self._places: OrderedDict[Thing, tuple[float, Place]] = OrderedDict()

    async def check(self, tool: Tool) -> None:
        """Do nothing if the call stays inside.

        Raises:
            Stopped: It does not, or it cannot be found out.
        """
        if not self.scope:
            return
        scoped_by, named = tool.spec.scoped_by, list(dict.fromkeys(references(tool)))
        if not named and scoped_by is not ScopedBy.ITEMS:
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"{tool.spec.title} is about no organization or location, and this server is limited to some. "
                "Nothing was done.",
            )
        changes = tool.spec.effect is not Effect.READ
        opened = await self._opened(tool)
        for reference in (*named, *opened):
            if scoped_by is ScopedBy.ITEMS and await self._holds_some(reference):
                continue
            if not await self._names_inside(reference, changes=changes):
                raise Stopped(
                    Outcome.OUT_OF_SCOPE,
                    f"{reference.words} is outside of what this server is limited to by its operator, or does not "
                    "exist. Nothing was done.",
                )

    async def _opened(self, tool: Tool) -> list[Reference]:
        """What the authority opens that a call mints, rotates, grants or deletes."""
        try:
            return list(dict.fromkeys(await tool.opens(self._app)))
        except AppError as error:
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"What {tool.spec.name} would open could not be read, so nothing was done: {error}",
            ) from error

    async def visible(self, items: Sequence[Any]) -> list[bool]:
        """Say of each item of a list whether it may be seen.

        Args:
            items: Messages of the wire contract, or records of them.

        Raises:
            Stopped: It cannot be found out.
        """
        if not self.scope:
            return [True] * len(items)
        return [await self._is_visible(item) for item in items]

    async def _is_visible(self, item: Any) -> bool:
        places = places_of(item)
        if places is None:
            return False
        if is_organization(item):
            return any([await self._holds_some(place) for place in places])
        return not places or any([await self._names_inside(place, changes=False) for place in places])

    async def _holds_some(self, reference: Reference) -> bool:
        """Whether something is an organization that is inside, or that holds a location that is."""
        return "organization" in reference.kinds and reference.id.lower() in await self._owners(fresh=False)

    async def _names_inside(self, reference: Reference, *, changes: bool) -> bool:
        """Whether what a value names is inside: where nothing says what it is, as any of what it may be."""
        for kind in ("top",) if reference.top else reference.kinds:
            place = await self._place(kind, reference.id, fresh=changes)
            if place is not None and self._inside(place, changes=changes):
                return True
        return False

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
        thing = (kind, identifier)
        now = self._clock()
        known = self._places.get(thing)
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
            self._places[thing] = (now + REMEMBERED_SECONDS, place)
            self._places.move_to_end(thing)
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

    async def _machine(self, identifier: str) -> Place | None:
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
        "machine": _machine,
        "part": _part,
        "fragment": _fragment,
        "item": _item,
        "key": _key,
    }


def _owner(location: Any) -> str:
    primary = [entry.organization_id for entry in location.organizations if entry.primary]
    return str(primary[0] if primary else location.primary_org_identity.id).lower()
