"""What there is, by name and by id: for completing what a person types, and for understanding names in prompts.

Each list is read by the tool that reads it for everybody, so that what a caller may not list is not here
either, and remembered for a short while.
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

    from viam_mcp.calls._pipeline import Result

Call = Callable[[str, Mapping[str, Any]], Awaitable["Result"]]
"""Runs a tool by name with these arguments, on behalf of whoever asked."""

REMEMBERED_SECONDS = 30.0
_FAILURE_SECONDS = 3.0  # long enough that a burst of key strokes meets a broken fleet once
_AT_ONCE = 8
_PAGES = 20  # of up to 1,000 items each


class Kind(StrEnum):
    """What can be named."""

    ORGANIZATION = "organization"
    LOCATION = "location"
    MACHINE = "machine"
    PART = "part"
    FRAGMENT = "fragment"


class Thing(NamedTuple):
    """One of them.

    Attributes:
        id: Its id.
        name: Its name, made safe to show; empty if it has none.
        within: The name of what holds it; empty for an organization.
    """

    id: str
    name: str
    within: str


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        things: Each once.
        problems: Why there may be more than these.
    """

    things: tuple[Thing, ...]
    problems: tuple[str, ...] = ()


class UnclearNameError(Exception):
    """A name stands for nothing, or for several things; the message says which there are."""


@dataclass(frozen=True)
class _Listing:
    """How things of one kind are listed.

    Attributes:
        tool: The tool that lists them.
        member: Where its result has them.
        id_of: A tool and its argument that take such an id, and so know its form.
        within: What they are listed within.
        argument: The tool's argument that takes the id of that.
        most: Within how many at most they are looked for.
        arguments: What else the tool is given.
    """

    tool: str
    member: str
    id_of: tuple[str, str]
    within: Kind | None = None
    argument: str = ""
    most: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)


_LISTINGS = {
    Kind.ORGANIZATION: _Listing("list_organizations", "organizations", ("get_organization", "org_id")),
    Kind.LOCATION: _Listing(
        "list_locations", "locations", ("get_location", "location_id"), Kind.ORGANIZATION, "org_id", most=100
    ),
    Kind.MACHINE: _Listing("list_robots", "robots", ("get_robot", "robot_id"), Kind.LOCATION, "location_id", most=500),
    # Nothing lists the parts of many machines, so only the likeliest machines are asked.
    Kind.PART: _Listing(
        "get_robot_parts", "parts", ("get_robot_part", "robot_part_id"), Kind.MACHINE, "robot_id", most=50
    ),
    Kind.FRAGMENT: _Listing(
        "list_fragments",
        "fragments",
        ("get_fragment", "fragment_id"),
        Kind.ORGANIZATION,
        "org_id",
        most=100,
        arguments={"visibilities": ["private", "public", "public_unlisted"]},
    ),
}


class Directory:
    """What there is on one fleet.

    Args:
        tools: The tools that are offered. What none of them lists is not found.
        seconds: How long a list is remembered.
    """

    def __init__(self, tools: Mapping[str, Any], *, seconds: float = REMEMBERED_SECONDS) -> None:
        self._tools = tools
        self._seconds = seconds
        self._remembered: dict[tuple[str, str], tuple[float, Found]] = {}
        # One search at a time: those who type the same meanwhile find it remembered.
        self._searching: AbstractAsyncContextManager[Any] = anyio.Lock()
        self._turns: AbstractAsyncContextManager[Any] = anyio.Semaphore(_AT_ONCE)

    def lists(self, kind: Kind) -> bool:
        """Whether the tools are offered that it takes to find things of a kind."""
        listing = _LISTINGS[kind]
        return listing.tool in self._tools and (listing.within is None or self.lists(listing.within))

    async def find(self, kind: Kind, text: str, call: Call) -> Found:
        """Everything of a kind that may match a text.

        Args:
            kind: What to look for.
            text: What a name or an id should hold. It decides where to look first where not everything is
                looked through; what comes back is not filtered by it.
            call: Lists.
        """
        if not self.lists(kind):
            return Found((), (f"this server does not offer the tools that list each {kind}.",))
        async with self._searching:
            now = time.monotonic()
            self._remembered = {key: entry for key, entry in self._remembered.items() if entry[0] > now}
            return await self._find(kind, text, call)

    async def named(self, kind: Kind, text: str, call: Call) -> Thing:
        """The one thing that a person means by a text: its id, or its name in full.

        An id that is in no list is taken at its word, since not every list can be read.

        Raises:
            UnclearNameError: There is none, or there are several, of that name.
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

    async def _find(self, kind: Kind, text: str, call: Call) -> Found:
        listing = _LISTINGS[kind]
        if listing.within is None:
            return await self._list(listing, None, call)
        holders = await self._find(listing.within, text, call)
        likeliest = sorted(holders.things, key=lambda holder: _unlikeness(holder, text))[: listing.most]
        found: list[Found] = [holders] * len(likeliest)

        async def fill(position: int) -> None:
            async with self._turns:
                found[position] = await self._list(listing, likeliest[position], call)

        async with anyio.create_task_group() as tasks:
            for position in range(len(likeliest)):
                tasks.start_soon(fill, position)
        problems = [*holders.problems, *(problem for one in found for problem in one.problems)]
        if len(likeliest) < len(holders.things):
            problems.append(f"Only {listing.most} of {len(holders.things):,} were looked into.")
        # What two organizations share is listed by both.
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
    """Those whose name contains the text or whose id begins with it, whatever the case, the likeliest first."""
    wanted = text.strip().casefold()
    likely = [(thing, _unlikeness(thing, wanted)) for thing in things]
    likely = [(thing, unlikeness) for thing, unlikeness in likely if unlikeness <= _ID_BEGINS]
    return [thing for thing, _ in sorted(likely, key=lambda pair: (pair[1], pair[0].name.casefold(), pair[0].id))]


_ID_BEGINS = 3


def _unlikeness(thing: Thing, text: str) -> int:
    """How far a thing is from what a text means: up to `_ID_BEGINS` it matches."""
    wanted, name = text.strip().casefold(), thing.name.casefold()
    if name == wanted:
        return 0
    if name.startswith(wanted):
        return 1
    if wanted in name:
        return 2
    if thing.id.startswith(wanted):
        return _ID_BEGINS
    # A part is mostly called like its machine and something more.
    return 4 if name and name in wanted else 5


def by_name(thing: Thing, text: str) -> bool:
    """Whether it is its name, not its id, that a text matches."""
    return _unlikeness(thing, text) < _ID_BEGINS


def is_id(kind: Kind, text: str) -> bool:
    """Whether a text has the form of an id of this kind."""
    tool, argument = _LISTINGS[kind].id_of
    return bool(re.search(input_schema(TOOLS[tool])["properties"][argument]["pattern"], text)) and text.isprintable()
