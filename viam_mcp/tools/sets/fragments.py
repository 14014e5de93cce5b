"""Fragments: configuration that many machines share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, NamedTuple

import anyio.to_thread
from pydantic import Field

from viam_mcp.app import Fragment, Page
from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._types import (
    Config,
    FragmentId,
    KeepEmpty,
    Name,
    NewPublicity,
    NewVisibility,
    OrganizationId,
    Time,
    Visibility,
)
from viam_mcp.tools.previews._configuration import config_change
from viam_mcp.tools.previews._fragments import named_in
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, fragment_name, named, organization_name, quoted
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    VISIBILITIES,
    Called,
    change,
    count,
    counted,
    day,
    earlier,
    online_state,
    preview,
    stale,
    state_of,
    visibility_change,
)
from viam_mcp.tools.redaction._configs import Stored, lacks
from viam_mcp.tools.results._by_path import ByPath, ConfigCursor, ConfigPath, OneByPath
from viam_mcp.tools.results._encode import encode
from viam_mcp.tools.results._output import Done, Many, One

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.app import AppClient, FragmentHistoryEntry
    from viam_mcp.tools._environment import Environment

_MOST_MACHINES = 1_000


class ListFragments(ListTool, toolset="fragments", core=True, returns=Many(fragments=wire.Fragment)):
    """List an organization's fragments with their configurations and how many parts use each;
    fields=["id","name"] keeps it short. Say which by visibilities; without them, public ones are listed, or
    private ones if show_public is false."""

    org_id: OrganizationId
    show_public: Annotated[bool, Field(description="Deprecated, use visibilities")] = True
    visibilities: Annotated[list[Visibility], Field(max_length=10)] | None = None

    async def run(self, app: AppClient) -> list[Fragment]:
        chosen = None if self.visibilities is None else [Fragment.Visibility(item) for item in self.visibilities]
        return await app.list_fragments(self.org_id, self.show_public, chosen)


class GetFragment(
    Tool, toolset="fragments", core=True, returns=OneByPath("fragment", wire.Fragment, config="fragment")
):
    """Get one fragment: its configuration, who may see it, how many parts and organizations use it, and
    last_updated, which update_fragment takes as last_known_update. Where a large configuration reads
    [left out: N bytes], read that with path."""

    fragment_id: FragmentId
    version: Annotated[str, Field(description="A revision or a tag; the latest if left out")] | None = None
    path: ConfigPath | None = None
    cursor: ConfigCursor | None = None

    async def execute(self, app: AppClient, environment: Environment) -> Fragment | ByPath:
        fragment = await app.get_fragment(self.fragment_id, self.version)
        return fragment if self.path is None else ByPath(fragment, self.path, self.cursor, environment.budget)


class CreateFragment(Tool, toolset="fragments", effect=Effect.WRITE, core=True, returns=One("fragment", wire.Fragment)):
    """Create a private fragment. No machine uses it until its configuration names it. Returns the fragment with
    its id."""

    org_id: OrganizationId
    name: Name
    config: Config | None = None

    async def subject(self, app: AppClient) -> str:
        return f"fragment {quoted(self.name)} in {await organization_name(app, self.org_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        config, organization = self.config or {}, await app.get_organization(self.org_id)
        edit = await config_change(app, Stored({}, {}), config, "config")
        where = named("organization", organization.name, organization.id)
        return preview(
            self,
            f"{brief('fragment', self.name)} in {where}",
            ["It is private, and no machine uses it until its configuration names it.", *edit.lines],
            title=brief("fragment", self.name),
            where=f"in {brief('organization', organization.name)}",
            consequences=edit.consequences,
            subject=self.name,
            bound=edit.bound,
        )

    async def run(self, app: AppClient) -> Fragment:
        if lacks(self.config):
            Stored({}, {}).whole(self.config, "config")  # nothing is stored that could be put back
        return await app.create_fragment(self.org_id, self.name, self.config)


class UpdateFragment(
    Tool,
    toolset="fragments",
    effect=Effect.DESTRUCTIVE,
    risks=(Risk.EMPTIES,),
    core=True,
    returns=One("fragment", wire.Fragment),
):
    """Rename a fragment and, where given, replace its whole configuration or change who may see it. A new
    configuration reaches every machine that follows the fragment. Read it with get_fragment first and send all of
    it back, changed; where it reads [redacted] or [left out: N bytes], send that as it is. Returns the fragment as it
    is then."""

    fragment_id: FragmentId
    name: Name
    config: Annotated[Config, KeepEmpty(), Field(description="A JSON object; {} empties it")] | None = None
    public: Annotated[NewPublicity, Field(description="Deprecated, use visibility")] | None = None
    visibility: NewVisibility | None = None
    last_known_update: (
        Annotated[
            Time, Field(description="last_updated of what was read: the call fails if the fragment was saved since")
        ]
        | None
    ) = None

    async def subject(self, app: AppClient) -> str:
        return await fragment_name(app, self.fragment_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        fragment = await app.get_fragment(self.fragment_id)
        # A large configuration takes so long to be read that others would wait for it.
        stored = await anyio.to_thread.run_sync(_stored, fragment)
        users, edit = await asyncio.gather(_users(app, fragment), config_change(app, stored, self.config, "config"))
        visibility = self.visibility
        if visibility is None and self.public is not None:
            visibility = "public" if self.public else "private"
        shown_to = visibility_change(fragment.visibility.value, visibility)
        lines = [
            *shown_to,
            *stale(self.last_known_update, fragment.last_updated),
            *change("Name", fragment.name, self.name),
            *users.lines,
            *(["Those that name one fixed version of it keep that one."] if self.config is not None else []),
            *edit.lines,
        ]
        access = [Consequence(Risk.ACCESS, "VISIBILITY", visibility or "")] if shown_to else []
        return _called(fragment).preview(
            self,
            lines,
            consequences=[*access, *edit.consequences],
            bound=(*users.bound, *edit.bound, *state_of(fragment.proto.fragment)),
            now=users.now,
            last_known_update=earlier(self.last_known_update, fragment.last_updated),
        )

    async def run(self, app: AppClient) -> Fragment:
        visibility = None if self.visibility is None else Fragment.Visibility(self.visibility)
        config, known = self.config, self.last_known_update
        if lacks(config):
            fragment = await app.get_fragment(self.fragment_id)
            config = _stored(fragment).whole(config, "config")
            # What is put back is what was stored when it was read, so nobody may have saved it since.
            known = earlier(known, fragment.last_updated)
        return await app.update_fragment(
            self.fragment_id, self.name, config, self.public, visibility, last_known_update=known
        )


class DeleteFragment(Tool, toolset="fragments", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a fragment, even one in use: machines that name it lose what it configured. This cannot be
    undone."""

    fragment_id: FragmentId

    async def subject(self, app: AppClient) -> str:
        return await fragment_name(app, self.fragment_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        fragment = await app.get_fragment(self.fragment_id)
        users = await _users(app, fragment)
        created = f"It was created on {day(fragment.proto.created_on)}."
        lines = [*users.lines, f"They lose what it configures. {GONE_FOR_GOOD}", created]
        deletes = Consequence(Risk.DELETIONS, "DELETES IT", users.lines[0])
        bound = (*users.bound, *state_of(fragment.proto))
        return _called(fragment).preview(self, lines, consequences=[deletes], bound=bound, now=users.now)

    async def run(self, app: AppClient) -> None:
        await app.delete_fragment(self.fragment_id)


class GetFragmentHistory(ListTool, toolset="fragments", core=True, returns=Many(history=wire.FragmentHistoryEntry)):
    """List the edits of a fragment, newest first: who, when, and the fragment as it was before."""

    id: FragmentId
    page_token: Annotated[str, Field(description="Of the service; to go on use cursor")] | None = ""
    page_limit: Annotated[int, Field(ge=1, le=100, description="Entries a page of the service")] | None = 10

    async def page(self, app: AppClient, token: str, limit: int) -> Page[FragmentHistoryEntry]:
        return await app.get_fragment_history(self.id, token or self.page_token, self.page_limit)


def _stored(fragment: Fragment) -> Stored:
    """The configuration that a fragment holds, as it is and as it is shown."""
    return Stored(fragment.fragment or {}, encode(fragment.proto).get("fragment", {}))


def _called(fragment: Fragment) -> Called:
    owner = (fragment.organization_name, fragment.organization_owner)
    return Called(
        what=f"{named('fragment', fragment.name, fragment.id)} of {named('organization', *owner)}",
        title=brief("fragment", fragment.name),
        where=f"of {brief('organization', owner[0])}",
        subject=fragment.name,
    )


class _Users(NamedTuple):
    """What a change of a fragment reaches.

    Attributes:
        lines: Which machines and fragments use it.
        bound: What a confirmation is bound to: which these are.
        now: How many are online.
    """

    lines: list[str]
    bound: tuple[str, ...]
    now: tuple[str, ...]


async def _users(app: AppClient, fragment: Fragment) -> _Users:
    org_id = fragment.organization_owner
    including = _including(fragment.id, await app.list_fragments(org_id, visibilities=VISIBILITIES))
    details, places = await asyncio.gather(
        app.fragment_details(fragment.id),
        app.list_machine_summaries(
            org_id, fragment_ids=[fragment.id, *(outer.id for outer in including)], limit=_MOST_MACHINES
        ),
    )
    machines = [machine for place in places for machine in place.machine_summaries]
    reached = {fragment.id, *(outer.id for outer in including)}
    parts = sum(
        any(used.id in reached for used in part.fragments) for machine in machines for part in machine.part_summaries
    )
    online = sum(any(online_state(part) == "online" for part in machine.part_summaries) for machine in machines)
    lines = [f"Used on {count(parts, 'part')} of {counted('machine', (machine.machine_name for machine in machines))}"]
    if len(machines) == _MOST_MACHINES:
        lines = [f"Used on at least {count(parts, 'part')} of at least {count(len(machines), 'machine')}."]
    if including:
        lines.append(f"Part of {counted('other fragment', (outer.name for outer in including))}")
    usage = details.fragment_usage
    if usage.organizations:
        # Another organization's machines are not listed to this one: they are counted.
        lines.append(
            f"Over all organizations, {count(usage.machines, 'machine')} of "
            f"{count(usage.organizations, 'organization')} name it."
        )
    now = (f"Of the {count(len(machines), 'machine')}, {online:,} are online.",) if machines else ()
    return _Users(lines, state_of(*(machine.machine_id for machine in machines), *reached), now)


def _including(fragment_id: str, fragments: Sequence[Fragment]) -> list[Fragment]:
    """The fragments that include one, in themselves or through others."""
    names = {fragment.id: {ref.id for ref in named_in(fragment.fragment or {})} for fragment in fragments}
    reached, found = {fragment_id}, [fragment_id]
    while found:
        inner = found.pop()
        outer = [outside for outside, inside in names.items() if inner in inside and outside not in reached]
        reached.update(outer)
        found += outer
    return [fragment for fragment in fragments if fragment.id in reached - {fragment_id}]
