"""Fragments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

NAME = "picker-base"


async def list_fragments(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    answer = await fleet.call("list_fragments", org_id=org_id, visibilities=["private"], fields=["name"])
    stored = fleet.sandbox.store.all("SELECT name FROM fragments WHERE org_id = ? AND visibility = 1", org_id)
    assert stored
    assert sorted(item["name"] for item in answer["fragments"]) == sorted(row["name"] for row in stored)
    public = await fleet.call("list_fragments", org_id=org_id, visibilities=["public"], fields=["name", "visibility"])
    assert {"name": "safety-scanner", "visibility": "public"} in public["fragments"]


async def get_fragment(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    fragment = (await fleet.call("get_fragment", fragment_id=fragment_id))["fragment"]
    assert (fragment["name"], fragment["visibility"]) == (NAME, "private")
    stored = json.loads(fleet.value("SELECT config_json FROM fragments WHERE id = ?", fragment_id))
    assert fragment["fragment"].keys() == stored.keys()
    assert fragment["robot_part_count"] > 0


async def create_fragment(fleet: Fleet) -> None:
    config = {"services": [{"name": "nav", "ratio": 0.5, "tries": 3, "on": True, "none": None}]}
    answer = await fleet.call(
        "create_fragment", org_id=fleet.id("organizations", TIDEWATER), name="navigation", config=config
    )
    assert answer["fragment"]["fragment"] == config
    stored = fleet.value("SELECT config_json FROM fragments WHERE id = ?", answer["fragment"]["id"])
    assert json.loads(stored) == config


async def update_fragment(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    known = (await fleet.call("get_fragment", fragment_id=fragment_id))["fragment"]["last_updated"]
    change = {"name": "picker", "config": {"modules": []}, "visibility": "public", "last_known_update": known}
    answer = await fleet.call("update_fragment", fragment_id=fragment_id, **change)
    assert (answer["fragment"]["name"], answer["fragment"]["visibility"]) == ("picker", "public")
    row = fleet.sandbox.store.one("SELECT name, config_json, visibility FROM fragments WHERE id = ?", fragment_id)
    assert row
    assert (row["name"], json.loads(row["config_json"]), row["visibility"]) == ("picker", {"modules": []}, 2)
    assert "FAILED_PRECONDITION" in await fleet.call.error("update_fragment", fragment_id=fragment_id, **change)


async def delete_fragment(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    answer = await fleet.call("delete_fragment", fragment_id=fragment_id)
    assert answer == {"done": f"Deleted fragment '{NAME}' ({fragment_id})."}
    assert not fleet.value("SELECT COUNT(*) FROM fragments WHERE id = ?", fragment_id)


async def get_fragment_history(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    history = (await fleet.call("get_fragment_history", id=fragment_id, page_limit=100))["history"]
    assert len(history) == fleet.value("SELECT COUNT(*) FROM fragment_history WHERE fragment_id = ?", fragment_id) > 0
    edited = [entry["edited_on"] for entry in history]
    assert edited == sorted(edited, reverse=True)


async def get_fragment_usage(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    usages = (await fleet.call("get_fragment_usage", fragment_id=fragment_id))["version_usages"]
    assert usages
    assert all(usage["fragment_id"] == fragment_id and usage["machines"] for usage in usages)


async def list_nested_fragments(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    inner = [{"fragment_id": fleet.id("fragments", "fleet-telemetry"), "version": "1"}]
    answer = await fleet.call("list_nested_fragments", fragment_id=fragment_id, additional_fragments=inner)
    assert [one["fragment_id"] for one in answer["resolved_fragments"]] == [fragment_id, inner[0]["fragment_id"]]
    assert NAME in {one["name"] for one in answer["fragments"]}


async def list_machine_fragments(fleet: Fleet) -> None:
    answer = await fleet.call("list_machine_fragments", machine_id=fleet.id("robots", "picker-01"))
    assert fleet.id("fragments", NAME) in {one["fragment_id"] for one in answer["resolved_fragments"]}
    assert all(one["resolved_config"] for one in answer["resolved_fragments"])


def _tag(fleet: Fleet, tag: str) -> str | None:
    revision = "SELECT revision FROM fragment_tags WHERE fragment_id = ? AND tag = ?"
    found: str | None = fleet.value(revision, fleet.id("fragments", NAME), tag)
    return found


async def set_fragment_tag(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    answer = await fleet.call("set_fragment_tag", fragment_id=fragment_id, tag="trial", revision="1")
    assert answer == {"done": f"Set tag 'trial' of fragment '{NAME}' ({fragment_id})."}
    assert _tag(fleet, "trial") == "1"


async def delete_fragment_tag(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", NAME)
    await fleet.app.set_fragment_tag(fragment_id, "trial", "1")
    await fleet.call("delete_fragment_tag", fragment_id=fragment_id, tag="trial")
    assert _tag(fleet, "trial") is None
