"""Branding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
EDITOR = {"public_namespace": "kestrel", "name": "field-editor"}


def _org(fleet: Fleet) -> str:
    return fleet.id("organizations", TIDEWATER)


async def organization_set_support_email(fleet: Fleet) -> None:
    await fleet.call("organization_set_support_email", org_id=_org(fleet), email="help@tidewater.example")
    stored = fleet.value("SELECT support_email FROM organizations WHERE id = ?", _org(fleet))
    assert stored == "help@tidewater.example"


async def organization_get_support_email(fleet: Fleet) -> None:
    answer = await fleet.call("organization_get_support_email", org_id=_org(fleet))
    assert answer == {"email": "fleet-support@tidewater.example"}


async def organization_set_logo(fleet: Fleet) -> None:
    (fleet.files / "logo.png").write_bytes(PNG)
    await fleet.call("organization_set_logo", org_id=_org(fleet), logo="logo.png")
    assert fleet.value("SELECT logo FROM organizations WHERE id = ?", _org(fleet)) == PNG


async def organization_get_logo(fleet: Fleet) -> None:
    answer = await fleet.call("organization_get_logo", org_id=_org(fleet))
    assert answer == {"url": await fleet.app.organization_get_logo(_org(fleet))}


async def get_app_content(fleet: Fleet) -> None:
    content = (await fleet.call("get_app_content", **EDITOR))["content"]
    assert (content["entrypoint"], content["public"]) == ("dist/index.html", True)


async def get_app_branding(fleet: Fleet) -> None:
    branding = (await fleet.call("get_app_branding", **EDITOR))["branding"]
    assert branding["text_customizations"]["machine_picker"]["fields"]["heading"] == "Choose a cell"
