"""Billing: organizations that bill their own customers.

What the service asks for beside an address is not published; here an address has what a letter needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access
from viam_mcp.sandbox.services.branding import logo_url

if TYPE_CHECKING:
    import sqlite3

__all__ = ["BillingRpcs"]

_NEEDED = ("address_line_1", "city", "zipcode", "country")


class BillingRpcs:
    """The rpcs about the billing service."""

    @rpc("EnableBillingService")
    def enable(self, call: IncomingCall, request: app.EnableBillingServiceRequest) -> app.EnableBillingServiceResponse:
        organization = access.organization(call, request.org_id, "owner")
        address = _address(request)
        if _stored(call, organization) is not None:
            raise Refusal(
                Status.ALREADY_EXISTS,
                f"the billing service of organization {organization['name']!r} is on already: update its address "
                "with update_billing_service",
            )
        call.store.insert("billing", org_id=organization["id"], address=address)
        return app.EnableBillingServiceResponse()

    @rpc("DisableBillingService")
    def disable(
        self, call: IncomingCall, request: app.DisableBillingServiceRequest
    ) -> app.DisableBillingServiceResponse:
        organization = _enabled(call, request.org_id)
        call.store.run("DELETE FROM billing WHERE org_id = ?", organization["id"])
        return app.DisableBillingServiceResponse()

    @rpc("UpdateBillingService")
    def update(self, call: IncomingCall, request: app.UpdateBillingServiceRequest) -> app.UpdateBillingServiceResponse:
        organization = _enabled(call, request.org_id)
        call.store.run("UPDATE billing SET address = ? WHERE org_id = ?", _address(request), organization["id"])
        return app.UpdateBillingServiceResponse()

    @rpc("GetBillingServiceConfig")
    def get(
        self, call: IncomingCall, request: app.GetBillingServiceConfigRequest
    ) -> app.GetBillingServiceConfigResponse:
        organization = access.organization(call, request.org_id, "owner")
        address = _stored(call, organization)
        if address is None:
            raise not_found("a billing service of organization", organization["id"])
        reply = app.GetBillingServiceConfigResponse(
            support_email=organization["support_email"],
            logo_url=logo_url(organization),
            billing_dashboard_url=f"https://app.viam.com/billing/{organization['id']}",
        )
        reply.billing_address.ParseFromString(address)
        return reply


def _address(request: app.EnableBillingServiceRequest | app.UpdateBillingServiceRequest) -> bytes:
    """Return the address that a request carries, serialized.

    Raises:
        Refusal: INVALID_ARGUMENT: something that every address has is missing.
    """
    address = request.billing_address
    if missing := [name for name in _NEEDED if not getattr(address, name).strip()]:
        raise invalid(f"billing_address has no {', '.join(missing)}: an address needs {', '.join(_NEEDED)}")
    return address.SerializeToString()


def _stored(call: IncomingCall, organization: sqlite3.Row) -> bytes | None:
    address: bytes | None = call.store.value("SELECT address FROM billing WHERE org_id = ?", organization["id"])
    return address


def _enabled(call: IncomingCall, org_id: str) -> sqlite3.Row:
    organization = access.organization(call, org_id, "owner")
    if _stored(call, organization) is None:
        raise conflict(
            f"the billing service of organization {organization['name']!r} is off: turn it on with "
            "enable_billing_service first"
        )
    return organization
