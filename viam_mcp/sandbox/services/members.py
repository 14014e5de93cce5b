"""Members of organizations, and invites to become one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc, set_time
from viam_mcp.sandbox.rules import access, grants, names
from viam_mcp.sandbox.services.roles import keep_an_owner

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.sandbox.rules.grants import StoredGrant

__all__ = ["MemberRpcs"]


class MemberRpcs:
    """The rpcs about members and invites."""

    @rpc("ListOrganizationMembers")
    def list(
        self, call: IncomingCall, request: app.ListOrganizationMembersRequest
    ) -> app.ListOrganizationMembersResponse:
        organization = access.organization(call, request.organization_id)
        members = call.store.all(
            "SELECT users.*, date_added FROM members JOIN users ON users.id = user_id WHERE org_id = ? ORDER BY email",
            organization["id"],
        )
        invites = call.store.all("SELECT * FROM invites WHERE org_id = ? ORDER BY email", organization["id"])
        return app.ListOrganizationMembersResponse(
            organization_id=organization["id"],
            members=[_member(row) for row in members],
            invites=[_invite(call.store, row) for row in invites],
        )

    @rpc("DeleteOrganizationMember")
    def delete(
        self, call: IncomingCall, request: app.DeleteOrganizationMemberRequest
    ) -> app.DeleteOrganizationMemberResponse:
        organization = access.organization(call, request.organization_id, "owner")
        user_id = access.uuid(request.user_id, "user_id")
        removed = call.store.run("DELETE FROM members WHERE org_id = ? AND user_id = ?", organization["id"], user_id)
        if not removed:
            raise not_found(f"in organization {organization['name']!r}, member", user_id)
        owned = grants.ownership(organization["id"]).take(call.store, user_id)
        if owned:
            keep_an_owner(call, organization["id"], "user")
        call.store.run("DELETE FROM authorizations WHERE org_id = ? AND identity_id = ?", organization["id"], user_id)
        return app.DeleteOrganizationMemberResponse()

    @rpc("CreateOrganizationInvite")
    def invite(
        self, call: IncomingCall, request: app.CreateOrganizationInviteRequest
    ) -> app.CreateOrganizationInviteResponse:
        organization = access.organization(call, request.organization_id, "owner")
        email = names.email(request.email)
        member = "SELECT 1 FROM members JOIN users ON users.id = user_id WHERE org_id = ? AND email = ?"
        if call.store.one(member, organization["id"], email):
            raise _exists(f"{email} is a member of organization {organization['name']!r} already")
        if call.store.one("SELECT 1 FROM invites WHERE org_id = ? AND email = ?", organization["id"], email):
            raise _exists(f"{email} has an invite to organization {organization['name']!r} already: resend it")
        wanted = _requested(call, organization, request.authorizations) or {grants.ownership(organization["id"])}
        # `send_email_invite` has no effect: the sandbox sends no e-mail.
        call.store.insert("invites", org_id=organization["id"], email=email, created_on=call.now)
        _hold(call.store, email, wanted)
        return app.CreateOrganizationInviteResponse(invite=_find(call, organization, email))

    @rpc("UpdateOrganizationInviteAuthorizations")
    def update_invite(
        self, call: IncomingCall, request: app.UpdateOrganizationInviteAuthorizationsRequest
    ) -> app.UpdateOrganizationInviteAuthorizationsResponse:
        organization = access.organization(call, request.organization_id, "owner")
        email = names.email(request.email)
        _find(call, organization, email)
        added = _requested(call, organization, request.add_authorizations)
        removed = _requested(call, organization, request.remove_authorizations)
        if not added and not removed:
            raise invalid("add_authorizations and remove_authorizations are both empty: nothing to change")
        held = {grants.grant(row) for row in grants.of(call.store, email, organization["id"])}
        if missing := removed - held:
            raise conflict(
                f"the invite of {email} does not hold {_words(missing)}: remove what it holds, {_words(held)}"
            )
        wanted = held - removed | added
        if not wanted:
            raise conflict(f"the invite of {email} would hold nothing: delete it, or add another authorization")
        levels = Counter(grant.resource_type for grant in wanted)
        if twice := [level for level, number in levels.items() if number > 1]:
            raise conflict(f"the invite of {email} would hold several authorizations on {twice[0]} level: remove one")
        for grant in held:
            grant.take(call.store, email)
        _hold(call.store, email, wanted)
        return app.UpdateOrganizationInviteAuthorizationsResponse(invite=_find(call, organization, email))

    @rpc("DeleteOrganizationInvite")
    def delete_invite(
        self, call: IncomingCall, request: app.DeleteOrganizationInviteRequest
    ) -> app.DeleteOrganizationInviteResponse:
        organization = access.organization(call, request.organization_id, "owner")
        email = names.email(request.email)
        _find(call, organization, email)
        for table, column in (("authorizations", "identity_id"), ("invites", "email")):
            call.store.run(f"DELETE FROM {table} WHERE org_id = ? AND {column} = ?", organization["id"], email)  # noqa: S608
        return app.DeleteOrganizationInviteResponse()

    @rpc("ResendOrganizationInvite")
    def resend_invite(
        self, call: IncomingCall, request: app.ResendOrganizationInviteRequest
    ) -> app.ResendOrganizationInviteResponse:
        organization = access.organization(call, request.organization_id, "owner")
        return app.ResendOrganizationInviteResponse(invite=_find(call, organization, names.email(request.email)))


def _requested(
    call: IncomingCall, organization: sqlite3.Row, authorizations: Iterable[app.Authorization]
) -> set[StoredGrant]:
    wanted = [grants.requested(call, authorization) for authorization in authorizations]
    for grant in wanted:
        if grant.org_id != organization["id"]:
            raise invalid(f"an authorization names organization {grant.org_id!r}, the invite {organization['id']!r}")
    levels = [grant.resource_type for grant in wanted]
    if len(levels) != len(set(levels)):
        raise invalid(
            "several authorizations on the same level: an invite holds one each on organization, location, robot"
        )
    return set(wanted)


def _hold(store: FleetStore, email: str, wanted: set[StoredGrant]) -> None:
    for grant in wanted:
        grant.give(store, email, "invite")


def _find(call: IncomingCall, organization: sqlite3.Row, email: str) -> app.OrganizationInvite:
    row = call.store.one("SELECT * FROM invites WHERE org_id = ? AND email = ?", organization["id"], email)
    if row is None:
        raise not_found(f"in organization {organization['name']!r}, a pending invite of", email)
    return _invite(call.store, row)


def _invite(store: FleetStore, row: sqlite3.Row) -> app.OrganizationInvite:
    held = grants.of(store, row["email"], row["org_id"])
    message = app.OrganizationInvite(
        organization_id=row["org_id"], email=row["email"], authorizations=[grants.message(grant) for grant in held]
    )
    set_time(message.created_on, row["created_on"])
    return message


def _member(row: sqlite3.Row) -> app.OrganizationMember:
    message = app.OrganizationMember(user_id=row["id"], emails=[row["email"]])
    set_time(message.date_added, row["date_added"])
    for name in ("last_login", "last_access"):
        if row[name] is not None:
            set_time(getattr(message, name), row[name])
    return message


def _words(held: Iterable[StoredGrant]) -> str:
    return ", ".join(sorted(f"{grant.role} of {grant.resource_type} {grant.resource_id}" for grant in held))


def _exists(message: str) -> Refusal:
    return Refusal(Status.ALREADY_EXISTS, message)
