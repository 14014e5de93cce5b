"""The registry and its modules."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.proto.app import packages
from viam_mcp.sandbox.demo.fleet import KESTREL, TIDEWATER

if TYPE_CHECKING:
    import sqlite3

    from tests.fleet import Fleet

MODULE = "tidewater:drive-control"
PRIVATE = "tidewater:picking"


def _item(fleet: Fleet, name: str) -> sqlite3.Row | None:
    return fleet.sandbox.store.one("SELECT * FROM registry_items WHERE name = ?", name)


async def get_registry_item(fleet: Fleet) -> None:
    item = (await fleet.call("get_registry_item", item_id=MODULE, include_markdown_documentation=True))["item"]
    assert (item["type"], item["visibility"]) == ("module", "public")
    assert item["module_metadata"]["markdown_description"].startswith("# drive-control\n")


async def create_registry_item(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    answer = await fleet.call("create_registry_item", organization_id=org_id, name="gripper-eye", type="ml_model")
    assert "gripper-eye" in answer["done"]
    row = _item(fleet, "gripper-eye")
    assert row
    assert row["type"] == packages.PACKAGE_TYPE_ML_MODEL
    assert row["visibility"] == app.VISIBILITY_PRIVATE


async def update_registry_item(fleet: Fleet) -> None:
    await fleet.call(
        "update_registry_item",
        item_id="tidewater:pallet-detector",
        type="ml_model",
        description="Finds pallets",
        visibility="public",
    )
    row = _item(fleet, "pallet-detector")
    assert row
    assert (row["description"], row["visibility"]) == ("Finds pallets", app.VISIBILITY_PUBLIC)


async def list_registry_items(fleet: Fleet) -> None:
    answer = await fleet.call(
        "list_registry_items",
        organization_id=fleet.id("organizations", TIDEWATER),
        types=["ml_training"],
        visibilities=[],
        platforms=[],
        statuses=[],
        search_term="pallet",
        fields=["name", "type"],
    )
    assert answer == {"items": [{"name": "train-pallet-detector", "type": "ml_training"}]}


async def delete_registry_item(fleet: Fleet) -> None:
    answer = await fleet.call("delete_registry_item", item_id="tidewater:train-pallet-detector")
    assert "tidewater:train-pallet-detector" in answer["done"]
    assert _item(fleet, "train-pallet-detector") is None


async def create_module(fleet: Fleet) -> None:
    answer = await fleet.call("create_module", org_id=fleet.id("organizations", TIDEWATER), name="brakes")
    assert answer["module_id"] == "tidewater:brakes"
    row = _item(fleet, "brakes")
    assert row
    assert row["type"] == packages.PACKAGE_TYPE_MODULE


async def update_module(fleet: Fleet) -> None:
    models = [{"api": "rdk:component:base", "model": "tidewater:drive-control:four-wheel", "description": "4WD"}]
    await fleet.call(
        "update_module",
        module_id=MODULE,
        url="https://code.tidewater.example/dc",
        description="Drives",
        models=models,
        entrypoint="bin/dc",
        public=True,
    )
    row = _item(fleet, "drive-control")
    assert row
    assert (row["url"], row["description"], row["entrypoint"]) == (
        "https://code.tidewater.example/dc",
        "Drives",
        "bin/dc",
    )
    module = (await fleet.call("get_module", module_id=MODULE))["module"]
    assert [{key: model[key] for key in models[0]} for model in module["models"]] == models
    assert module["visibility"] == "public"


async def upload_module_file(fleet: Fleet) -> None:
    archive = bytes(range(256)) * 1_000
    (fleet.files / "drive.tar.gz").write_bytes(archive)
    info = {"module_id": MODULE, "version": "9.0.0", "platform": "linux/arm64"}
    answer = await fleet.call("upload_module_file", module_file_info=info, file="drive.tar.gz")
    assert answer["url"].endswith("/9.0.0/linux/arm64")
    row = fleet.sandbox.store.one("SELECT size, sha256 FROM registry_uploads WHERE version = '9.0.0'")
    assert row
    assert tuple(row) == (len(archive), hashlib.sha256(archive).hexdigest())


async def get_module(fleet: Fleet) -> None:
    module = (await fleet.call("get_module", module_id=MODULE))["module"]
    assert (module["name"], module["entrypoint"]) == ("drive-control", "bin/drive-control")
    assert module["versions"][-1]["version"] == "1.4.2"


async def list_modules(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    listed = (await fleet.call("list_modules", org_id=org_id, fields=["name"]))["modules"]
    stored = fleet.sandbox.store.all(
        "SELECT name FROM registry_items WHERE org_id = ? AND type = ?", org_id, packages.PACKAGE_TYPE_MODULE
    )
    assert sorted(item["name"] for item in listed) == sorted(row["name"] for row in stored)


async def rename_registry_item(fleet: Fleet) -> None:
    answer = await fleet.call("rename_registry_item", item_id=PRIVATE, new_name="grasping")
    assert answer["item"]["item_id"] == "tidewater:grasping"
    assert _item(fleet, "grasping")


async def transfer_registry_item(fleet: Fleet) -> None:
    await fleet.call("transfer_registry_item", item_id=PRIVATE, new_public_namespace="kestrel")
    row = _item(fleet, "picking")
    assert row
    assert row["org_id"] == fleet.id("organizations", KESTREL)


def _deprecation(fleet: Fleet, version: str) -> str | None:
    message: str | None = fleet.value("SELECT message FROM deprecations WHERE version = ?", version)
    return message


async def deprecate_registry_item(fleet: Fleet) -> None:
    await fleet.call("deprecate_registry_item", item_id=MODULE, message="use drive-2")
    assert _deprecation(fleet, "") == "use drive-2"
    item = (await fleet.call("get_registry_item", item_id=MODULE))["item"]
    assert item["deprecated_status"]["message"] == "use drive-2"


async def undeprecate_registry_item(fleet: Fleet) -> None:
    await fleet.app.deprecate_registry_item(MODULE, "use drive-2")
    await fleet.call("undeprecate_registry_item", item_id=MODULE)
    assert _deprecation(fleet, "") is None


async def deprecate_registry_item_version(fleet: Fleet) -> None:
    what = {"item_id": MODULE, "version": "1.4.2"}
    answer = await fleet.call("deprecate_registry_item_version", **what, message="it stalls")
    assert answer == {"done": f"Deprecated version '1.4.2' of registry item '{MODULE}'."}
    assert _deprecation(fleet, "1.4.2") == "it stalls"


async def undeprecate_registry_item_version(fleet: Fleet) -> None:
    await fleet.app.deprecate_registry_item_version(MODULE, "1.4.2", "it stalls")
    await fleet.call("undeprecate_registry_item_version", item_id=MODULE, version="1.4.2")
    assert _deprecation(fleet, "1.4.2") is None
