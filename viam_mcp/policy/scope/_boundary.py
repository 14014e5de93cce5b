"""The rule of the scope, said once.

Everything that a call's arguments name, as the tool declares it, is traced to the organization and the locations that
it belongs to. All of it has to be inside; what cannot be traced is outside. What the service answers is looked through
in the same way for a tool, a preview and a completion. Whatever names something outside is left out, or reduced to
its id where it is said of something inside.

With organizations named, what belongs to them is inside. With locations named, only they and the locations below them
are, and what belongs to an organization as a whole (fragments, keys, members, registry items) may be read if the
organization is named too, and is not changed. Of an organization that only owns a location, nothing but the id is seen.

A key is where everything is that it opens. Whom a location that is inside is shared with is part of it, by id, and so
is whatever its machines' configurations name.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
from grpclib.const import Status

from viam_mcp.app import AppError, PermissionDenied, Unavailable
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.scope._filter import Seen, Sight, references_in
from viam_mcp.policy.scope._places import Memory, Places, UnreadableError, gathered
from viam_mcp.policy.scope._session import FilteredSession, ReadingSession, client
from viam_mcp.tools import Effect, ScopedBy, references

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from google.protobuf.message import Message

    from viam_mcp.app import AppClient
    from viam_mcp.policy.rules._rules import Scope
    from viam_mcp.policy.scope._places import Place
    from viam_mcp.tools import Reference, Tool

    Judge = Callable[[Reference], Awaitable[Any]]

RECHECK_SECONDS = 3.0
"""How often it is seen to that a read that goes on is still inside."""
_LONG_SECONDS = 1.0
_AT_ONCE = 8
_FEW_LOCATIONS = 3


class Boundary:
    """The scope, held against the fleet.

    Args:
        scope: What is inside.
        app: The fleet.
        recheck: How often it is seen to that a read that goes on is still inside, in seconds.
    """

    def __init__(self, scope: Scope, app: AppClient, *, recheck: float = RECHECK_SECONDS) -> None:
        self._scope = scope
        self._app = app
        self._memory = Memory()
        self._recheck = recheck

    def open(self) -> ScopedFleet:
        """Return the fleet as one call may see it."""
        return ScopedFleet(self._scope, self._app, self._memory)

    async def is_inside(self, tool: Tool) -> bool:
        """Whether a call that was inside still is. Where that cannot be read now, it is taken to be."""
        try:
            return await self.open().first_outside(tool) is None
        except UnreadableError:
            return True

    @asynccontextmanager
    async def holding(self, tool: Tool) -> AsyncIterator[None]:
        """Run the block of a call that is inside. A read that goes on ends when what it reads is no longer inside.

        Raises:
            Stopped: It is no longer inside.
        """
        if not self._scope or tool.spec.effect is not Effect.READ:
            yield
            return
        began, left = time.monotonic(), asyncio.Event()
        with anyio.CancelScope() as running:
            watch = asyncio.create_task(self._end_outside(tool, running, left))
            try:
                yield
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
        if left.is_set() or (time.monotonic() - began > _LONG_SECONDS and not await self.is_inside(tool)):
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"What {tool.spec.name} reads has left what this server is limited to by its operator meanwhile.",
            )

    async def _end_outside(self, tool: Tool, running: anyio.CancelScope, left: asyncio.Event) -> None:
        while True:
            await anyio.sleep(self._recheck)
            if not await self.is_inside(tool):
                left.set()
                running.cancel()
                return


class ScopedFleet:
    """The fleet as one call may see it.

    Args:
        scope: What is inside.
        app: The fleet.
        memory: What is known of it over many calls.

    Attributes:
        app: A client whose answers hold nothing that is outside.
    """

    def __init__(self, scope: Scope, app: AppClient, memory: Memory) -> None:
        self._scope = scope
        self.app = app
        if scope:
            reading = ReadingSession(app.session)
            self._whole = client(app, reading)
            self._places = Places(self._whole, memory, scope)
            self.app = client(app, FilteredSession(app.session, reading, self._see))

    async def check(self, tool: Tool) -> None:
        """Do nothing if the call stays inside.

        Raises:
            Stopped: It does not, or it cannot be found out.
        """
        if not self._scope:
            return
        if tool.spec.scoped_by is ScopedBy.NOTHING or not (_named(tool) or tool.spec.scoped_by is ScopedBy.ITEMS):
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"{tool.spec.title} is about no organization or location, and this server is limited to some. "
                "Nothing was done.",
            )
        try:
            outside = await self.first_outside(tool)
        except UnreadableError as error:
            raise Stopped(
                Outcome.OUT_OF_SCOPE, f"What may be touched could not be read, so nothing was done: {error}"
            ) from error
        if outside is not None:
            raise Stopped(
                Outcome.OUT_OF_SCOPE,
                f"{outside.words} is outside of what this server is limited to by its operator, or does not exist. "
                "Nothing was done.",
            )

    async def first_outside(self, tool: Tool) -> Reference | None:
        """Return the first thing outside that a call names; None if there is none.

        Raises:
            UnreadableError: It cannot be read.
        """
        if not self._scope:
            return None
        try:
            opened = await tool.opens(self._whole)
        except AppError as error:
            raise UnreadableError(f"what {tool.spec.name} would open is not readable ({error.status.name})") from error
        named, changes = list(dict.fromkeys([*_named(tool), *opened])), tool.spec.effect is not Effect.READ
        by_items = tool.spec.scoped_by is ScopedBy.ITEMS

        async def inside(reference: Reference) -> bool:
            if by_items and await self._is_owner(reference):
                return True
            return await self._names_inside(reference, changes=changes)

        found = await self._each(named, inside)
        return next((reference for reference in named if not found[reference]), None)

    async def _see(self, method: str, reply: Message) -> None:
        """Take out of an answer what may not be seen.

        Raises:
            AppError: Nothing of it may be seen, or that cannot be read.
        """
        rpc = method.rpartition("/")[2]
        named = set(references_in(reply))
        try:
            if sum(one.kinds == ("location",) for one in named) > _FEW_LOCATIONS:
                await self._places.read_locations()
            seen = Seen(await self._each(named, self._sight))
        except UnreadableError as error:
            raise Unavailable(
                Status.UNAVAILABLE, f"what may be seen of it could not be read: {error}", rpc=rpc
            ) from error
        if seen.reduce_answer(reply) and not reply.ListFields():
            raise PermissionDenied(
                Status.PERMISSION_DENIED,
                "it is outside of what this server is limited to by its operator",
                rpc=rpc,
                hint="Ask about something inside, or ask the operator to widen the scope.",
            )

    async def _sight(self, reference: Reference) -> Sight:
        if "organization" in reference.kinds and await self._is_owner(reference):
            return Sight.WHOLE if reference.id.lower() in self._scope.organizations else Sight.ID
        return Sight.WHOLE if await self._names_inside(reference, changes=False) else Sight.NOTHING

    async def _each(self, named: Collection[Reference], judge: Judge) -> dict[Reference, Any]:
        """Judge several things, some at a time."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def judged(reference: Reference) -> Any:
            async with turns:
                return await judge(reference)

        return dict(zip(named, await gathered([judged(one) for one in named]), strict=True))

    async def _is_owner(self, reference: Reference) -> bool:
        """Whether something is an organization that is named, or that owns a location that is."""
        return "organization" in reference.kinds and reference.id.lower() in await self._places.owners()

    async def _names_inside(self, reference: Reference, *, changes: bool) -> bool:
        """Whether what a value names is inside: where nothing says what it is, as any of what it may be."""
        for kind in ("top",) if reference.top else reference.kinds:
            places = await self._places.find(kind, reference.id)
            if places and all(self._is_inside(place, changes=changes) for place in places):
                return True
        return False

    def _is_inside(self, place: Place, *, changes: bool) -> bool:
        organizations, locations = self._scope.organizations, self._scope.locations
        if organizations and place.organization not in organizations:
            return False
        if not locations:
            return True
        if place.locations:
            return not locations.isdisjoint(place.locations)
        return bool(organizations) and not changes


def _named(tool: Tool) -> list[Reference]:
    return list(dict.fromkeys(references(tool)))
