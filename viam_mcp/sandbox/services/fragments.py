"""Fragments: configurations that many machines share, with their revisions, tags and history."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc, set_time
from viam_mcp.sandbox.rules import access, config, fragment_references, names
from viam_mcp.sandbox.rules.history import FRAGMENTS, edit_time, editor

if TYPE_CHECKING:
    import sqlite3

    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = ["FragmentRpcs", "message"]

_TAG = re.compile(r"[a-uw-z_-][a-z0-9_-]{0,59}")
_PUBLIC = (app.FRAGMENT_VISIBILITY_PUBLIC, app.FRAGMENT_VISIBILITY_PUBLIC_UNLISTED)

_USES = """
FROM fragment_uses AS uses JOIN parts ON parts.id = uses.part_id JOIN robots ON robots.id = parts.robot_id
JOIN locations ON locations.id = robots.location_id WHERE uses.fragment_id = ?
"""
_USAGE = """
COUNT(DISTINCT locations.org_id) AS organizations, COUNT(DISTINCT robots.id) AS machines,
COUNT(DISTINCT CASE WHEN locations.org_id = ? THEN robots.id END) AS machines_here
"""


class FragmentRpcs:
    """The rpcs about fragments."""

    @rpc("ListFragments")
    def list(self, call: IncomingCall, request: app.ListFragmentsRequest) -> app.ListFragmentsResponse:
        organization = access.organization(call, request.organization_id, "visible")
        wanted = set(request.fragment_visibility) - {app.FRAGMENT_VISIBILITY_UNSPECIFIED}
        if not wanted:
            # The deprecated switch is one or the other: only public fragments, or only private ones.
            wanted = {app.FRAGMENT_VISIBILITY_PUBLIC if request.show_public else app.FRAGMENT_VISIBILITY_PRIVATE}
        # Public fragments of all organizations are listed; others only in their own organization.
        rows = [
            row
            for row in call.store.all("SELECT * FROM fragments ORDER BY name, id")
            if row["visibility"] in wanted
            and (row["org_id"] == organization["id"] or row["visibility"] == app.FRAGMENT_VISIBILITY_PUBLIC)
        ]
        return app.ListFragmentsResponse(
            fragments=[message(call.store, row) for row in rows],
            fragment_usages=[_usage(call.store, row["id"], organization["id"]) for row in rows],
        )

    @rpc("GetFragment")
    def get(self, call: IncomingCall, request: app.GetFragmentRequest) -> app.GetFragmentResponse:
        row = access.fragment(call, request.id)
        revisions = call.store.all(
            "SELECT revision, created_at FROM fragment_revisions WHERE fragment_id = ? ORDER BY seq DESC", row["id"]
        )
        organization_id = row["org_id"]
        if request.current_organization_id:
            organization_id = access.organization(call, request.current_organization_id, "visible")["id"]
        response = app.GetFragmentResponse(
            fragment=message(call.store, row, _revision(call.store, row, request.version) if request.version else None),
            fragment_usage=_usage(call.store, row["id"], organization_id),
            tags=_tags(call.store, row["id"]),
        )
        for revision in revisions:
            entry = response.revisions.add(revision=revision["revision"])
            set_time(entry.created_at, revision["created_at"])
        return response

    @rpc("CreateFragment")
    def create(self, call: IncomingCall, request: app.CreateFragmentRequest) -> app.CreateFragmentResponse:
        organization = access.organization(call, request.organization_id, "owner")
        visibility = request.visibility or app.FRAGMENT_VISIBILITY_PRIVATE
        text = config.text_of(request.config)
        name = names.label(request.name, "fragment")
        _refuse_taken(call.store, organization["id"], name)
        _refuse_without_namespace(organization, visibility)
        fragment_references.refuse_unusable(call, text, before="{}")
        fragment_id, created_on = call.store.new_uuid(), edit_time(0, call.now)
        call.store.insert(
            "fragments",
            id=fragment_id,
            org_id=organization["id"],
            name=name,
            visibility=visibility,
            created_on=created_on,
            last_updated=created_on,
            revision="",
        )
        _save(call.store, fragment_id, text, created_on)
        fragment_references.refuse_nesting(call, fragment_id)
        return app.CreateFragmentResponse(fragment=message(call.store, access.fragment(call, fragment_id)))

    @rpc("UpdateFragment")
    def update(self, call: IncomingCall, request: app.UpdateFragmentRequest) -> app.UpdateFragmentResponse:
        row = access.fragment(call, request.id, "owner")
        FRAGMENTS.refuse_stale(call, row, request)
        if names.label(request.name, "fragment") != row["name"]:
            _refuse_taken(call.store, row["org_id"], request.name)
        visibility = _visibility(request, row["visibility"])
        if visibility != row["visibility"]:
            _refuse_without_namespace(access.organization(call, row["org_id"], "owner"), visibility)
        text = config.requested(request, "config", "fragment_config_json") or row["config_json"]
        fragment_references.refuse_unusable(call, text, row["config_json"])
        edited_on = edit_time(row["last_updated"], call.now)
        FRAGMENTS.record(call, row["id"], edited_on, message(call.store, row))
        sql = "UPDATE fragments SET name = ?, visibility = ? WHERE id = ?"
        call.store.run(sql, request.name, visibility, row["id"])
        _save(call.store, row["id"], text, edited_on)
        fragment_references.refuse_nesting(call, row["id"])
        return app.UpdateFragmentResponse(fragment=message(call.store, access.fragment(call, row["id"])))

    @rpc("DeleteFragment")
    def delete(self, call: IncomingCall, request: app.DeleteFragmentRequest) -> app.DeleteFragmentResponse:
        row = access.fragment(call, request.id, "owner")
        call.store.run("DELETE FROM fragments WHERE id = ?", row["id"])
        return app.DeleteFragmentResponse()

    @rpc("GetFragmentHistory")
    def history(self, call: IncomingCall, request: app.GetFragmentHistoryRequest) -> app.GetFragmentHistoryResponse:
        fragment = access.fragment(call, request.id)
        if not access.holds(call, "visible", "organization", fragment["org_id"]):
            # The history of a public fragment may hold states from when it was private.
            raise Refusal(
                Status.PERMISSION_DENIED,
                f"the history of the fragment {fragment['name']!r} is for members of its organization",
            )
        limit = request.page_limit if request.HasField("page_limit") else None
        rows, token = FRAGMENTS.page(call.store, fragment["id"], request.page_token, limit)
        response = app.GetFragmentHistoryResponse(next_page_token=token)
        for row in rows:
            entry = response.history.add(fragment=fragment["id"], edited_by=editor(call.store, row))
            entry.old.ParseFromString(row["old"])
            set_time(entry.edited_on, row["edited_on"])
            # `old` is the state before the edit; `revision` and `config` are the state after it.
            made = call.store.one(
                "SELECT revision, config_json FROM fragment_revisions WHERE fragment_id = ? AND created_at = ?",
                fragment["id"],
                row["edited_on"],
            )
            if made:
                entry.revision = made["revision"]
                config.fill(entry.config, made["config_json"])
        return response

    @rpc("GetFragmentUsage")
    def usage(self, call: IncomingCall, request: app.GetFragmentUsageRequest) -> app.GetFragmentUsageResponse:
        row = access.fragment(call, request.fragment_id)
        # The request names no current organization. The fragment's own is the likely one.
        versions = call.store.all(
            f"SELECT uses.version, {_USAGE} {_USES} GROUP BY uses.version ORDER BY uses.version",
            row["org_id"],
            row["id"],
        )
        return app.GetFragmentUsageResponse(
            version_usages=[_usage_message(row["id"], version, version["version"]) for version in versions]
        )

    @rpc("SetFragmentTag")
    def set_tag(self, call: IncomingCall, request: app.SetFragmentTagRequest) -> app.SetFragmentTagResponse:
        row = access.fragment(call, request.fragment_id, "owner")
        if not _TAG.fullmatch(request.tag):
            raise invalid(
                f"the tag {access.quoted(request.tag)} is not allowed: it needs 1 to 60 lowercase letters, digits, '-' "
                "or '_', and does not start with a digit or 'v', which revisions could be taken for"
            )
        revision = _revision(call.store, row, request.revision)["revision"]
        call.store.run("DELETE FROM fragment_tags WHERE fragment_id = ? AND tag = ?", row["id"], request.tag)
        call.store.insert("fragment_tags", fragment_id=row["id"], tag=request.tag, revision=revision)
        return app.SetFragmentTagResponse(tags=_tags(call.store, row["id"]))

    @rpc("DeleteFragmentTag")
    def delete_tag(self, call: IncomingCall, request: app.DeleteFragmentTagRequest) -> app.DeleteFragmentTagResponse:
        row = access.fragment(call, request.fragment_id, "owner")
        if not call.store.run("DELETE FROM fragment_tags WHERE fragment_id = ? AND tag = ?", row["id"], request.tag):
            raise not_found(f"on the fragment {row['name']!r} ({row['id']}), the tag", request.tag)
        return app.DeleteFragmentTagResponse(tags=_tags(call.store, row["id"]))


def message(store: FleetStore, row: sqlite3.Row, revision: sqlite3.Row | None = None) -> app.Fragment:
    """Return a row of `fragments` as its message, as it is now or as it was at a row of `fragment_revisions`."""
    state = revision or row
    organization = store.all("SELECT name, public_namespace FROM organizations WHERE id = ?", row["org_id"])[0]
    used_by = store.all(
        "SELECT COUNT(*) AS parts, COUNT(DISTINCT locations.org_id) AS organizations, "
        f"COUNT(CASE WHEN locations.org_id <> ? THEN 1 END) AS elsewhere {_USES}",
        row["org_id"],
        row["id"],
    )[0]
    fragment = app.Fragment(
        id=row["id"],
        name=row["name"],
        organization_owner=row["org_id"],
        organization_name=organization["name"],
        public_namespace=organization["public_namespace"] or None,
        public=row["visibility"] == app.FRAGMENT_VISIBILITY_PUBLIC,
        visibility=row["visibility"],
        robot_part_count=used_by["parts"],
        organization_count=used_by["organizations"],
        only_used_by_owner=not used_by["elsewhere"],
        revision=state["revision"],
        fragment_config_json=state["config_json"],
    )
    config.fill(fragment.fragment, state["config_json"])
    set_time(fragment.created_on, row["created_on"])
    set_time(fragment.last_updated, row["last_updated"])
    return fragment


def _save(store: FleetStore, fragment_id: str, text: str, saved_at: int) -> None:
    """Store a configuration as the newest revision. Revisions are numbered, which no tag can be mistaken for."""
    revision = str(1 + store.value("SELECT COUNT(*) FROM fragment_revisions WHERE fragment_id = ?", fragment_id))
    store.insert(
        "fragment_revisions", fragment_id=fragment_id, revision=revision, created_at=saved_at, config_json=text
    )
    sql = "UPDATE fragments SET config_json = ?, last_updated = ?, revision = ? WHERE id = ?"
    store.run(sql, text, saved_at, revision, fragment_id)


def _revision(store: FleetStore, row: sqlite3.Row, version: str) -> sqlite3.Row:
    found = fragment_references.revision(store, row["id"], version)
    if found is None:
        raise not_found(f"on the fragment {row['name']!r} ({row['id']}), the revision or tag", version)
    return found


def _tags(store: FleetStore, fragment_id: str) -> list[app.FragmentTag]:
    rows = store.all("SELECT tag, revision FROM fragment_tags WHERE fragment_id = ? ORDER BY tag", fragment_id)
    return [app.FragmentTag(tag=row["tag"], revision=row["revision"]) for row in rows]


def _usage(store: FleetStore, fragment_id: str, org_id: str) -> app.FragmentUsage:
    """Return the usage of a fragment at all versions together; "here" is in one organization."""
    row = store.all(f"SELECT {_USAGE} {_USES}", org_id, fragment_id)[0]
    return _usage_message(fragment_id, row)


def _usage_message(fragment_id: str, row: sqlite3.Row, version: str | None = None) -> app.FragmentUsage:
    return app.FragmentUsage(
        fragment_id=fragment_id,
        organizations=row["organizations"],
        machines=row["machines"],
        machines_in_current_org=row["machines_here"],
        version=version,
    )


def _visibility(request: app.UpdateFragmentRequest, present: int) -> int:
    """Return the visibility that an update asks for. The deprecated switch counts only without the other field."""
    if request.visibility != app.FRAGMENT_VISIBILITY_UNSPECIFIED:
        return request.visibility
    if request.HasField("public"):
        return app.FRAGMENT_VISIBILITY_PUBLIC if request.public else app.FRAGMENT_VISIBILITY_PRIVATE
    return present


def _refuse_without_namespace(organization: sqlite3.Row, visibility: int) -> None:
    if visibility in _PUBLIC and not organization["public_namespace"]:
        raise conflict(
            f"the organization {organization['name']!r} has no public namespace, which public fragments need: set one "
            "with update_organization first"
        )


def _refuse_taken(store: FleetStore, org_id: str, name: str) -> None:
    taken = store.one("SELECT id FROM fragments WHERE org_id = ? AND name = ?", org_id, name)
    if taken:
        raise Refusal(
            Status.ALREADY_EXISTS,
            f"the organization {org_id} has a fragment named {name!r} already ({taken['id']}): choose another name",
        )
