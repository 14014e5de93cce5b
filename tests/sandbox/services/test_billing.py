"""The billing service of organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.client import named
from viam_mcp.app import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from viam_mcp.proto import app as wire
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

ADDRESS = wire.BillingAddress(address_line_1="1 Dock", city="Bremen", zipcode="28195", country="DE")


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)


async def test_billing_is_turned_on_changed_and_turned_off(app: AppClient, kestrel: str) -> None:
    with pytest.raises(NotFound, match="billing service"):
        await app.get_billing_service_config(kestrel)

    await app.enable_billing_service(kestrel, ADDRESS)
    set_up = await app.get_billing_service_config(kestrel)
    assert set_up.billing_address == ADDRESS
    assert (set_up.support_email, set_up.logo_url) == ("help@kestrel.example", "")
    assert kestrel in set_up.billing_dashboard_url

    moved = wire.BillingAddress(address_line_1="2 Dock", city="Bremen", state="HB", zipcode="28195", country="DE")
    await app.update_billing_service(kestrel, moved)
    assert (await app.get_billing_service_config(kestrel)).billing_address == moved

    await app.disable_billing_service(kestrel)
    with pytest.raises(NotFound):
        await app.get_billing_service_config(kestrel)


async def test_what_is_on_is_not_turned_on_and_what_is_off_is_not_changed(app: AppClient, kestrel: str) -> None:
    with pytest.raises(FailedPrecondition, match="is off"):
        await app.update_billing_service(kestrel, ADDRESS)
    with pytest.raises(FailedPrecondition, match="is off"):
        await app.disable_billing_service(kestrel)
    await app.enable_billing_service(kestrel, ADDRESS)
    with pytest.raises(AlreadyExists, match="update_billing_service"):
        await app.enable_billing_service(kestrel, ADDRESS)


@pytest.mark.parametrize("missing", ["address_line_1", "city", "zipcode", "country"])
async def test_an_address_without_something_that_every_address_has_is_refused(
    app: AppClient, kestrel: str, missing: str
) -> None:
    address: Any = wire.BillingAddress()
    address.CopyFrom(ADDRESS)
    address.ClearField(missing)
    with pytest.raises(InvalidArgument, match=f"has no {missing}"):
        await app.enable_billing_service(kestrel, address)


async def test_the_logo_of_the_organization_is_part_of_it(sandbox: Sandbox, app: AppClient) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    set_up = await app.get_billing_service_config(tidewater)
    assert set_up.logo_url == await app.organization_get_logo(tidewater)
    assert set_up.billing_address.city == "Rotterdam"
