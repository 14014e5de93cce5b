"""Fragments: configuration shared by many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viam_mcp.app.records._records import Fragment, FragmentHistoryEntry, Page
from viam_mcp.app.subjects._subject import Subject, build, struct, timestamp
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["FragmentMethods"]


class FragmentMethods(Subject):
    """Methods about fragments. A fragment is named by its id, a UUID."""

    async def list_fragments(
        self, org_id: str, show_public: bool = True, visibilities: Sequence[Fragment.Visibility] | None = None
    ) -> list[Fragment]:
        """List the fragments of an organization.

        Args:
            org_id: The organization.
            show_public: Public ones of all organizations (True) or the organization's private ones (False);
                superseded by `visibilities`.
            visibilities: Only fragments that are seen like this.
        """
        request = build(
            app.ListFragmentsRequest,
            organization_id=org_id,
            show_public=show_public,
            fragment_visibility=[visibility.to_proto() for visibility in visibilities or ()],
        )
        reply = await self._session.unary(self._stub.ListFragments, request)
        return [Fragment.from_proto(fragment) for fragment in reply.fragments]

    async def get_fragment(self, fragment_id: str, version: str | None = None) -> Fragment:
        """Get a fragment.

        Args:
            fragment_id: The fragment.
            version: A revision or a tag of it; None for the latest.
        """
        return Fragment.from_proto((await self.fragment_details(fragment_id, version)).fragment)

    async def fragment_details(self, fragment_id: str, version: str | None = None) -> app.GetFragmentResponse:
        """Get a fragment with its usage, its revisions and its tags.

        Args:
            fragment_id: The fragment.
            version: A revision or a tag of it; None for the latest.

        Returns:
            The whole answer of the server.
        """
        request = build(app.GetFragmentRequest, id=fragment_id, version=version)
        return await self._session.unary(self._stub.GetFragment, request)

    async def create_fragment(self, org_id: str, name: str, config: Mapping[str, Any] | None = None) -> Fragment:
        """Make a fragment that only its organization can see.

        Args:
            org_id: The organization.
            name: Its name, unique within the organization.
            config: Its configuration; None for none yet.

        Returns:
            The new fragment.

        Raises:
            InvalidArgument: Also before any call, for a configuration that JSON or the wire cannot carry.
        """
        request = build(
            app.CreateFragmentRequest,
            name=name,
            config=struct("CreateFragment", "config", config),
            organization_id=org_id,
        )
        return Fragment.from_proto((await self._session.unary(self._stub.CreateFragment, request)).fragment)

    async def update_fragment(
        self,
        fragment_id: str,
        name: str,
        config: Mapping[str, Any] | None = None,
        public: bool | None = None,
        visibility: Fragment.Visibility | None = None,
        last_known_update: datetime | None = None,
    ) -> Fragment:
        """Rename a fragment, and replace its configuration or change who sees it, as far as given.

        Every machine that uses its latest version gets the new configuration.

        Args:
            fragment_id: The fragment.
            name: Its name from now on.
            config: Its configuration from now on. None leaves it alone; {} makes it empty.
            public: Whether everybody may see it; superseded by `visibility`. None leaves it alone.
            visibility: Who may see it. None leaves it alone.
            last_known_update: Refuse if it has changed since this time, its `last_updated`; aware.

        Returns:
            The fragment as it is now.

        Raises:
            InvalidArgument: Also before any call, for a configuration that JSON or the wire cannot carry.
        """
        rpc = "UpdateFragment"
        request = build(
            app.UpdateFragmentRequest,
            id=fragment_id,
            name=name,
            config=struct(rpc, "config", config),
            public=public,
            visibility=None if visibility is None else visibility.to_proto(),
            last_known_update=timestamp(rpc, "last_known_update", last_known_update),
        )
        return Fragment.from_proto((await self._session.unary(self._stub.UpdateFragment, request)).fragment)

    async def delete_fragment(self, fragment_id: str) -> None:
        """Delete a fragment for good, even where machines use it.

        Args:
            fragment_id: The fragment.
        """
        await self._session.unary(self._stub.DeleteFragment, build(app.DeleteFragmentRequest, id=fragment_id))

    async def get_fragment_history(
        self, id: str, page_token: str | None = "", page_limit: int | None = 10
    ) -> Page[FragmentHistoryEntry]:
        """List the edits of a fragment, newest first.

        Args:
            id: The fragment.
            page_token: The `next_page_token` of the page before; None or "" for the first page.
            page_limit: At most so many; None leaves it to the server.

        Returns:
            The page, whose `next_page_token` is empty when it is the last.
        """
        request = build(app.GetFragmentHistoryRequest, id=id, page_token=page_token or None, page_limit=page_limit)
        reply = await self._session.unary(self._stub.GetFragmentHistory, request)
        return Page(map(FragmentHistoryEntry.from_proto, reply.history), reply.next_page_token)

    async def list_nested_fragments(
        self, fragment_id: str | None = None, additional_fragments: Sequence[app.AdditionalFragment] = ()
    ) -> app.ListNestedFragmentsResponse:
        """Resolve fragments: follow the fragments that they contain, however deep.

        Args:
            fragment_id: A fragment, at its latest version; None for none.
            additional_fragments: More fragments, each at the version that it names.

        Returns:
            The whole answer of the server: every fragment on the way, and for each fragment that was asked
            for its resolved configuration, or why it cannot be resolved.
        """
        request = build(
            app.ListNestedFragmentsRequest, fragment_id=fragment_id, additional_fragments=additional_fragments
        )
        return await self._session.unary(self._stub.ListNestedFragments, request)

    async def list_machine_fragments(
        self,
        machine_id: str,
        additional_fragment_ids: Sequence[str] = (),
        additional_fragments: Sequence[app.AdditionalFragment] = (),
    ) -> app.ListMachineFragmentsResponse:
        """Resolve the fragments that a machine's parts use.

        Args:
            machine_id: The machine.
            additional_fragment_ids: More fragments, at their latest version.
            additional_fragments: More fragments, each at the version that it names.

        Returns:
            The whole answer of the server: every fragment on the way, and for each fragment that is in use
            or was asked for its resolved configuration, or why it cannot be resolved.
        """
        request = build(
            app.ListMachineFragmentsRequest,
            machine_id=machine_id,
            additional_fragment_ids=additional_fragment_ids,
            additional_fragments=additional_fragments,
        )
        return await self._session.unary(self._stub.ListMachineFragments, request)

    async def get_fragment_usage(self, fragment_id: str) -> list[app.FragmentUsage]:
        """Count who uses a fragment, version by version.

        Args:
            fragment_id: The fragment.

        Returns:
            The counts for each version that machines name; the version is empty for the latest.
        """
        request = build(app.GetFragmentUsageRequest, fragment_id=fragment_id)
        return list((await self._session.unary(self._stub.GetFragmentUsage, request)).version_usages)

    async def set_fragment_tag(self, fragment_id: str, tag: str, revision: str) -> list[app.FragmentTag]:
        """Put a tag on a revision of a fragment, in place of the revision that had it.

        Every machine that uses the fragment at this tag gets that revision's configuration.

        Args:
            fragment_id: The fragment.
            tag: Lowercase letters, digits, `-` and `_`; it begins with neither a digit nor `v`.
            revision: The revision.

        Returns:
            All tags of the fragment.
        """
        request = build(app.SetFragmentTagRequest, fragment_id=fragment_id, tag=tag, revision=revision)
        return list((await self._session.unary(self._stub.SetFragmentTag, request)).tags)

    async def delete_fragment_tag(self, fragment_id: str, tag: str) -> list[app.FragmentTag]:
        """Take a tag from a fragment. Machines that use the fragment at this tag have no version of it then.

        Args:
            fragment_id: The fragment.
            tag: The tag.

        Returns:
            The tags that are left.
        """
        request = build(app.DeleteFragmentTagRequest, fragment_id=fragment_id, tag=tag)
        return list((await self._session.unary(self._stub.DeleteFragmentTag, request)).tags)
