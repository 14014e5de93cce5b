"""The auth service and OAuth applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.proto import app as wire
from viam_mcp.sandbox.demo.fleet import KESTREL, TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

CONFIG = {
    "client_authentication": "required",
    "pkce": "not_required",
    "url_validation": "allow_wildcards",
    "origin_uris": ["https://fleet.example"],
    "redirect_uris": ["https://*.fleet.example/back"],
    "enabled_grants": ["authorization_code"],
}


def _org(fleet: Fleet) -> str:
    return fleet.id("organizations", TIDEWATER)


def _client(fleet: Fleet) -> str:
    return str(fleet.value("SELECT client_id FROM oauth_apps WHERE org_id = ? ORDER BY client_id", _org(fleet)))


async def enable_auth_service(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", KESTREL)
    await fleet.call("enable_auth_service", org_id=org_id)
    assert fleet.value("SELECT auth_service FROM organizations WHERE id = ?", org_id) == 1


async def disable_auth_service(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", KESTREL)
    fleet.sandbox.store.run("UPDATE organizations SET auth_service = 1 WHERE id = ?", org_id)
    await fleet.call("disable_auth_service", org_id=org_id)
    assert fleet.value("SELECT auth_service FROM organizations WHERE id = ?", org_id) == 0


async def create_oauth_app(fleet: Fleet) -> None:
    answer = await fleet.call("create_oauth_app", org_id=_org(fleet), client_name="Console", oauth_config=CONFIG)
    made = await fleet.app.read_oauth_app(_org(fleet), answer["client_id"])
    assert (made.client_name, made.oauth_config.pkce) == ("Console", wire.PKCE_NOT_REQUIRED)
    assert made.oauth_config.redirect_uris == CONFIG["redirect_uris"]
    assert made.client_secret not in fleet.call.answers[-1]


async def read_oauth_app(fleet: Fleet) -> None:
    answer = await fleet.call("read_oauth_app", org_id=_org(fleet), client_id=_client(fleet))
    assert answer["oauth_app"]["client_secret"] == "[redacted]"
    assert answer["oauth_app"]["oauth_config"]["enabled_grants"]


async def update_oauth_app(fleet: Fleet) -> None:
    changed = {"client_name": "Console 2", "oauth_config": {**CONFIG, "pkce": "required"}}
    await fleet.call("update_oauth_app", org_id=_org(fleet), client_id=_client(fleet), **changed)
    made = await fleet.app.read_oauth_app(_org(fleet), _client(fleet))
    assert (made.client_name, made.oauth_config.pkce) == ("Console 2", wire.PKCE_REQUIRED)


async def delete_oauth_app(fleet: Fleet) -> None:
    client_id = _client(fleet)
    await fleet.call("delete_oauth_app", org_id=_org(fleet), client_id=client_id)
    assert not fleet.value("SELECT COUNT(*) FROM oauth_apps WHERE client_id = ?", client_id)


async def list_oauth_apps(fleet: Fleet) -> None:
    listed = (await fleet.call("list_oauth_apps", org_id=_org(fleet)))["client_ids"]
    assert _client(fleet) in listed


async def create_oauth_app_user(fleet: Fleet) -> None:
    person = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "password": "correct horse"}
    answer = await fleet.call("create_oauth_app_user", org_id=_org(fleet), application_id=_client(fleet), **person)
    assert fleet.value("SELECT email FROM oauth_users WHERE id = ?", answer["user_id"]) == "ada@example.com"
    assert "correct horse" not in fleet.call.answers[-1]
