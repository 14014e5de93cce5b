"""OAuth applications: what an organization's own users sign in to through Viam."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._refs import NotARef
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._nested import OAuthConfig
from viam_mcp.tools.arguments._types import Email, Name, OrganizationId
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import organization_name, quoted
from viam_mcp.tools.previews._organizations import organization_called
from viam_mcp.tools.previews._wording import GONE_FOR_GOOD, UNCHANGED, change, exact, state_of
from viam_mcp.tools.results._encode import encode
from viam_mcp.tools.results._output import Done, One, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

ON_REQUEST = True

_ClientId = Annotated[
    Name, Field(description="Client id of the application"), NotARef("an application of the organization beside it")
]


class CreateOauthApp(
    Tool,
    toolset="oauth_apps",
    effect=Effect.DESTRUCTIVE,
    reveals_secret=True,
    mints="remove the application with delete_oauth_app, or read its secret with read_oauth_app",
    grants=True,
    returns=Values(client_id=str, client_secret=str, secret="client_secret"),  # noqa: S106 - a member's name
):
    """Register an OAuth application. Its client secret is a credential. Returns client id and secret."""

    org_id: OrganizationId
    client_name: Name
    oauth_config: OAuthConfig

    async def subject(self, app: AppClient) -> str:
        return f"OAuth application {quoted(self.client_name)} of {await organization_name(app, self.org_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called = organization_called(await app.get_organization(self.org_id))
        lines = ["Users can sign in to it through Viam.", *_config_changes(wire.OAuthConfig(), self.oauth_config)]
        signs_in = Consequence(Risk.ACCESS, "LETS OTHERS SIGN IN", f"to {exact(self.client_name, sent=True)}")
        what = f"OAuth application {exact(self.client_name, sent=True)}"
        return called.of(what).preview(self, lines, consequences=[signs_in])

    async def run(self, app: AppClient) -> tuple[str, str]:
        made = await app.create_oauth_app(self.org_id, self.client_name, self.oauth_config.message())
        return made.client_id, made.client_secret


class _OneApp(Tool):
    """The arguments of the tools that take one application."""

    org_id: OrganizationId
    client_id: _ClientId

    async def subject(self, app: AppClient) -> str:
        return f"OAuth application {quoted(self.client_id)} of {await organization_name(app, self.org_id)}"


class ReadOauthApp(
    _OneApp, toolset="oauth_apps", reveals_secret=True, returns=One("oauth_app", wire.ReadOAuthAppResponse)
):
    """Get one OAuth application: name, configuration, client secret. The secret is a credential."""

    async def run(self, app: AppClient) -> wire.ReadOAuthAppResponse:
        return await app.read_oauth_app(self.org_id, self.client_id)


class UpdateOauthApp(
    _OneApp, toolset="oauth_apps", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Updated {subject}.")
):
    """Rename an OAuth application and replace its configuration: send all of it, as read_oauth_app gives it."""

    client_name: Name
    oauth_config: OAuthConfig

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        organization, present = await asyncio.gather(
            app.get_organization(self.org_id), app.read_oauth_app(self.org_id, self.client_id)
        )
        changes = _config_changes(present.oauth_config, self.oauth_config)
        lines = [*changes, *change("Name", present.client_name, self.client_name)]
        signs_in = [Consequence(Risk.ACCESS, "HOW OTHERS SIGN IN", changes[0])] if changes else []
        what = f"OAuth application {exact(present.client_name)} ({exact(self.client_id)})"
        return (
            organization_called(organization)
            .of(what)
            .preview(
                self,
                lines or [UNCHANGED],
                consequences=signs_in,
                bound=state_of(present.client_name, present.oauth_config),
            )
        )

    async def run(self, app: AppClient) -> None:
        await app.update_oauth_app(self.org_id, self.client_id, self.client_name, self.oauth_config.message())


class DeleteOauthApp(_OneApp, toolset="oauth_apps", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete an OAuth application. Its users can no longer sign in. This cannot be undone."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        organization, present = await asyncio.gather(
            app.get_organization(self.org_id), app.read_oauth_app(self.org_id, self.client_id)
        )
        what = f"OAuth application {exact(present.client_name)} ({exact(self.client_id)})"
        lines = [f"Its users can no longer sign in. {GONE_FOR_GOOD}"]
        deletes = Consequence(Risk.DELETIONS, "DELETES IT", "its users can no longer sign in")
        return organization_called(organization).of(what).preview(self, lines, consequences=[deletes])

    async def run(self, app: AppClient) -> None:
        await app.delete_oauth_app(self.org_id, self.client_id)


class ListOauthApps(Tool, toolset="oauth_apps", returns=Values(client_ids=list)):
    """List the client ids of an organization's OAuth applications; read_oauth_app tells what each is."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[str]:
        return await app.list_oauth_apps(self.org_id)


class CreateOauthAppUser(
    Tool,
    toolset="oauth_apps",
    effect=Effect.DESTRUCTIVE,
    reveals_secret=True,
    mints="have the user sign in with the password",
    grants=True,
    returns=Values(
        user_id=str, registration_id=str, auth_token=str, refresh_token=str, secret=("auth_token", "refresh_token")
    ),
):
    """Register a user of an OAuth application. Returns the user's id and tokens, which are credentials."""

    org_id: OrganizationId
    application_id: _ClientId
    email: Email
    first_name: Name
    last_name: Name
    password: Name

    async def subject(self, app: AppClient) -> str:
        application = f"OAuth application {quoted(self.application_id)}"
        return f"{quoted(self.email)} at {application} of {await organization_name(app, self.org_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        organization, present = await asyncio.gather(
            app.get_organization(self.org_id), app.read_oauth_app(self.org_id, self.application_id)
        )
        name = f"{exact(self.first_name, sent=True)} {exact(self.last_name, sent=True)}"
        what = f"OAuth application {exact(present.client_name)} ({exact(self.application_id)})"
        lines = [f"{exact(self.email)}, {name}, can sign in to it with the password that is sent."]
        gets = Consequence(Risk.ACCESS, "A NEW USER", exact(self.email))
        return organization_called(organization).of(what).preview(self, lines, consequences=[gets])

    async def run(self, app: AppClient) -> tuple[str, str, str, str]:
        made = await app.create_oauth_app_user(
            self.org_id, self.application_id, self.email, self.first_name, self.last_name, self.password
        )
        return made.user_id, made.registration_id, made.auth_token, made.refresh_token


def _config_changes(old: wire.OAuthConfig, new: OAuthConfig) -> list[str]:
    """Return a line for each setting that changes."""
    before, after = encode(old), encode(new.message())
    return [
        line
        for name in wire.OAuthConfig.DESCRIPTOR.fields_by_name
        for line in change(name, _words(before.get(name)), _words(after.get(name)))
    ]


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "none")
