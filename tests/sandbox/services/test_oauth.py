"""The auth service, OAuth applications and their users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.client import named, signed_in
from viam_mcp.app import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from viam_mcp.proto import app as wire
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

CONFIG = wire.OAuthConfig(
    client_authentication=wire.CLIENT_AUTHENTICATION_REQUIRED,
    pkce=wire.PKCE_NOT_REQUIRED,
    url_validation=wire.URL_VALIDATION_ALLOW_WILDCARDS,
    origin_uris=["https://fleet.example"],
    redirect_uris=["https://*.fleet.example/back", "com.fleet.phone://back"],
    enabled_grants=[wire.ENABLED_GRANT_AUTHORIZATION_CODE],
)


@pytest.fixture
async def org(app: AppClient) -> str:
    """A new organization whose auth service is on."""
    org_id = (await app.create_organization("OAuth")).id
    await app.enable_auth_service(org_id)
    return org_id


def with_(**fields: Any) -> wire.OAuthConfig:
    config = wire.OAuthConfig()
    config.CopyFrom(CONFIG)
    for name in fields:
        config.ClearField(name)
    config.MergeFrom(wire.OAuthConfig(**fields))
    return config


async def test_an_application_from_its_registration_to_its_end(app: AppClient, org: str) -> None:
    made = await app.create_oauth_app(org, "Console", CONFIG)
    assert await app.list_oauth_apps(org) == [made.client_id]

    read = await app.read_oauth_app(org, made.client_id)
    assert (read.client_name, read.client_secret, read.oauth_config) == ("Console", made.client_secret, CONFIG)
    assert len(made.client_secret) >= 32

    changed = with_(pkce=wire.PKCE_REQUIRED, logout_uri="https://fleet.example/bye")
    await app.update_oauth_app(org, made.client_id, "Console 2", changed)
    read = await app.read_oauth_app(org, made.client_id)
    assert (read.client_name, read.client_secret, read.oauth_config) == ("Console 2", made.client_secret, changed)

    await app.delete_oauth_app(org, made.client_id)
    assert await app.list_oauth_apps(org) == []
    with pytest.raises(NotFound, match="OAuth application"):
        await app.read_oauth_app(org, made.client_id)


async def test_the_auth_service_is_needed_and_stays_while_there_are_applications(app: AppClient) -> None:
    org = (await app.create_organization("OAuth")).id
    with pytest.raises(FailedPrecondition, match="enable_auth_service"):
        await app.create_oauth_app(org, "Console", CONFIG)
    with pytest.raises(FailedPrecondition, match="is off"):
        await app.disable_auth_service(org)
    await app.enable_auth_service(org)
    with pytest.raises(AlreadyExists, match="on already"):
        await app.enable_auth_service(org)
    client_id = (await app.create_oauth_app(org, "Console", CONFIG)).client_id
    with pytest.raises(FailedPrecondition, match="1 OAuth applications"):
        await app.disable_auth_service(org)
    for location in await app.list_locations(org):
        await app.delete_location(location.id)
    with pytest.raises(FailedPrecondition, match="1 OAuth application:"):
        await app.delete_organization(org)
    await app.delete_oauth_app(org, client_id)
    await app.disable_auth_service(org)
    await app.delete_organization(org)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (with_(pkce=wire.PKCE_UNSPECIFIED), "pkce is not set: give one of PKCE_REQUIRED, PKCE_NOT_REQUIRED"),
        (with_(client_authentication=0), "client_authentication is not set"),
        (with_(url_validation=99), "url_validation is not set"),
        (with_(enabled_grants=[]), "enabled_grants is empty"),
        (with_(redirect_uris=[]), "redirect_uris is empty"),
        (with_(redirect_uris=["fleet.example"]), "'fleet.example', which is no address"),
        (with_(logout_uri="/bye"), "'/bye', which is no address"),
    ],
)
async def test_a_configuration_that_cannot_work_is_refused(
    app: AppClient, org: str, config: wire.OAuthConfig, complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        await app.create_oauth_app(org, "Console", config)
    client_id = (await app.create_oauth_app(org, "Console", CONFIG)).client_id
    with pytest.raises(InvalidArgument, match=complaint):
        await app.update_oauth_app(org, client_id, "Console", config)
    assert (await app.read_oauth_app(org, client_id)).oauth_config == CONFIG


async def test_a_user_is_registered_once(app: AppClient, org: str) -> None:
    client_id = (await app.create_oauth_app(org, "Console", CONFIG)).client_id
    user = await app.create_oauth_app_user(org, client_id, "A@b.example", "Ada", "Byron", "long enough")
    assert len({user.user_id, user.registration_id, user.auth_token, user.refresh_token, ""}) == 5
    with pytest.raises(AlreadyExists, match=r"a@b\.example"):
        await app.create_oauth_app_user(org, client_id, "a@b.example", "Ada", "Byron", "long enough")
    other = (await app.create_oauth_app(org, "Other", CONFIG)).client_id
    await app.create_oauth_app_user(org, other, "a@b.example", "Ada", "Byron", "long enough")


@pytest.mark.parametrize(
    ("email", "password", "complaint"),
    [("nobody", "long enough", "expected an address"), ("a@b.example", "short", "8")],
)
async def test_a_user_needs_an_address_and_a_password(
    sandbox: Sandbox, app: AppClient, email: str, password: str, complaint: str
) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    (client_id,) = await app.list_oauth_apps(tidewater)
    with pytest.raises(InvalidArgument, match=complaint) as error:
        await app.create_oauth_app_user(tidewater, client_id, email, "Ada", "Byron", password)
    assert password not in str(error.value)


async def test_operators_see_which_applications_there_are_and_none_of_their_secrets(sandbox: Sandbox) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    async with signed_in(sandbox, "fleet-dashboard") as operator:
        (client_id,) = await operator.list_oauth_apps(tidewater)
        with pytest.raises(PermissionDenied):
            await operator.read_oauth_app(tidewater, client_id)


async def test_an_application_is_found_in_its_own_organization_alone(
    sandbox: Sandbox, app: AppClient, org: str
) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)
    (client_id,) = await app.list_oauth_apps(tidewater)
    with pytest.raises(NotFound):
        await app.read_oauth_app(org, client_id)
