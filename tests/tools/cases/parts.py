"""Machine parts, their configuration, secrets and logs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.demo.fleet import NOISY_PART, UNDERVOLTAGE_MACHINE
from viam_mcp.sandbox.rows.store import now

if TYPE_CHECKING:
    from tests.fleet import Fleet

PART = "picker-01-main"
OTHER = "picker-01-arm"
_DAY = 86_400_000_000_000  # nanoseconds


def _secrets(fleet: Fleet, part_id: str) -> int:
    return int(fleet.value("SELECT COUNT(*) FROM secrets WHERE part_id = ?", part_id))


async def get_robot_parts(fleet: Fleet) -> None:
    answer = await fleet.call(
        "get_robot_parts", robot_id=fleet.id("robots", "picker-01"), fields=["name", "main_part", "secrets"]
    )
    assert [(part["name"], part["main_part"]) for part in answer["parts"]] == [
        (PART, True),
        (OTHER, False),
        ("picker-01-cameras", False),
    ]
    assert {secret["secret"] for part in answer["parts"] for secret in part["secrets"]} == {"[redacted]"}


async def get_robot_part(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    answer = await fleet.call("get_robot_part", robot_part_id=part_id, dest="backups/part.json", indent=2)
    assert answer["part"]["name"] == PART
    written = json.loads((fleet.files / "backups" / "part.json").read_text())
    assert written == answer["part"]["robot_config"]
    assert written.keys() == json.loads(fleet.value("SELECT config_json FROM parts WHERE id = ?", part_id)).keys()


async def get_robot_part_history(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    history = (await fleet.call("get_robot_part_history", robot_part_id=part_id, limit=3))["history"]
    edited = [entry["when"] for entry in history]
    assert len(edited) == 3
    assert edited == sorted(edited, reverse=True)
    assert {entry["part"] for entry in history} == {part_id}


async def update_robot_part(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    known = (await fleet.call("get_robot_part", robot_part_id=part_id))["part"]["last_updated"]
    change = {"name": "picker-01-brain", "robot_config": {"components": []}, "last_known_update": known}
    answer = await fleet.call("update_robot_part", robot_part_id=part_id, **change)
    assert answer["part"]["robot_config"] == {"components": []}
    row = fleet.sandbox.store.one("SELECT name, config_json FROM parts WHERE id = ?", part_id)
    assert row
    assert (row["name"], json.loads(row["config_json"])) == ("picker-01-brain", {"components": []})
    stale = await fleet.call.error("update_robot_part", robot_part_id=part_id, **change)
    assert "FAILED_PRECONDITION" in stale


async def new_robot_part(fleet: Fleet) -> None:
    robot_id = fleet.id("robots", "picker-01")
    answer = await fleet.call("new_robot_part", robot_id=robot_id, part_name="picker-01-gripper")
    row = fleet.sandbox.store.one("SELECT name, robot_id, main FROM parts WHERE id = ?", answer["part_id"])
    assert row
    assert tuple(row) == ("picker-01-gripper", robot_id, 0)


async def delete_robot_part(fleet: Fleet) -> None:
    part_id = fleet.id("parts", OTHER)
    answer = await fleet.call("delete_robot_part", robot_part_id=part_id)
    assert f"part '{OTHER}' ({part_id}) of machine 'picker-01'" in answer["done"]
    assert not fleet.value("SELECT COUNT(*) FROM parts WHERE id = ?", part_id)


async def mark_part_as_main(fleet: Fleet) -> None:
    part_id = fleet.id("parts", OTHER)
    await fleet.call("mark_part_as_main", robot_part_id=part_id)
    robot_id = fleet.id("robots", "picker-01")
    assert fleet.value("SELECT id FROM parts WHERE robot_id = ? AND main", robot_id) == part_id


async def mark_part_for_restart(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    await fleet.call("mark_part_for_restart", robot_part_id=part_id)
    assert fleet.value("SELECT restart_requested FROM parts WHERE id = ?", part_id)


async def create_robot_part_secret(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    before = _secrets(fleet, part_id)
    part = (await fleet.call("create_robot_part_secret", robot_part_id=part_id))["part"]
    assert len(part["secrets"]) == _secrets(fleet, part_id) == before + 1


async def delete_robot_part_secret(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    secret_id = fleet.value("SELECT id FROM secrets WHERE part_id = ?", part_id)
    only = await fleet.call.error("delete_robot_part_secret", robot_part_id=part_id, secret_id=secret_id)
    assert "FAILED_PRECONDITION" in only
    await fleet.call("create_robot_part_secret", robot_part_id=part_id)
    await fleet.call("delete_robot_part_secret", robot_part_id=part_id, secret_id=secret_id)
    assert not fleet.value("SELECT COUNT(*) FROM secrets WHERE id = ?", secret_id)


async def get_robot_part_logs(fleet: Fleet) -> None:
    part_id = fleet.id("parts", f"{UNDERVOLTAGE_MACHINE}-main")
    answer = await fleet.call(
        "get_robot_part_logs",
        robot_part_id=part_id,
        log_levels=["error", "warn"],
        num_log_entries=4,
        range="3d",
        order="ascending",
        dest="last-words.jsonl",
    )
    sql = "SELECT message FROM logs WHERE part_id = ? AND level IN ('error', 'warn') AND time > ? ORDER BY time, seq"
    stored = [row["message"] for row in fleet.sandbox.store.all(f"{sql} LIMIT 4", part_id, now() - 3 * _DAY)]
    assert [entry["message"] for entry in answer["entries"]] == stored
    written = [json.loads(line) for line in (fleet.files / "last-words.jsonl").read_text().splitlines()]
    assert written == answer["entries"]


async def tail_robot_part_logs(fleet: Fleet) -> None:
    part_id = fleet.id("parts", NOISY_PART)
    async with asyncio.TaskGroup() as tasks:
        tail = tasks.create_task(
            fleet.call("tail_robot_part_logs", robot_part_id=part_id, wait_seconds=50, filter="focus")
        )
        await fleet.sandbox.hub.until(1)
        fleet.sandbox.emit(part_id, *(LogEntry(level=level, message="focus lost") for level in ("info", "error")))
    (entry,) = tail.result()["entries"]
    assert (entry["level"], entry["message"]) == ("error", "focus lost")


async def tail_logs(fleet: Fleet) -> None:
    part_ids = {name: fleet.id("parts", name) for name in (PART, NOISY_PART)}
    async with asyncio.TaskGroup() as tasks:
        tail = tasks.create_task(
            fleet.call(
                "tail_logs", robot_part_ids=[*part_ids.values()], wait_seconds=50, errors_only=False, filter="focus"
            )
        )
        await fleet.sandbox.hub.until(2)
        fleet.sandbox.emit(part_ids[NOISY_PART], LogEntry(level="error", message="focus lost"))
    (entry,) = tail.result()["entries"]
    assert (entry["part"], entry["machine"], entry["message"]) == (NOISY_PART, "picker-02", "focus lost")


async def get_robot_part_by_name_and_location(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Warehouse 1")
    answer = await fleet.call("get_robot_part_by_name_and_location", name=PART, location_id=location_id)
    assert answer["part"]["id"] == fleet.id("parts", PART)
    assert {secret["secret"] for secret in answer["part"]["secrets"]} == {"[redacted]"}


async def set_config_property(fleet: Fleet) -> None:
    part_id = fleet.id("parts", PART)
    before = json.loads(fleet.value("SELECT config_json FROM parts WHERE id = ?", part_id))
    changes = {"components[0].attributes.speed": 0.5, "fragments": [{"id": "00000000-0000-4000-8000-000000000000"}]}
    answer = await fleet.call("set_config_property", robot_part_id=part_id, property_changes=changes)
    good, bad = answer["result"]["property_changes"]
    assert (good["path"], good["value"], good["success"]) == ("components[0].attributes.speed", 0.5, True)
    assert (bad["path"], bad["success"]) == ("fragments", False)
    after = json.loads(fleet.value("SELECT config_json FROM parts WHERE id = ?", part_id))
    assert after["components"][0]["attributes"]["speed"] == 0.5
    assert (after["components"][1:], after.keys()) == (before["components"][1:], before.keys())
