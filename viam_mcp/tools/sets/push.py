"""Notifications to phones: the push tokens of the key's devices, and the Firebase projects behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from viam_mcp.app import NotFound
from viam_mcp.tools._refs import NotARef
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._types import Name, OrganizationId, _Uuid
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import organization_name, quoted
from viam_mcp.tools.previews._organizations import organization_called
from viam_mcp.tools.previews._wording import GONE_FOR_GOOD, change, count, exact, preview, state_of
from viam_mcp.tools.results._output import Done, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

ON_REQUEST = True

_FirebaseApp = Annotated[Name, Field(description="Firebase application"), NotARef("it names nothing of the fleet")]
_Device = Annotated[_Uuid, Field(description="Device, a UUID"), NotARef("a phone is not a thing of the fleet")]
_Secret = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class _OneDevice(Tool):
    """The arguments of the tools that take one device."""

    app_id: _FirebaseApp

    async def _preview(self, app: AppClient, line: str) -> Preview:
        # The tokens are bound as a digest, and none of them is shown.
        tokens = await app.get_device_push_tokens(self.app_id)
        lines = [line, f"The key has {count(len(tokens), 'device')} with this application."]
        return preview(self, await self.subject(app), lines, bound=state_of(*tokens))


class UploadDevicePushToken(
    _OneDevice,
    toolset="push",
    effect=Effect.DESTRUCTIVE,
    scoped_by=ScopedBy.NOTHING,
    returns=Done("It gets notifications: {subject}."),
):
    """Have a device of the configured key get notifications. Replaces the token that the device had."""

    device_token: Annotated[_Secret, Field(description="A credential")]
    device_uuid: _Device

    async def subject(self, app: AppClient) -> str:
        return f"device {self.device_uuid} at Firebase application {quoted(self.app_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, "It gets the key's notifications; a token that it had is replaced.")

    async def run(self, app: AppClient) -> None:
        await app.upload_device_push_token(self.app_id, self.device_token, self.device_uuid)


class DeleteDevicePushToken(
    _OneDevice,
    toolset="push",
    effect=Effect.DESTRUCTIVE,
    scoped_by=ScopedBy.NOTHING,
    returns=Done("It gets no more notifications: {subject}."),
):
    """Have a device of the configured key get no more notifications."""

    device_uuid: _Device

    async def subject(self, app: AppClient) -> str:
        return f"device {self.device_uuid} at Firebase application {quoted(self.app_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, "It gets no more notifications of the key, and its token is deleted.")

    async def run(self, app: AppClient) -> None:
        await app.delete_device_push_token(self.app_id, self.device_uuid)


class GetDevicePushTokens(
    Tool,
    toolset="push",
    scoped_by=ScopedBy.NOTHING,
    reveals_secret=True,
    returns=Values(device_tokens=list, secret="device_tokens"),  # noqa: S106 - a member's name
):
    """List the push tokens of the configured key's devices. They are credentials."""

    app_id: _FirebaseApp

    async def run(self, app: AppClient) -> list[str]:
        return await app.get_device_push_tokens(self.app_id)


class _Firebase(Tool):
    """The argument of the tools about the Firebase project of an organization."""

    org_id: OrganizationId

    async def subject(self, app: AppClient) -> str:
        return f"the Firebase configuration of {await organization_name(app, self.org_id)}"

    async def _preview(self, app: AppClient, *lines: str, label: str, new: str) -> Preview:
        called = organization_called(await app.get_organization(self.org_id)).of("the Firebase configuration")
        try:
            present = await app.get_firebase_config(self.org_id)
        except NotFound:
            present = ""
        changes = [*change("Firebase application", present, new), *lines]
        risk = Risk.ACCESS if new else Risk.DELETIONS
        names = exact(new or present)
        return called.preview(self, changes, consequences=[Consequence(risk, label, names)], bound=state_of(present))


class SetFirebaseConfig(_Firebase, toolset="push", effect=Effect.DESTRUCTIVE, returns=Done("Set {subject}.")):
    """Set the Firebase project that an organization's notifications go through, in place of the present one."""

    app_id: _FirebaseApp
    config_json: Annotated[_Secret, Field(description="The project's configuration, JSON text; a credential")]

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        # What is stored is not given out, so whether it differs cannot be seen.
        line = "All notifications go through the project in the configuration that is sent, which is not shown."
        return await self._preview(app, line, label="SENDS THROUGH ANOTHER PROJECT", new=self.app_id)

    async def run(self, app: AppClient) -> None:
        await app.set_firebase_config(self.org_id, self.app_id, self.config_json)


class GetFirebaseConfig(Tool, toolset="push", returns=Values(app_id=str)):
    """Get the Firebase application of an organization. Its configuration is not given out."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> str:
        return await app.get_firebase_config(self.org_id)


class DeleteFirebaseConfig(_Firebase, toolset="push", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete an organization's Firebase configuration: its notifications end. This cannot be undone."""

    app_id: _FirebaseApp

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        line = f"Notifications end, and the tokens of the devices with {exact(self.app_id)} go. {GONE_FOR_GOOD}"
        return await self._preview(app, line, label="ENDS NOTIFICATIONS", new="")

    async def run(self, app: AppClient) -> None:
        await app.delete_firebase_config(self.org_id, self.app_id)
