"""Billing: an organization that bills its own customers through Viam."""

from __future__ import annotations

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

__all__ = ["BillingMethods"]


class BillingMethods(Subject):
    """Methods about the billing service of an organization."""

    async def enable_billing_service(self, org_id: str, billing_address: app.BillingAddress) -> None:
        """Turn the billing service of an organization on.

        Args:
            org_id: The organization.
            billing_address: The address on its invoices.
        """
        request = build(app.EnableBillingServiceRequest, org_id=org_id, billing_address=billing_address)
        await self._session.unary(self._stub.EnableBillingService, request)

    async def disable_billing_service(self, org_id: str) -> None:
        """Turn the billing service of an organization off.

        Args:
            org_id: The organization.
        """
        await self._session.unary(
            self._stub.DisableBillingService, build(app.DisableBillingServiceRequest, org_id=org_id)
        )

    async def update_billing_service(self, org_id: str, billing_address: app.BillingAddress) -> None:
        """Replace the billing address of an organization.

        Args:
            org_id: The organization.
            billing_address: The address on its invoices from now on.
        """
        request = build(app.UpdateBillingServiceRequest, org_id=org_id, billing_address=billing_address)
        await self._session.unary(self._stub.UpdateBillingService, request)

    async def get_billing_service_config(self, org_id: str) -> app.GetBillingServiceConfigResponse:
        """Get how the billing service of an organization is set up.

        Args:
            org_id: The organization.

        Returns:
            The whole answer of the server: address, support email, logo, address of the dashboard.
        """
        request = build(app.GetBillingServiceConfigRequest, org_id=org_id)
        return await self._session.unary(self._stub.GetBillingServiceConfig, request)
