"""Metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from viam_mcp.sandbox.demo.fleet import TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

OLD = {"room": 4, "gate": {"password": "hunter2"}}
SHOWN = {"room": 4, "gate": {"password": "[redacted]"}}


async def _reads(fleet: Fleet, kind: str, table: str, name: str, **which: Any) -> None:
    fleet.sandbox.store.run(f"UPDATE {table} SET metadata = ? WHERE name = ?", json.dumps(OLD), name)
    assert await fleet.call(f"get_{kind}_metadata", **which) == {"metadata": SHOWN}


async def _replaces(fleet: Fleet, kind: str, table: str, name: str, **which: Any) -> None:
    fleet.sandbox.store.run(f"UPDATE {table} SET metadata = ? WHERE name = ?", json.dumps(OLD), name)
    await fleet.call(f"update_{kind}_metadata", **which, metadata={**SHOWN, "room": 5})
    stored = fleet.value(f"SELECT metadata FROM {table} WHERE name = ?", name)
    assert json.loads(stored) == {**OLD, "room": 5}


async def get_organization_metadata(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    await _reads(fleet, "organization", "organizations", TIDEWATER, org_id=org_id)


async def update_organization_metadata(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    await _replaces(fleet, "organization", "organizations", TIDEWATER, org_id=org_id)


async def get_location_metadata(fleet: Fleet) -> None:
    await _reads(fleet, "location", "locations", "Test Lab", location_id=fleet.id("locations", "Test Lab"))


async def update_location_metadata(fleet: Fleet) -> None:
    await _replaces(fleet, "location", "locations", "Test Lab", location_id=fleet.id("locations", "Test Lab"))


async def get_robot_metadata(fleet: Fleet) -> None:
    await _reads(fleet, "robot", "robots", "picker-01", robot_id=fleet.id("robots", "picker-01"))


async def update_robot_metadata(fleet: Fleet) -> None:
    await _replaces(fleet, "robot", "robots", "picker-01", robot_id=fleet.id("robots", "picker-01"))


async def get_robot_part_metadata(fleet: Fleet) -> None:
    await _reads(fleet, "robot_part", "parts", "picker-01-arm", robot_part_id=fleet.id("parts", "picker-01-arm"))


async def update_robot_part_metadata(fleet: Fleet) -> None:
    await _replaces(fleet, "robot_part", "parts", "picker-01-arm", robot_part_id=fleet.id("parts", "picker-01-arm"))
