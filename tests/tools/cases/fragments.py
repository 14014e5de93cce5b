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
