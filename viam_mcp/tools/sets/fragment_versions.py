"""Fragments by version: who uses which, what they resolve to, and their tags."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import anyio.to_thread
from pydantic import Field

from viam_mcp.app import Page
from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._nested import FragmentVersion
from viam_mcp.tools.arguments._types import FragmentId, MachineId, Name
from viam_mcp.tools.previews._configuration import config_change
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, fragment_name, named, quoted
from viam_mcp.tools.previews._wording import UNCHANGED, Called, count, exact, state_of
from viam_mcp.tools.redaction._configs import Stored
from viam_mcp.tools.results._encode import encode
from viam_mcp.tools.results._output import Done, Many

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

_RESOLVED = Many(fragments=wire.Fragment, resolved_fragments=wire.ResolvedFragment)
_Versions = Annotated[list[FragmentVersion], Field(max_length=100)]


class GetFragmentUsage(ListTool, toolset="fragments", returns=Many(version_usages=wire.FragmentUsage)):
    """Count the machines and organizations that use a fragment, for each version that they name; without version
    are those that follow the latest."""

    fragment_id: FragmentId

    async def run(self, app: AppClient) -> list[wire.FragmentUsage]:
        return await app.get_fragment_usage(self.fragment_id)


class ListNestedFragments(ListTool, toolset="fragments", returns=_RESOLVED):
    """Resolve fragments: every fragment in them, however deep, and the configuration that each makes, or why it makes
    none. Name one by fragment_id, or several at the versions that are meant."""

    fragment_id: FragmentId | None = None
    additional_fragments: _Versions = Field(default_factory=list)

    async def page(self, app: AppClient, token: str, limit: int) -> Page[Any]:
        more = [one.message() for one in self.additional_fragments]
        return _both(await app.list_nested_fragments(self.fragment_id, more))


class ListMachineFragments(ListTool, toolset="fragments", returns=_RESOLVED):
    """Resolve the fragments that a machine's parts use, with those in them: what each configures there. Others
    can be resolved besides, to compare."""

    machine_id: MachineId
    additional_fragment_ids: Annotated[list[FragmentId], Field(max_length=100)] = Field(default_factory=list)
    additional_fragments: _Versions = Field(default_factory=list)

    async def page(self, app: AppClient, token: str, limit: int) -> Page[Any]:
        more = [one.message() for one in self.additional_fragments]
        return _both(await app.list_machine_fragments(self.machine_id, self.additional_fragment_ids, more))


class _OneTag(Tool):
    """The arguments of the tools that take one tag of a fragment."""

    fragment_id: FragmentId
    tag: Name

    async def subject(self, app: AppClient) -> str:
        return f"tag {quoted(self.tag)} of {await fragment_name(app, self.fragment_id)}"

    async def _tagged(self, app: AppClient) -> _Tagged:
        details, usages = await asyncio.gather(
            app.fragment_details(self.fragment_id), app.get_fragment_usage(self.fragment_id)
        )
        followers = next((usage for usage in usages if usage.version == self.tag), wire.FragmentUsage())
        fragment = details.fragment
        owner = (fragment.organization_name, fragment.organization_owner)
        called = Called(
            what=f"{named('fragment', fragment.name, fragment.id)} of {named('organization', *owner)}",
            title=brief("fragment", fragment.name),
            where=f"of {brief('organization', owner[0])}",
            subject=fragment.name,
        )
        return _Tagged(
            called.of(f"tag {quoted(self.tag)}"),
            next((one.revision for one in details.tags if one.tag == self.tag), None),
            f"It is followed by {count(followers.machines, 'machine')} of "
            f"{count(followers.organizations, 'organization')}.",
        )


class SetFragmentTag(
    _OneTag,
    toolset="fragments",
    effect=Effect.DESTRUCTIVE,
    risks=(Risk.EMPTIES,),
    returns=Done("Set {subject}."),
):
    """Put a tag on a revision of a fragment, in place of the revision that has it. Machines that follow the tag
    get that configuration within seconds."""

    revision: Name

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        tagged, new = await asyncio.gather(self._tagged(app), app.get_fragment(self.fragment_id, self.revision))
        if tagged.revision == self.revision:
            return tagged.called.preview(self, [UNCHANGED, tagged.followers])
        stored, old = Stored({}, {}), "none"
        if tagged.revision is not None:
            present, old = await app.get_fragment(self.fragment_id, tagged.revision), exact(tagged.revision)
            # A large configuration takes so long to be read that others would wait for it.
            shown = await anyio.to_thread.run_sync(encode, present.proto)
            stored = Stored(present.fragment or {}, shown.get("fragment", {}))
        edit = await config_change(app, stored, new.fragment or {}, "revision")
        lines = [f"Revision: {old} → {exact(self.revision, sent=True)}.", tagged.followers, *edit.lines]
        bound = (*edit.bound, *state_of(new.proto.fragment))
        return tagged.called.preview(self, lines, consequences=edit.consequences, bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.set_fragment_tag(self.fragment_id, self.tag, self.revision)


class DeleteFragmentTag(_OneTag, toolset="fragments", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a tag of a fragment. Machines that follow the tag lose what the fragment configured."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        tagged = await self._tagged(app)
        if tagged.revision is None:
            return tagged.called.preview(self, ["There is no such tag."])
        lines = [tagged.followers, f"It is on revision {exact(tagged.revision)}, which stays."]
        deletes = Consequence(Risk.DELETIONS, "DELETES THE TAG", tagged.followers)
        return tagged.called.preview(self, lines, consequences=[deletes])

    async def run(self, app: AppClient) -> None:
        await app.delete_fragment_tag(self.fragment_id, self.tag)


class _Tagged(NamedTuple):
    """A tag of a fragment.

    Attributes:
        called: What to call it.
        revision: The revision that it is on; None if there is no such tag.
        followers: The line that says how many machines follow it.
    """

    called: Called
    revision: str | None
    followers: str


def _both(reply: wire.ListNestedFragmentsResponse | wire.ListMachineFragmentsResponse) -> Page[Any]:
    """Return the items of both lists, each with the name of its list."""
    resolved = [("resolved_fragments", one) for one in reply.resolved_fragments]
    return Page([*resolved, *(("fragments", one) for one in reply.fragments)])
