"""Push tokens and Firebase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import KESTREL, TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

DEVICE = "11111111-2222-4333-8444-555555555555"


def _app(fleet: Fleet) -> str:
    org_id = fleet.id("organizations", TIDEWATER)
    return str(fleet.value("SELECT app_id FROM firebase_configs WHERE org_id = ?", org_id))


def _token(fleet: Fleet) -> str | None:
    token: str | None = fleet.value("SELECT token FROM push_tokens WHERE device_uuid = ?", DEVICE)
    return token


async def upload_device_push_token(fleet: Fleet) -> None:
    device = {"app_id": _app(fleet), "device_token": "a-token-of-a-phone", "device_uuid": DEVICE}
    await fleet.call("upload_device_push_token", **device)
    assert _token(fleet) == "a-token-of-a-phone"


async def delete_device_push_token(fleet: Fleet) -> None:
    await fleet.app.upload_device_push_token(_app(fleet), "a-token-of-a-phone", DEVICE)
    await fleet.call("delete_device_push_token", app_id=_app(fleet), device_uuid=DEVICE)
    assert _token(fleet) is None


async def get_device_push_tokens(fleet: Fleet) -> None:
    await fleet.app.upload_device_push_token(_app(fleet), "a-token-of-a-phone", DEVICE)
    answer = await fleet.call("get_device_push_tokens", app_id=_app(fleet))
    assert {*answer["device_tokens"]} == {"[redacted]"}


async def set_firebase_config(fleet: Fleet) -> None:
    org_id, config = fleet.id("organizations", KESTREL), '{"project_id": "cells"}'
    await fleet.call("set_firebase_config", org_id=org_id, app_id="1:2:ios:3", config_json=config)
    assert fleet.value("SELECT config_json FROM firebase_configs WHERE org_id = ?", org_id) == config


async def get_firebase_config(fleet: Fleet) -> None:
    answer = await fleet.call("get_firebase_config", org_id=fleet.id("organizations", TIDEWATER))
    assert answer == {"app_id": _app(fleet)}


async def delete_firebase_config(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    await fleet.call("delete_firebase_config", org_id=org_id, app_id=_app(fleet))
    assert not fleet.value("SELECT COUNT(*) FROM firebase_configs WHERE org_id = ?", org_id)
