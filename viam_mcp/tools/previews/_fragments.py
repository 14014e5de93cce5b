"""What the fragments that a configuration names bring: code, access, hosts. A person sees more than an id.

Fragments are followed into those that they contain. A confirmation is bound to the revisions that were found.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from viam_mcp.app import InvalidArgument, NotFound, PermissionDenied
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._model import Consequence, Risk, merged
from viam_mcp.tools.previews._names import brief, named
from viam_mcp.tools.previews._values import legible, literal
from viam_mcp.tools.previews._wording import state_of
from viam_mcp.tools.previews.configs._changes import changes, ordered
from viam_mcp.tools.previews.configs._diff import compared
from viam_mcp.tools.previews.configs._lines import change_lines
from viam_mcp.tools.previews.configs._risks import with_risks
from viam_mcp.tools.results._encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from viam_mcp.app import AppClient, Fragment
    from viam_mcp.tools.previews.configs._changes import Change

Json = Any

_AT_ONCE = 8  # look-ups
_MOST = 200  # fragments
_TOLD = frozenset({Risk.CODE, Risk.ACCESS, Risk.SHELL, Risk.HOSTS})
"""What is told of a fragment one by one; the rest of it is counted."""


class FragmentRef(NamedTuple):
    """A fragment as a configuration names it.

    Attributes:
        id: Its id.
        version: A revision or a tag; empty for the latest.
    """

    id: str
    version: str = ""


@dataclass(frozen=True)
class Resolved:
    """A fragment that was looked up.

    Attributes:
        ref: How it was named.
        fragment: The fragment; None if it cannot be read.
        config: Its configuration, as it is shown.
    """

    ref: FragmentRef
    fragment: Fragment | None
    config: Mapping[str, Json]

    @property
    def revision(self) -> str:
        """Which revision it is; empty if it cannot be read."""
        return self.fragment.revision if self.fragment else ""

    @property
    def whole(self) -> str:
        """What to call it, with its organization and its revision."""
        if self.fragment is None:
            return f"fragment {legible(self.ref.id)}"
        owner = named("organization", self.fragment.organization_name, self.fragment.organization_owner)
        version = f" (version {literal(self.ref.version)})" if self.ref.version else ""
        return f"{named('fragment', self.fragment.name, self.ref.id)} of {owner}, revision {self.revision}{version}"

    @property
    def short(self) -> str:
        """What to call it in a headline."""
        return brief("fragment", self.fragment.name) if self.fragment else f"fragment {legible(self.ref.id)}"


@dataclass(frozen=True)
class Brought:
    """What changes when other fragments are named.

    Attributes:
        lines: What they bring.
        consequences: What of it is grave.
        bound: What a confirmation is bound to: the revision of each.
    """

    lines: Sequence[str] = ()
    consequences: Sequence[Consequence] = ()
    bound: tuple[str, ...] = ()


def named_in(config: Mapping[str, Json]) -> list[FragmentRef]:
    """Return the fragments that a configuration names, each as `"id"` or `{"id": "id", …}`.

    The service reads keys in capitals as it does others.
    """
    found = []
    for key, entries in config.items():
        if key.casefold() == "fragments" and isinstance(entries, list):
            found += [ref for entry in entries if (ref := _ref(entry)) is not None]
    return list(dict.fromkeys(found))


def _ref(entry: Json) -> FragmentRef | None:
    said = {key.casefold(): value for key, value in entry.items()} if isinstance(entry, dict) else {"id": entry}
    identifier, version = said.get("id"), said.get("version", "")
    if not isinstance(identifier, str) or not identifier:
        return None
    return FragmentRef(identifier, version if isinstance(version, str) else "")


async def resolved(app: AppClient, refs: Iterable[FragmentRef]) -> dict[FragmentRef, Resolved]:
    """Return fragments and all that they contain, however deep.

    Raises:
        ToolError: There are too many of them.
    """
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def look_up(ref: FragmentRef) -> Resolved:
        async with at_once:
            return await _resolved(app, ref)

    found: dict[FragmentRef, Resolved] = {}
    waiting = list(dict.fromkeys(refs))
    while waiting:
        if len(found) + len(waiting) > _MOST:
            raise ToolError(
                f"The configuration names more than {_MOST} fragments with those that they contain, which is more than "
                "can be looked up. Nothing was done."
            )
        found |= dict(zip(waiting, await asyncio.gather(*map(look_up, waiting)), strict=True))
        inner = (ref for one in waiting for ref in named_in(found[one].config))
        waiting = [ref for ref in dict.fromkeys(inner) if ref not in found]
    return found


async def _resolved(app: AppClient, ref: FragmentRef) -> Resolved:
    try:
        fragment = await app.get_fragment(ref.id, ref.version or None)
    except (NotFound, PermissionDenied, InvalidArgument):
        return Resolved(ref, None, {})
    return Resolved(ref, fragment, ordered(encode(fragment.proto).get("fragment", {})))


async def brought(app: AppClient, before: Iterable[FragmentRef], after: Iterable[FragmentRef]) -> Brought:
    """Return what changes when some fragments are named in the place of others.

    Args:
        app: The fleet.
        before: Those that are named now.
        after: Those that are named then.

    Raises:
        ToolError: There are too many of them.
    """
    before, after = [*before], [*after]
    if not before and not after:
        return Brought()
    known = await resolved(app, [*before, *after])
    was, becomes = _closure(known, before), _closure(known, after)
    earlier = {one.ref.id: one for one in was}
    same = {(one.ref.id, one.revision) for one in was if one.fragment is not None}
    lines: list[str] = []
    consequences: list[Consequence] = []
    stays: list[str] = []
    for one in becomes:
        if (one.ref.id, one.revision) in same:
            stays.append(f"{one.short} revision {one.revision}")
            continue
        told = _revised(earlier[one.ref.id], one) if one.ref.id in earlier else _new(one)
        lines += told.lines
        consequences += told.consequences
    gone = {one.ref.id for one in was} - {one.ref.id for one in becomes}
    lines += [f"No longer used: {one.whole}." for one in was if one.ref.id in gone]
    lines += [f"Fragments used as before: {', '.join(stays)}."] if stays else []
    return Brought(lines, merged(consequences), state_of(*(f"{one.ref.id} {one.revision}" for one in becomes)))


def _closure(known: Mapping[FragmentRef, Resolved], refs: Iterable[FragmentRef]) -> list[Resolved]:
    """Return fragments and all that they contain, each once."""
    found: dict[FragmentRef, Resolved] = {}
    waiting = [*refs]
    while waiting:
        ref = waiting.pop(0)
        if ref not in found:
            found[ref] = known[ref]
            waiting += named_in(known[ref].config)
    return [*found.values()]


def _new(one: Resolved) -> Brought:
    """Return what a fragment brings that was not used before."""
    if one.fragment is None:
        return _unknown(one)
    found = with_risks(changes({}, one.config))
    told = [change for change in found if change.risks & _TOLD]
    others = Counter(change.place.section for change in found if change not in told)
    counted = ", ".join(f"{section}: {number:,}" for section, number in others.items())
    if not told:
        rest = f"It brings no code, access or hosts{f'; {counted}' if counted else ''}."
        return Brought([f"Used from then on: {one.whole}. {rest}"])
    lines = [f"Used from then on: {one.whole}. It brings:", *(f"  {line}" for line in change_lines(told))]
    lines += [f"  Besides: {counted}."] if counted else []
    return Brought(lines, _told(one, told))


def _revised(old: Resolved, new: Resolved) -> Brought:
    """Return what another revision of a fragment brings."""
    if old.fragment is None or new.fragment is None:
        return _unknown(new) if new.fragment is None else _new(new)
    diff = compared(old.config, new.config)
    lines = [f"Another revision is used: {new.whole}, so far revision {old.revision}."]
    return Brought([*lines, *(f"  {line}" for line in diff.lines)], _told(new, diff.changes))


def _unknown(one: Resolved) -> Brought:
    what = f"{one.whole}, WHICH CANNOT BE READ"
    return Brought(
        [f"Used from then on: {what}: nothing is known of what it brings."],
        [Consequence(Risk.CODE, "RUNS CODE", f"{one.short}, unreadable", 1)],
    )


_LABELS = {Risk.CODE: "RUNS CODE", Risk.ACCESS: "ACCESS", Risk.SHELL: "REMOTE SHELL", Risk.HOSTS: "hosts"}


def _told(one: Resolved, found: Iterable[Change]) -> list[Consequence]:
    at_risk = {risk for change in found for risk in change.risks}
    return [Consequence(risk, _LABELS[risk], one.short, 1) for risk in Risk if risk in at_risk & _TOLD]
