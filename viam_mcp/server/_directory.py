"""The things of a fleet by name and by id: for completing what a person types, and for names in prompts.

Each list is read with the tool that lists these things, so that a caller finds nothing here that the caller may not
list. Lists are remembered for a short while.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from viam_mcp.tools import TOOLS, input_schema, quoted

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from viam_mcp.calls import Result

Call = Callable[[str, Mapping[str, Any]], Awaitable["Result"]]
"""Runs a tool by name with these arguments, for one caller."""

REMEMBERED_SECONDS = 30.0
_FAILURE_SECONDS = 3.0  # so long that a burst of key strokes asks a fleet that does not answer once
_AT_ONCE = 8
_PAGES = 20  # of up to 1,000 items each


class ThingKind(StrEnum):
    """The kinds of things that can be named."""

    ORGANIZATION = "organization"
    LOCATION = "location"
    MACHINE = "machine"
    PART = "part"
    FRAGMENT = "fragment"


class Thing(NamedTuple):
    """A thing on the fleet.

    Attributes:
        id: Its id.
        name: Its name, made safe to show; empty if it has none.
        within: The name of the thing that it belongs to; empty for an organization.
    """

    id: str
    name: str
    within: str


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
        things: The things, each once.
        problems: Why there may be more things than these.
    """

    things: tuple[Thing, ...]
    problems: tuple[str, ...] = ()


class UnclearNameError(Exception):
    """No thing, or more than one, has a name. The message names the candidates."""


@dataclass(frozen=True)
class _Listing:
    """How things of one kind are listed.

    Attributes:
        tool: The tool that lists them.
        member: The member of its result that holds them.
        id_of: A tool and its argument that takes such an id; its schema has the form of the id.
        within: The kind of things that they are listed within.
        argument: The tool's argument that takes the id of such a thing.
        most: In how many such things they are looked for, at most.
        arguments: Further arguments of the tool.
    """

    tool: str
    member: str
    id_of: tuple[str, str]
    within: ThingKind | None = None
    argument: str = ""
    most: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)


_LISTINGS = {
    ThingKind.ORGANIZATION: _Listing("list_organizations", "organizations", ("get_organization", "org_id")),
    ThingKind.LOCATION: _Listing(
        "list_locations", "locations", ("get_location", "location_id"), ThingKind.ORGANIZATION, "org_id", most=100
    ),
    ThingKind.MACHINE: _Listing(
        "list_robots", "robots", ("get_robot", "robot_id"), ThingKind.LOCATION, "location_id", most=500
    ),
    # No call lists the parts of several machines, so only the likeliest machines are asked.
    ThingKind.PART: _Listing(
        "get_robot_parts", "parts", ("get_robot_part", "robot_part_id"), ThingKind.MACHINE, "robot_id", most=50
    ),
    ThingKind.FRAGMENT: _Listing(
        "list_fragments",
        "fragments",
        ("get_fragment", "fragment_id"),
        ThingKind.ORGANIZATION,
        "org_id",
        most=100,
        arguments={"visibilities": ["private", "public", "public_unlisted"]},
    ),
}


class Directory:
    """The things of one fleet.

    Args:
        tools: The tools that are offered. Things that none of them lists are not found.
        seconds: How long a list is remembered.
    """

    def __init__(self, tools: Mapping[str, Any], *, seconds: float = REMEMBERED_SECONDS) -> None:
        self._tools = tools
        self._seconds = seconds
        self._remembered: dict[tuple[str, str], tuple[float, Found]] = {}
        # One search at a time: a second one for the same text then finds the lists remembered.
        self._searching: AbstractAsyncContextManager[Any] = anyio.Lock()
        self._slots: AbstractAsyncContextManager[Any] = anyio.Semaphore(_AT_ONCE)

    def lists(self, kind: ThingKind) -> bool:
        """Return whether the tools are offered that list things of a kind."""
        listing = _LISTINGS[kind]
        return listing.tool in self._tools and (listing.within is None or self.lists(listing.within))

    async def find(self, kind: ThingKind, text: str, call: Call) -> Found:
        """Return the things of a kind.

        Args:
            kind: The kind.
            text: A part of the name or the id that is looked for. Where not everything can be searched, it decides
                what is searched. The result is not filtered by it.
            call: Runs the tools that list things.
        """
        if not self.lists(kind):
            return Found((), (f"this server does not offer the tools that list each {kind}.",))
        async with self._searching:
            now = time.monotonic()
            self._remembered = {key: entry for key, entry in self._remembered.items() if entry[0] > now}
            return await self._find(kind, text, call)

    async def named(self, kind: ThingKind, text: str, call: Call) -> Thing:
        """Return the thing that a person means by a text, which is its id or its whole name.

        An id that is in no list is accepted, because not every list can be read.

        Raises:
            UnclearNameError: There is none of that name, or more than one.
        """
        found = await self.find(kind, text, call)
        exact = [thing for thing in found.things if text == thing.id] or [
            thing for thing in found.things if text == thing.name
        ]
        meant = exact or [thing for thing in found.things if text.casefold() in (thing.id, thing.name.casefold())]
        if len(meant) == 1:
            return meant[0]
        if meant:
            which = ", ".join(f"{thing.id} in {quoted(thing.within)}" for thing in meant[:10])
            raise UnclearNameError(
                f"There are {len(meant)} of the name {quoted(text)}: give the id instead, one of {which}."
            )
        if is_id(kind, text):
            return Thing(text, "", "")
        close = difflib.get_close_matches(text, [thing.name for thing in found.things], n=3)
        advice = f"Did you mean {' or '.join(map(quoted, close))}?" if close else "Give its id or its name in full."
        reason = f" Not everything could be looked through: {found.problems[0]}" if found.problems else ""
        raise UnclearNameError(f"There is no {kind} {quoted(text)}. {advice}{reason}")

    async def _find(self, kind: ThingKind, text: str, call: Call) -> Found:
        listing = _LISTINGS[kind]
        if listing.within is None:
            return await self._list(listing, None, call)
        holders = await self._find(listing.within, text, call)
        likeliest = sorted(holders.things, key=lambda holder: _unlikeness(holder, text))[: listing.most]
        found: list[Found] = [holders] * len(likeliest)

        async def fill(position: int) -> None:
            async with self._slots:
                found[position] = await self._list(listing, likeliest[position], call)

        async with anyio.create_task_group() as tasks:
            for position in range(len(likeliest)):
                tasks.start_soon(fill, position)
        problems = [*holders.problems, *(problem for one in found for problem in one.problems)]
        if len(likeliest) < len(holders.things):
            problems.append(f"Only {listing.most} of {len(holders.things):,} were looked into.")
        # A thing that two organizations share is listed by both.
        things = {thing.id: thing for one in found for thing in one.things}
        return Found(tuple(things.values()), tuple(problems))

    async def _list(self, listing: _Listing, holder: Thing | None, call: Call) -> Found:
        key = (listing.tool, holder.id if holder else "")
        if key in self._remembered:
            return self._remembered[key][1]
        arguments = {**listing.arguments, "fields": ["id", "name"]}
        if holder is not None:
            arguments[listing.argument] = holder.id
        within = holder.name if holder else ""
        things: list[Thing] = []
        problems: tuple[str, ...] = (f"{listing.tool} gave more than {_PAGES} pages.",)
        for _ in range(_PAGES):
            result = await call(listing.tool, arguments)
            if result.data is None:
                problems = (result.text,)
                break
            things += [Thing(item["id"], item.get("name", ""), within) for item in result.data[listing.member]]
            if "next_cursor" not in result.data:
                problems = ()
                break
            arguments = {**arguments, "cursor": result.data["next_cursor"]}
        found = Found(tuple(things), problems)
        lifetime = min(self._seconds, _FAILURE_SECONDS) if problems and not things else self._seconds
        self._remembered[key] = (time.monotonic() + lifetime, found)
        return found


def matching(things: tuple[Thing, ...], text: str) -> list[Thing]:
    """Return the things whose name contains a text or whose id begins with it, in any case, the likeliest first."""
    wanted = text.strip().casefold()
    likely = [(thing, _unlikeness(thing, wanted)) for thing in things]
    likely = [(thing, unlikeness) for thing, unlikeness in likely if unlikeness <= _ID_BEGINS]
    return [thing for thing, _ in sorted(likely, key=lambda pair: (pair[1], pair[0].name.casefold(), pair[0].id))]


_ID_BEGINS = 3


def _unlikeness(thing: Thing, text: str) -> int:
    """Return how badly a text fits a thing. Up to `_ID_BEGINS` it matches."""
    wanted, name = text.strip().casefold(), thing.name.casefold()
    if name == wanted:
        return 0
    if name.startswith(wanted):
        return 1
    if wanted in name:
        return 2
    if thing.id.startswith(wanted):
        return _ID_BEGINS
    # Most parts are named after their machine.
    return 4 if name and name in wanted else 5


def by_name(thing: Thing, text: str) -> bool:
    """Return whether a text matches the name of a thing, not its id."""
    return _unlikeness(thing, text) < _ID_BEGINS


def is_id(kind: ThingKind, text: str) -> bool:
    """Return whether a text has the form of an id of a kind."""
    tool, argument = _LISTINGS[kind].id_of
    return bool(re.search(input_schema(TOOLS[tool])["properties"][argument]["pattern"], text)) and text.isprintable()
