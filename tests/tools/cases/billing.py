"""The billing service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.fleet import KESTREL, TIDEWATER

if TYPE_CHECKING:
    from tests.fleet import Fleet

ADDRESS = {"address_line_1": "Quay 9", "city": "Rotterdam", "zipcode": "3011", "country": "NL"}


async def enable_billing_service(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", KESTREL)
    answer = await fleet.call("enable_billing_service", org_id=org_id, billing_address=ADDRESS)
    assert answer == {"done": f"Turned on the billing service of organization '{KESTREL}' ({org_id})."}
    assert (await fleet.app.get_billing_service_config(org_id)).billing_address.city == "Rotterdam"


async def disable_billing_service(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    await fleet.call("disable_billing_service", org_id=org_id)
    assert not fleet.value("SELECT COUNT(*) FROM billing WHERE org_id = ?", org_id)


async def update_billing_service(fleet: Fleet) -> None:
    org_id = fleet.id("organizations", TIDEWATER)
    await fleet.call("update_billing_service", org_id=org_id, billing_address=ADDRESS)
    assert (await fleet.app.get_billing_service_config(org_id)).billing_address.address_line_1 == "Quay 9"


async def get_billing_service_config(fleet: Fleet) -> None:
    answer = await fleet.call("get_billing_service_config", org_id=fleet.id("organizations", TIDEWATER))
    assert answer["billing"]["support_email"] == "fleet-support@tidewater.example"
    assert answer["billing"]["billing_address"]["country"]
