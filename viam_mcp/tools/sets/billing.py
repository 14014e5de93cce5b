"""Billing: an organization that bills its own customers through Viam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app import NotFound
from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._nested import BillingAddress
from viam_mcp.tools.arguments._types import OrganizationId
from viam_mcp.tools.previews._names import organization_name
from viam_mcp.tools.previews._organizations import organization_called
from viam_mcp.tools.previews._wording import UNCHANGED, exact, state_of
from viam_mcp.tools.results._output import Done, One

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
    from viam_mcp.tools.previews._model import Preview

ON_REQUEST = True


class _Billing(Tool):
    """The argument of the tools about the billing service of an organization."""

    org_id: OrganizationId

    async def subject(self, app: AppClient) -> str:
        return f"the billing service of {await organization_name(app, self.org_id)}"

    async def _preview(self, app: AppClient, new: wire.BillingAddress | None, effect: str) -> Preview:
        """Return the preview of a call that gives the service another address, or none."""
        called = organization_called(await app.get_organization(self.org_id)).of("the billing service")
        try:
            present = (await app.get_billing_service_config(self.org_id)).billing_address
        except NotFound:
            old, bound = "off", state_of("off")
        else:
            old, bound = _words(present), state_of(present)
        now = "off" if new is None else _words(new)
        lines = [f"It is {old}; it gets {now}.", effect] if now != old else [UNCHANGED]
        return called.preview(self, lines, bound=bound)


class EnableBillingService(
    _Billing, toolset="billing", effect=Effect.DESTRUCTIVE, returns=Done("Turned on {subject}.")
):
    """Turn an organization's billing service on, with the address for its invoices."""

    billing_address: BillingAddress

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, self.billing_address.message(), "Its customers are billed from then on.")

    async def run(self, app: AppClient) -> None:
        await app.enable_billing_service(self.org_id, self.billing_address.message())


class DisableBillingService(
    _Billing, toolset="billing", effect=Effect.DESTRUCTIVE, returns=Done("Turned off {subject}.")
):
    """Turn an organization's billing service off."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, None, "Its customers are no longer billed, and its address is gone.")

    async def run(self, app: AppClient) -> None:
        await app.disable_billing_service(self.org_id)


class UpdateBillingService(_Billing, toolset="billing", effect=Effect.DESTRUCTIVE, returns=Done("Updated {subject}.")):
    """Replace the address on an organization's invoices."""

    billing_address: BillingAddress

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, self.billing_address.message(), "It stands on all invoices from then on.")

    async def run(self, app: AppClient) -> None:
        await app.update_billing_service(self.org_id, self.billing_address.message())


class GetBillingServiceConfig(Tool, toolset="billing", returns=One("billing", wire.GetBillingServiceConfigResponse)):
    """Get how an organization's billing service is set up: address, support email, logo, dashboard."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> wire.GetBillingServiceConfigResponse:
        return await app.get_billing_service_config(self.org_id)


def _words(address: wire.BillingAddress) -> str:
    return f"on, with the address {', '.join(exact(value) for _, value in address.ListFields())}"
