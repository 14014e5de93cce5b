from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import connected, named, refused, role
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from tests.sandbox.client import Calls
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)


async def test_a_new_key_can_do_what_it_was_made_for_and_no_more(sandbox: Sandbox, call: Calls, kestrel: str) -> None:
    robot = named(sandbox, "robots", "demo-cell-01")

    made = await call("CreateKey", name="mine", authorizations=[role(kestrel, "robot", robot, "operator")])

    async with connected(sandbox, made.id, made.key) as limited:
        assert (await limited("GetRobot", id=robot)).robot.id == robot
        with refused(Status.PERMISSION_DENIED):
            await limited("DeleteRobot", id=robot)
        with refused(Status.PERMISSION_DENIED):
            await limited("CreateKey", name="more", authorizations=[role(kestrel, "robot", robot)])


async def test_keys_are_listed_with_what_they_hold_and_without_their_values(
    sandbox: Sandbox, call: Calls, kestrel: str
) -> None:
    listed = (await call("ListKeys", org_id=kestrel)).api_keys

    assert [entry.api_key.name for entry in listed] == ["module-ci", "demo-cell-01-machine"]
    assert [held.authorization_id for entry in listed for held in entry.authorizations] == [
        "organization_owner",
        "robot_owner",
    ]
    assert not any(entry.api_key.key for entry in listed)
    assert all(entry.api_key.created_on.seconds for entry in listed)


async def test_a_machines_keys_come_with_their_values(sandbox: Sandbox, call: Calls) -> None:
    robot = named(sandbox, "robots", "demo-cell-01")

    (entry,) = (await call("GetRobotAPIKeys", robot_id=robot)).api_keys

    async with connected(sandbox, entry.api_key.id, entry.api_key.key) as machine:
        assert (await machine("GetRobot", id=robot)).robot.id == robot


async def test_a_key_without_authorizations_or_name_is_refused(call: Calls, kestrel: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "authorizations is empty"):
        await call("CreateKey", name="nothing")
    with refused(Status.INVALID_ARGUMENT, "name is empty"):
        await call("CreateKey", authorizations=[role(kestrel, "organization", kestrel)])


async def test_a_key_belongs_to_one_organization(sandbox: Sandbox, call: Calls, kestrel: str) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    both = [role(identifier, "organization", identifier) for identifier in (kestrel, tidewater)]
    with refused(Status.INVALID_ARGUMENT, "one organization"):
        await call("CreateKey", name="both", authorizations=both)


async def test_a_copied_key_holds_the_same_and_is_another(sandbox: Sandbox, call: Calls, kestrel: str) -> None:
    original = sandbox.store.value("SELECT id FROM api_keys WHERE name = 'demo-cell-01-machine'")

    made = await call("CreateKeyFromExistingKeyAuthorizations", id=original)

    listed = {entry.api_key.id: entry for entry in (await call("ListKeys", org_id=kestrel)).api_keys}
    assert made.id != original
    assert listed[made.id].authorizations == listed[original].authorizations
    async with connected(sandbox, made.id, made.key) as machine:
        assert (await machine("ListOrganizations")).organizations


async def test_a_key_is_renamed_and_deleted(sandbox: Sandbox, call: Calls, kestrel: str) -> None:
    key_id = sandbox.store.value("SELECT id FROM api_keys WHERE name = 'module-ci'")

    assert (await call("RenameKey", id=key_id, name="ci")).name == "ci"
    await call("DeleteKey", id=key_id)

    assert key_id not in {entry.api_key.id for entry in (await call("ListKeys", org_id=kestrel)).api_keys}
    assert not sandbox.store.all("SELECT 1 FROM authorizations WHERE identity_id = ?", key_id)
    for rpc in ("DeleteKey", "RotateKey", "CreateKeyFromExistingKeyAuthorizations"):
        with refused(Status.NOT_FOUND, "API key"):
            await call(rpc, id=key_id)


async def test_only_who_owns_all_that_a_key_reaches_manages_it(sandbox: Sandbox) -> None:
    keys = {row["name"]: row for row in sandbox.store.all("SELECT * FROM api_keys")}
    machine = keys["picker-01-machine"]
    async with connected(sandbox, machine["id"], machine["key"]) as own:
        assert (await own("RotateKey", id=machine["id"])).id == machine["id"]
    dashboard = keys["fleet-dashboard"]
    async with connected(sandbox, dashboard["id"], dashboard["key"]) as operator:
        with refused(Status.PERMISSION_DENIED):
            await operator("RotateKey", id=machine["id"])
        with refused(Status.PERMISSION_DENIED):
            await operator("ListKeys", org_id=named(sandbox, "organizations", fleet.TIDEWATER))
        with refused(Status.NOT_FOUND):
            await operator("DeleteKey", id=keys["module-ci"]["id"])


async def test_a_key_is_renamed_over_its_client(sandbox: Sandbox, app: AppClient, kestrel: str) -> None:
    key_id = sandbox.store.value("SELECT id FROM api_keys WHERE name = 'module-ci'")
    assert (await app.rename_key(key_id, "ci")).name == "ci"
    assert "ci" in {entry.api_key.name for entry in await app.list_keys(kestrel)}
