from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import named, refused, role
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from tests.sandbox.client import Calls
    from viam_mcp.sandbox import Sandbox

NEWCOMER = "newcomer@example.com"


@pytest.fixture
def tidewater(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.TIDEWATER)


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)


async def test_members_and_invites_are_listed_with_what_they_hold(call: Calls, kestrel: str) -> None:
    found = await call("ListOrganizationMembers", organization_id=kestrel)

    assert [list(member.emails) for member in found.members] == [
        ["jo.abara@kestrel.example"],
        ["lena.fischer@kestrel.example"],
    ]
    assert [invite.email for invite in found.invites] == ["intern@kestrel.example"]
    assert {held.authorization_id for held in found.invites[0].authorizations} == {
        "robot_operator",
        "location_operator",
    }


async def test_an_invite_without_authorizations_makes_an_owner(call: Calls, kestrel: str) -> None:
    invite = (await call("CreateOrganizationInvite", organization_id=kestrel, email="New.Comer@Example.com")).invite

    assert invite.email == "new.comer@example.com"
    assert [held.authorization_id for held in invite.authorizations] == ["organization_owner"]
    assert invite.authorizations[0].resource_id == kestrel


async def test_who_is_a_member_or_invited_is_not_invited(call: Calls, kestrel: str) -> None:
    with refused(Status.ALREADY_EXISTS, "is a member"):
        await call("CreateOrganizationInvite", organization_id=kestrel, email="jo.abara@kestrel.example")
    with refused(Status.ALREADY_EXISTS, "has an invite", "resend"):
        await call("CreateOrganizationInvite", organization_id=kestrel, email="intern@kestrel.example")
    with refused(Status.INVALID_ARGUMENT, "email"):
        await call("CreateOrganizationInvite", organization_id=kestrel, email="not an address")


async def test_an_invite_holds_one_authorization_on_each_level(sandbox: Sandbox, call: Calls, tidewater: str) -> None:
    first, second = named(sandbox, "locations", "Warehouse 1"), named(sandbox, "locations", "Warehouse 2")
    on_first, on_second = role(tidewater, "location", first), role(tidewater, "location", second, "operator")

    with refused(Status.INVALID_ARGUMENT, "same level"):
        await call(
            "CreateOrganizationInvite", organization_id=tidewater, email=NEWCOMER, authorizations=[on_first, on_second]
        )
    await call("CreateOrganizationInvite", organization_id=tidewater, email=NEWCOMER, authorizations=[on_first])
    about = {"organization_id": tidewater, "email": NEWCOMER}
    with refused(Status.FAILED_PRECONDITION, "several authorizations on location level"):
        await call("UpdateOrganizationInviteAuthorizations", **about, add_authorizations=[on_second])

    changed = await call(
        "UpdateOrganizationInviteAuthorizations",
        **about,
        add_authorizations=[on_second],
        remove_authorizations=[on_first],
    )

    assert [(held.authorization_id, held.resource_id) for held in changed.invite.authorizations] == [
        ("location_operator", second)
    ]


async def test_an_invite_keeps_at_least_one_authorization(sandbox: Sandbox, call: Calls, kestrel: str) -> None:
    about = {"organization_id": kestrel, "email": NEWCOMER}
    await call("CreateOrganizationInvite", **about)

    with refused(Status.INVALID_ARGUMENT, "both empty"):
        await call("UpdateOrganizationInviteAuthorizations", **about)
    with refused(Status.FAILED_PRECONDITION, "would hold nothing"):
        await call(
            "UpdateOrganizationInviteAuthorizations",
            **about,
            remove_authorizations=[role(kestrel, "organization", kestrel)],
        )
    with refused(Status.FAILED_PRECONDITION, "does not hold"):
        await call(
            "UpdateOrganizationInviteAuthorizations",
            **about,
            remove_authorizations=[role(kestrel, "location", named(sandbox, "locations", "Bench A"))],
        )


async def test_an_invite_to_one_organization_grants_nothing_in_another(
    call: Calls, kestrel: str, tidewater: str
) -> None:
    with refused(Status.INVALID_ARGUMENT, tidewater):
        await call(
            "CreateOrganizationInvite",
            organization_id=kestrel,
            email=NEWCOMER,
            authorizations=[role(tidewater, "organization", tidewater)],
        )
    with refused(Status.INVALID_ARGUMENT, "does not belong"):
        await call(
            "CreateOrganizationInvite",
            organization_id=kestrel,
            email=NEWCOMER,
            authorizations=[role(kestrel, "organization", tidewater)],
        )


async def test_an_invite_is_sent_again_or_taken_back(call: Calls, kestrel: str) -> None:
    about = {"organization_id": kestrel, "email": "intern@kestrel.example"}

    assert len((await call("ResendOrganizationInvite", **about)).invite.authorizations) == 2
    await call("DeleteOrganizationInvite", **about)

    assert not (await call("ListOrganizationMembers", organization_id=kestrel)).invites
    for rpc in ("ResendOrganizationInvite", "DeleteOrganizationInvite"):
        with refused(Status.NOT_FOUND, "pending invite"):
            await call(rpc, **about)


async def test_a_removed_member_loses_all_roles_in_that_organization_only(
    sandbox: Sandbox, call: Calls, tidewater: str, kestrel: str
) -> None:
    user_id = (await call("GetUserIDByEmail", email="jo.abara@kestrel.example")).user_id

    await call("DeleteOrganizationMember", organization_id=tidewater, user_id=user_id)

    held = sandbox.store.all("SELECT org_id FROM authorizations WHERE identity_id = ?", user_id)
    assert [row["org_id"] for row in held] == [kestrel]
    with refused(Status.NOT_FOUND, "member"):
        await call("DeleteOrganizationMember", organization_id=tidewater, user_id=user_id)


async def test_the_last_owner_is_not_removed(call: Calls, kestrel: str) -> None:
    user_id = (await call("GetUserIDByEmail", email="jo.abara@kestrel.example")).user_id

    with refused(Status.FAILED_PRECONDITION, "without an owner"):
        await call("DeleteOrganizationMember", organization_id=kestrel, user_id=user_id)
    assert len((await call("ListOrganizationMembers", organization_id=kestrel)).members) == 2
