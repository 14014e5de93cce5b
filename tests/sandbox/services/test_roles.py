from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import connected, named, refused, role
from viam_mcp.proto import app
from viam_mcp.sandbox.demo import fleet
from viam_mcp.sandbox.services.roles import PERMISSIONS

if TYPE_CHECKING:
    from tests.sandbox.client import Calls
    from viam_mcp.sandbox import Sandbox


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)


@pytest.fixture
async def lena(call: Calls) -> str:
    """A member who is operator of the organization and no more."""
    return str((await call("GetUserIDByEmail", email="lena.fischer@kestrel.example")).user_id)


async def held_by(call: Calls, kestrel: str, identity: str) -> set[str]:
    listed = (await call("ListAuthorizations", organization_id=kestrel)).authorizations
    return {held.authorization_id for held in listed if held.identity_id == identity}


async def test_a_role_is_added_listed_and_removed(sandbox: Sandbox, call: Calls, kestrel: str, lena: str) -> None:
    bench = role(kestrel, "location", named(sandbox, "locations", "Bench A"), "owner", lena)

    await call("AddRole", authorization=bench)
    assert await held_by(call, kestrel, lena) == {"organization_operator", "location_owner"}
    there = (await call("ListAuthorizations", organization_id=kestrel, resource_ids=[bench.resource_id])).authorizations
    assert [(held.identity_id, held.identity_type) for held in there] == [(lena, "user")]

    await call("RemoveRole", authorization=bench)
    assert await held_by(call, kestrel, lena) == {"organization_operator"}
    with refused(Status.NOT_FOUND, "role owner", lena):
        await call("RemoveRole", authorization=bench)


async def test_a_second_role_on_the_same_resource_is_refused(call: Calls, kestrel: str, lena: str) -> None:
    for wanted in ("operator", "owner"):
        with refused(Status.ALREADY_EXISTS, "change the role"):
            await call("AddRole", authorization=role(kestrel, "organization", kestrel, wanted, lena))


async def test_a_role_is_changed_in_one_step(call: Calls, kestrel: str, lena: str) -> None:
    old, new = (role(kestrel, "organization", kestrel, name, lena) for name in ("operator", "owner"))

    await call("ChangeRole", old_authorization=old, new_authorization=new)

    assert await held_by(call, kestrel, lena) == {"organization_owner"}


async def test_a_change_that_fails_changes_nothing(call: Calls, kestrel: str, lena: str) -> None:
    old = role(kestrel, "organization", kestrel, "operator", lena)
    new = role(kestrel, "location", "0000000000", "owner", lena)

    with refused(Status.NOT_FOUND, "location"):
        await call("ChangeRole", old_authorization=old, new_authorization=new)
    assert await held_by(call, kestrel, lena) == {"organization_operator"}


async def test_the_last_person_who_owns_an_organization_stays_its_owner(call: Calls, kestrel: str) -> None:
    jo = (await call("GetUserIDByEmail", email="jo.abara@kestrel.example")).user_id
    owner, operator = (role(kestrel, "organization", kestrel, name, jo) for name in ("owner", "operator"))

    with refused(Status.FAILED_PRECONDITION, "without an owner"):
        await call("RemoveRole", authorization=owner)
    with refused(Status.FAILED_PRECONDITION, "without an owner"):
        await call("ChangeRole", old_authorization=owner, new_authorization=operator)
    assert await held_by(call, kestrel, jo) == {"organization_owner"}


async def test_ownership_can_be_handed_over(call: Calls, kestrel: str, lena: str) -> None:
    jo = (await call("GetUserIDByEmail", email="jo.abara@kestrel.example")).user_id
    await call("RemoveRole", authorization=role(kestrel, "organization", kestrel, "operator", lena))

    await call(
        "ChangeRole",
        old_authorization=role(kestrel, "organization", kestrel, "owner", jo),
        new_authorization=role(kestrel, "organization", kestrel, "owner", lena),
    )

    assert await held_by(call, kestrel, lena) == {"organization_owner"}
    assert await held_by(call, kestrel, jo) == set()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"authorization_type": "wish"}, "authorization_type"),
        ({"authorization_id": "organization_emperor"}, "organization_owner"),
        ({"resource_type": "robot"}, "resource_type"),
        ({"identity_type": "api-key"}, "identity_type"),
        ({"identity_id": "lena"}, "identity_id"),
    ],
)
async def test_a_contradictory_authorization_is_refused(
    call: Calls, kestrel: str, lena: str, changes: dict[str, str], words: str
) -> None:
    authorization = role(kestrel, "organization", kestrel, "owner", lena)
    for field, value in changes.items():
        setattr(authorization, field, value)

    with refused(Status.INVALID_ARGUMENT, words):
        await call("AddRole", authorization=authorization)


async def test_strangers_get_no_roles(call: Calls, kestrel: str) -> None:
    stranger = (await call("GetUserIDByEmail", email="ines.okafor@tidewater.example")).user_id
    with refused(Status.NOT_FOUND, "member or API key"):
        await call("AddRole", authorization=role(kestrel, "organization", kestrel, "operator", stranger))


async def test_who_owns_nothing_gives_nothing(sandbox: Sandbox, call: Calls) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    operator = sandbox.store.one("SELECT id, key FROM api_keys WHERE name = 'fleet-dashboard'")
    assert operator
    async with connected(sandbox, operator["id"], operator["key"]) as dashboard:
        with refused(Status.PERMISSION_DENIED, "'owner'"):
            await dashboard(
                "AddRole", authorization=role(tidewater, "organization", tidewater, "owner", operator["id"])
            )


async def test_permissions_are_filtered_to_those_the_caller_has(sandbox: Sandbox) -> None:
    location = named(sandbox, "locations", "Warehouse 1")
    robot = named(sandbox, "robots", "picker-01")
    organization = named(sandbox, "organizations", fleet.TIDEWATER)
    asked = ["read_robot", "control_robot", "write_robot", "read_robot_logs", "fly", "read_organization"]
    key = sandbox.store.one("SELECT id, key FROM api_keys WHERE name = 'warehouse-1-operator'")
    assert key
    async with connected(sandbox, key["id"], key["key"]) as call:
        response = await call(
            "CheckPermissions",
            permissions=[
                app.AuthorizedPermissions(resource_type=kind, resource_id=identifier, permissions=asked)
                for kind, identifier in (("robot", robot), ("location", location), ("organization", organization))
            ],
        )

    permitted = [list(answer.permissions) for answer in response.authorized_permissions]
    assert permitted == [["read_robot", "control_robot"], ["read_robot", "control_robot"], []]


async def test_an_owner_has_every_permission(sandbox: Sandbox, call: Calls, kestrel: str) -> None:
    asked = app.AuthorizedPermissions(resource_type="organization", resource_id=kestrel, permissions=PERMISSIONS)

    response = await call("CheckPermissions", permissions=[asked])

    assert set(response.authorized_permissions[0].permissions) == set(PERMISSIONS)


async def test_a_question_about_no_permissions_is_refused(call: Calls, kestrel: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "empty"):
        await call("CheckPermissions")
    for kind, identifier, words in (
        ("organization", kestrel, "empty"),
        ("planet", kestrel, "resource_type"),
        ("location", kestrel, "resource_id"),
        ("robot", "x", "resource_id"),
    ):
        asked = app.AuthorizedPermissions(resource_type=kind, resource_id=identifier)
        if words == "resource_id":
            asked.permissions.append("read_robot")
        with refused(Status.INVALID_ARGUMENT, words):
            await call("CheckPermissions", permissions=[asked])
