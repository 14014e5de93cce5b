"""A caller's favorite machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.client import key_of, named, signed_in
from viam_mcp.app import NotFound
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


async def names(app: AppClient) -> list[str]:
    return [favorite.machine.name for favorite in await app.list_favorite_machines()]


async def test_favorites_are_added_and_removed_as_often_as_one_likes(sandbox: Sandbox, app: AppClient) -> None:
    machine = named(sandbox, "robots", "demo-cell-01")
    assert await names(app) == ["hauler-02", "picker-01"]
    for _ in range(2):
        await app.add_favorite_machine(machine)
    assert await names(app) == ["demo-cell-01", "hauler-02", "picker-01"]
    first = (await app.list_favorite_machines())[0]
    assert (first.machine.id, first.machine.location) == (machine, (await app.get_robot(machine)).location)
    assert first.organization_id == named(sandbox, "organizations", fleet.KESTREL)
    assert first.created_on.seconds
    for _ in range(2):
        await app.remove_favorite_machine(machine)
    assert await names(app) == ["hauler-02", "picker-01"]


async def test_a_machine_that_does_not_exist_is_no_favorite(app: AppClient) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NotFound):
        await app.add_favorite_machine(nothing)
    with pytest.raises(NotFound):
        await app.remove_favorite_machine(nothing)


async def test_a_machine_that_is_deleted_is_a_favorite_no_more(sandbox: Sandbox, app: AppClient) -> None:
    await app.delete_robot(named(sandbox, "robots", "picker-01"))
    assert await names(app) == ["hauler-02"]


async def test_each_key_has_its_own_and_they_go_with_it(sandbox: Sandbox, app: AppClient) -> None:
    key_id, _ = key_of(sandbox, "fleet-dashboard")
    async with signed_in(sandbox, "fleet-dashboard") as other:
        assert await names(other) == []
        await other.add_favorite_machine(named(sandbox, "robots", "picker-02"))
        assert await names(other) == ["picker-02"]
        with pytest.raises(NotFound):
            await other.add_favorite_machine(named(sandbox, "robots", "demo-cell-01"))
    await app.delete_key(key_id)
    assert sandbox.store.value("SELECT count(*) FROM favorites WHERE identity_id = ?", key_id) == 0
    assert await names(app) == ["hauler-02", "picker-01"]


async def test_what_is_taken_from_a_caller_is_not_listed_until_it_is_given_back(
    sandbox: Sandbox, app: AppClient
) -> None:
    robot, tidewater = named(sandbox, "robots", "picker-01"), named(sandbox, "organizations", fleet.TIDEWATER)
    key_id, _ = key_of(sandbox, "picker-01-machine")
    async with signed_in(sandbox, "picker-01-machine") as machine:
        await machine.add_favorite_machine(robot)
        await app.change_role(
            tidewater, key_id, "owner", "robot", robot,
            key_id, "operator", "robot", named(sandbox, "robots", "picker-02"),
        )  # fmt: skip
        assert await names(machine) == []
        await app.add_role(tidewater, key_id, "operator", "robot", robot)
        assert await names(machine) == ["picker-01"]
