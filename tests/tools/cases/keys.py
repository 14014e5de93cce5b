"""API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

KEY = "fleet-dashboard"


async def create_key(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    role = {"role": "operator", "resource_type": "organization", "resource_id": org_id}
    answer = await fleet.call("create_key", org_id=org_id, authorizations=[role], name="dashboard-2")
    assert fleet.value("SELECT name FROM api_keys WHERE id = ?", answer["api_key_id"]) == "dashboard-2"
    row = fleet.sandbox.store.one("SELECT * FROM authorizations WHERE identity_id = ?", answer["api_key_id"])
    assert row
    assert {key: row[key] for key in role} == role


async def delete_key(fleet: Fleet) -> None:
    key_id = fleet.id("api_keys", KEY)
    answer = await fleet.call("delete_key", id=key_id)
    assert key_id in answer["done"]
    assert not fleet.value("SELECT COUNT(*) FROM api_keys WHERE id = ?", key_id)


async def create_key_from_existing_key_authorizations(fleet: Fleet) -> None:
    key_id = fleet.id("api_keys", KEY)
    answer = await fleet.call("create_key_from_existing_key_authorizations", id=key_id)
    sql = "SELECT role FROM authorizations WHERE identity_id = ?"
    assert answer["api_key_id"] != key_id
    assert fleet.value(sql, answer["api_key_id"]) == fleet.value(sql, key_id) == "operator"


async def list_keys(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    keys = (await fleet.call("list_keys", org_id=org_id))["api_keys"]
    assert len(keys) == fleet.value("SELECT COUNT(*) FROM api_keys WHERE org_id = ?", org_id)
    (dashboard,) = [entry for entry in keys if entry["api_key"]["name"] == KEY]
    assert [item["authorization_id"] for item in dashboard["authorizations"]] == ["organization_operator"]


async def rotate_key(fleet: Fleet) -> None:
    key_id = fleet.id("api_keys", KEY)
    before = fleet.value("SELECT key FROM api_keys WHERE id = ?", key_id)
    assert (await fleet.call("rotate_key", id=key_id))["api_key_id"] == key_id
    assert fleet.value("SELECT key FROM api_keys WHERE id = ?", key_id) != before


async def rename_key(fleet: Fleet) -> None:
    key_id = fleet.id("api_keys", KEY)
    assert await fleet.call("rename_key", id=key_id, name="wall-display") == {"id": key_id, "name": "wall-display"}
    assert fleet.id("api_keys", "wall-display") == key_id
