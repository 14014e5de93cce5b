"""The auth service: whether an organization can have OAuth applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._types import OrganizationId
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import organization_name
from viam_mcp.tools.previews._organizations import organization_called
from viam_mcp.tools.previews._wording import counted, state_of
from viam_mcp.tools.results._output import Done

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

ON_REQUEST = True


class _AuthService(Tool):
    """The argument of the tools about the auth service of an organization."""

    org_id: OrganizationId

    async def subject(self, app: AppClient) -> str:
        return f"the auth service of {await organization_name(app, self.org_id)}"

    async def _preview(self, app: AppClient, line: str, label: str) -> Preview:
        called = organization_called(await app.get_organization(self.org_id)).of("the auth service")
        apps = await app.list_oauth_apps(self.org_id)
        lines = [line, f"It has {counted('OAuth application', apps)}"]
        return called.preview(
            self, lines, consequences=[Consequence(Risk.ACCESS, label, lines[1])], bound=state_of(*apps)
        )


class EnableAuthService(
    _AuthService, toolset="auth_service", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Turned on {subject}.")
):
    """Let an organization have OAuth applications, whose users sign in through Viam."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, "It can have OAuth applications from then on.", "LETS OTHERS SIGN IN")

    async def run(self, app: AppClient) -> None:
        await app.enable_auth_service(self.org_id)


class DisableAuthService(
    _AuthService, toolset="auth_service", effect=Effect.DESTRUCTIVE, returns=Done("Turned off {subject}.")
):
    """Take the auth service from an organization. Refused while it has OAuth applications."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, "Users of its OAuth applications can no longer sign in.", "ENDS SIGNING IN")

    async def run(self, app: AppClient) -> None:
        await app.disable_auth_service(self.org_id)
