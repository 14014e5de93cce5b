"""Where things are in the fleet: the organization and the locations that each belongs to.

What never changes is remembered: which organization a location or a fragment belongs to, and which machine a part is
of. Where machines and locations are is read anew for each call. Where they were last time is only what the reading
starts from, so that the steps of a chain are read at once and not one after the other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from google.protobuf.empty_pb2 import Empty

from viam_mcp.app import AppError, InvalidArgument, NotFound, PermissionDenied
from viam_mcp.policy.scope._errors import without_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from viam_mcp.app import AppClient
    from viam_mcp.policy.rules._rules import Scope
    from viam_mcp.proto import app as wire

_REMEMBERED = 4_096
_DEEPEST = 16  # locations have three levels; a cycle must not hold us


class UnreadableError(Exception):
    """Where a thing is cannot be read now; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where a thing is: its organization, and its location with those above it, or none for the whole organization."""

    organization: str
    locations: tuple[str, ...] = ()


class _Remembered(OrderedDict[str, str]):
    """The latest answers to one question."""

    def remember(self, key: str, value: str) -> str:
        """Keep an answer."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > _REMEMBERED:
            self.popitem(last=False)
        return value


class Memory:
    """What is known of a fleet over many calls."""

    def __init__(self) -> None:
        self.owner_of_location = _Remembered()
        self.owner_of_fragment = _Remembered()
        self.machine_of_part = _Remembered()
        # These may have changed since.
        self.last_location = _Remembered()
        self.last_parent = _Remembered()


class Places:
    """Finds out where things are, for one call: what was read for it once is not read again.

    Args:
        app: The fleet.
        memory: What is known of it.
        scope: What the server is limited to. What is above a location that it names does not matter.
    """

    def __init__(self, app: AppClient, memory: Memory, scope: Scope) -> None:
        self._app = app
        self._memory = memory
        self._scope = scope
        self._ends = scope.locations
        self._parents: dict[str, str] = {}
        self._found: dict[tuple[str, str], tuple[Place, ...] | None] = {}

    async def find(self, kind: str, identifier: str) -> tuple[Place, ...] | None:
        """Return the places that a thing belongs to, all of which have to be inside; None for what cannot be found.

        Raises:
            UnreadableError: It cannot be read.
        """
        key = (kind, identifier.lower())
        if key not in self._found:
            try:
                self._found[key] = await self._finders[kind](self, identifier) if kind in self._finders else None
            except (NotFound, PermissionDenied, InvalidArgument):
                self._found[key] = None
            except AppError as error:
                raise self._unreadable(error) from error
        return self._found[key]

    async def owners(self) -> frozenset[str]:
        """Return the organizations that are named, or else those that own a location that is named.

        Raises:
            UnreadableError: It cannot be read.
        """
        if self._scope.organizations:
            return self._scope.organizations
        found = await gathered([self.find("location", one) for one in self._scope.locations])
        return frozenset(place.organization for places in found for place in places or ())

    async def read_locations(self) -> None:
        """Read all locations of these organizations at once, where the places of many things are to be found.

        Raises:
            UnreadableError: They cannot be read.
        """
        try:
            lists = await gathered([self._app.list_locations(one) for one in await self.owners()])
        except AppError as error:
            raise self._unreadable(error) from error
        for location in (one for each in lists for one in each):
            self._note(location)

    def _unreadable(self, error: AppError) -> UnreadableError:
        return UnreadableError(str(without_names(error, Empty(), self._app.session.target)))

    async def _organization(self, identifier: str) -> tuple[Place, ...]:
        return (Place(identifier.lower()),)

    async def _location(self, identifier: str) -> tuple[Place, ...]:
        identifier = identifier or (await self._app.get_location(None)).id
        chain = [identifier]
        if identifier not in self._ends:
            await self._read_chain(identifier)
            while (parent := await self._parent(chain[-1])) and len(chain) < _DEEPEST:
                chain.append(parent)
                if parent in self._ends:
                    break
        return (Place(await self._owner(identifier), tuple(chain)),)

    async def _top(self, identifier: str) -> tuple[Place, ...]:
        """The top level of the organization that a location belongs to."""
        return (Place(await self._owner(identifier)),)

    async def _machine(self, identifier: str) -> tuple[Place, ...] | None:
        last = self._memory.last_location.get(identifier)
        ahead = [] if last is None else [self.find("location", last)]
        robot, *_ = await gathered([self._app.get_robot(identifier), *ahead])
        self._memory.last_location.remember(identifier, robot.location)
        return await self.find("location", robot.location)

    async def _part(self, identifier: str) -> tuple[Place, ...] | None:
        machine = self._memory.machine_of_part.get(identifier)
        if machine is None:
            machine = (await self._app.get_robot_part(identifier)).robot
            self._memory.machine_of_part.remember(identifier, machine)
        return await self.find("machine", machine)

    async def _fragment(self, identifier: str) -> tuple[Place, ...]:
        owner = self._memory.owner_of_fragment.get(identifier)
        if owner is None:
            owner = (await self._app.get_fragment(identifier)).organization_owner.lower()
            self._memory.owner_of_fragment.remember(identifier, owner)
        return (Place(owner),)

    async def _item(self, identifier: str) -> tuple[Place, ...]:
        return (Place((await self._app.get_registry_item(identifier)).organization_id.lower()),)

    async def _key(self, identifier: str) -> tuple[Place, ...] | None:
        """The organization that a key is of, and everything that the key opens."""
        for organization in await self.owners():
            for entry in await self._app.list_keys(organization):
                if entry.api_key.id == identifier.lower():
                    opened = [await self._opened(one) for one in entry.authorizations]
                    if any(places is None for places in opened):
                        return None
                    return (Place(organization), *(place for places in opened for place in places or ()))
        return None

    async def _opened(self, authorization: wire.AuthorizationDetails) -> tuple[Place, ...] | None:
        kind = "machine" if authorization.resource_type == "robot" else authorization.resource_type
        return await self.find(kind, authorization.resource_id)

    _finders: ClassVar[dict[str, Callable[[Places, str], Awaitable[tuple[Place, ...] | None]]]] = {
        "organization": _organization,
        "location": _location,
        "top": _top,
        "machine": _machine,
        "part": _part,
        "fragment": _fragment,
        "item": _item,
        "key": _key,
    }

    async def _read_chain(self, identifier: str) -> None:
        """Read at once the locations that were above one last time."""
        chain = [identifier]
        while (parent := self._memory.last_parent.get(chain[-1])) and parent not in (*self._ends, *chain):
            chain.append(parent)
        if len(chain) > 1:
            await gathered([self._parent(one) for one in chain])

    async def _parent(self, identifier: str) -> str:
        if identifier not in self._parents:
            self._note(await self._app.get_location(identifier))
        return self._parents.get(identifier, "")

    def _note(self, location: wire.Location) -> None:
        self._memory.owner_of_location.remember(location.id, owner_of(location))
        self._memory.last_parent.remember(location.id, location.parent_location_id)
        self._parents[location.id] = location.parent_location_id

    async def _owner(self, identifier: str) -> str:
        known = self._memory.owner_of_location.get(identifier)
        if known is None:
            await self._parent(identifier)
            known = self._memory.owner_of_location[identifier]
        return known


def owner_of(location: wire.Location) -> str:
    """Return the organization that a location belongs to."""
    primary = [entry.organization_id for entry in location.organizations if entry.primary]
    return (primary[0] if primary else location.primary_org_identity.id).lower()


async def gathered(coroutines: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Return what several coroutines give, which run at the same time; the first that fails ends all of them."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in coroutines]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
