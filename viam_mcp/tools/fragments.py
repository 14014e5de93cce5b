"""Fragments: configuration that many machines share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.app import Fragment, Page
from viam_mcp.proto import app as wire
from viam_mcp.tools._base import Effect, ListTool, Tool
from viam_mcp.tools._names import fragment_name
from viam_mcp.tools._output import Done, Many, One
from viam_mcp.tools._types import Config, FragmentId, Name, OrganizationId, Time, Visibility

if TYPE_CHECKING:
    from viam_mcp.app import AppClient, FragmentHistoryEntry


class ListFragments(ListTool, toolset="fragments", returns=Many(fragments=wire.Fragment)):
    """List an organization's fragments with their configurations and how many parts use each;
    fields=["id","name"] keeps it short. Say which by visibilities; without them, public ones are listed, or
    private ones if show_public is false."""

    org_id: OrganizationId
    show_public: Annotated[bool, Field(description="Deprecated, use visibilities")] = True
    visibilities: list[Visibility] | None = None

    async def run(self, app: AppClient) -> list[Fragment]:
        chosen = None if self.visibilities is None else [Fragment.Visibility(item) for item in self.visibilities]
        return await app.list_fragments(self.org_id, self.show_public, chosen)


class GetFragment(Tool, toolset="fragments", returns=One("fragment", wire.Fragment)):
    """Get one fragment: its configuration, who may see it, how many parts and organizations use it, and
    last_updated, which update_fragment takes as last_known_update."""

    fragment_id: FragmentId
    version: Annotated[str, Field(description="A revision or a tag; the latest if left out")] | None = None

    async def run(self, app: AppClient) -> Fragment:
        return await app.get_fragment(self.fragment_id, self.version)


class CreateFragment(Tool, toolset="fragments", effect=Effect.WRITE, returns=One("fragment", wire.Fragment)):
    """Create a private fragment. No machine uses it until its configuration names it. Returns the fragment with
    its id."""

    org_id: OrganizationId
    name: Name
    config: Config | None = None

    async def run(self, app: AppClient) -> Fragment:
        return await app.create_fragment(self.org_id, self.name, self.config)


class UpdateFragment(Tool, toolset="fragments", effect=Effect.DESTRUCTIVE, returns=One("fragment", wire.Fragment)):
    """Rename a fragment and, where given, replace its whole configuration or change who may see it. A new
    configuration reaches every machine that follows the fragment. Read it with get_fragment first. Returns it
    as it is then."""

    fragment_id: FragmentId
    name: Name
    config: Config | None = None
    public: Annotated[bool, Field(description="Deprecated, use visibility")] | None = None
    visibility: Visibility | None = None
    last_known_update: (
        Annotated[
            Time, Field(description="last_updated of what was read: the call fails if the fragment was saved since")
        ]
        | None
    ) = None

    async def subject(self, app: AppClient) -> str:
        return await fragment_name(app, self.fragment_id)

    async def run(self, app: AppClient) -> Fragment:
        visibility = None if self.visibility is None else Fragment.Visibility(self.visibility)
        return await app.update_fragment(
            self.fragment_id, self.name, self.config, self.public, visibility, last_known_update=self.last_known_update
        )


class DeleteFragment(Tool, toolset="fragments", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a fragment, even one in use: machines that name it lose what it configured. This cannot be
    undone."""

    fragment_id: FragmentId

    async def subject(self, app: AppClient) -> str:
        return await fragment_name(app, self.fragment_id)

    async def run(self, app: AppClient) -> None:
        await app.delete_fragment(self.fragment_id)


class GetFragmentHistory(ListTool, toolset="fragments", returns=Many(history=wire.FragmentHistoryEntry)):
    """List the edits of a fragment, newest first: who, when, and the fragment as it was before."""

    id: FragmentId
    page_token: Annotated[str, Field(description="Of the service; to go on use cursor")] | None = ""
    page_limit: Annotated[int, Field(ge=1, le=100, description="Entries a page of the service")] | None = 10

    async def page(self, app: AppClient, token: str, limit: int) -> Page[FragmentHistoryEntry]:
        return await app.get_fragment_history(self.id, token or self.page_token, self.page_limit)
