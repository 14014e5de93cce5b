"""OAuth: the applications of organizations, and who signs in to them.

Which settings the service takes together is not published. Here each setting has to be made, and an
application needs the addresses that its grants send people to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rows.store import new_secret
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, names

if TYPE_CHECKING:
    import sqlite3

__all__ = ["SHORTEST_PASSWORD", "OAuthRpcs"]

SHORTEST_PASSWORD = 8

_SETTINGS = {"client_authentication": app.ClientAuthentication, "pkce": app.PKCE, "url_validation": app.URLValidation}
# Phone applications use schemes of their own, and an address may contain a wildcard.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]+\S*", re.IGNORECASE)
_REDIRECTING = (app.ENABLED_GRANT_AUTHORIZATION_CODE, app.ENABLED_GRANT_IMPLICIT)


class OAuthRpcs:
    """The rpcs about the auth service and OAuth applications."""

    @rpc("EnableAuthService")
    def enable(self, call: IncomingCall, request: app.EnableAuthServiceRequest) -> app.EnableAuthServiceResponse:
        organization = access.organization(call, request.org_id, "owner")
        if organization["auth_service"]:
            raise Refusal(
                Status.ALREADY_EXISTS, f"the auth service of organization {organization['name']!r} is on already"
            )
        call.store.run("UPDATE organizations SET auth_service = 1 WHERE id = ?", organization["id"])
        return app.EnableAuthServiceResponse()

    @rpc("DisableAuthService")
    def disable(self, call: IncomingCall, request: app.DisableAuthServiceRequest) -> app.DisableAuthServiceResponse:
        organization = _enabled(call, request.org_id)
        if count := call.store.value("SELECT count(*) FROM oauth_apps WHERE org_id = ?", organization["id"]):
            raise conflict(
                f"organization {organization['name']!r} still has {count} OAuth applications, whose users could no "
                "longer sign in: delete them first"
            )
        call.store.run("UPDATE organizations SET auth_service = 0 WHERE id = ?", organization["id"])
        return app.DisableAuthServiceResponse()

    @rpc("CreateOAuthApp")
    def create(self, call: IncomingCall, request: app.CreateOAuthAppRequest) -> app.CreateOAuthAppResponse:
        organization = _enabled(call, request.org_id)
        client_id, secret = call.store.new_uuid(), new_secret()
        call.store.insert(
            "oauth_apps",
            client_id=client_id,
            org_id=organization["id"],
            name=names.label(request.client_name, "application"),
            secret=secret,
            config=_config(request.oauth_config),
            created_on=call.now,
        )
        return app.CreateOAuthAppResponse(client_id=client_id, client_secret=secret)

    @rpc("ReadOAuthApp")
    def read(self, call: IncomingCall, request: app.ReadOAuthAppRequest) -> app.ReadOAuthAppResponse:
        row = _find(call, request.org_id, request.client_id)
        reply = app.ReadOAuthAppResponse(client_name=row["name"], client_secret=row["secret"])
        reply.oauth_config.ParseFromString(row["config"])
        return reply

    @rpc("UpdateOAuthApp")
    def update(self, call: IncomingCall, request: app.UpdateOAuthAppRequest) -> app.UpdateOAuthAppResponse:
        row = _find(call, request.org_id, request.client_id)
        call.store.run(
            "UPDATE oauth_apps SET name = ?, config = ? WHERE client_id = ?",
            names.label(request.client_name, "application"),
            _config(request.oauth_config),
            row["client_id"],
        )
        return app.UpdateOAuthAppResponse()

    @rpc("DeleteOAuthApp")
    def delete(self, call: IncomingCall, request: app.DeleteOAuthAppRequest) -> app.DeleteOAuthAppResponse:
        row = _find(call, request.org_id, request.client_id)
        call.store.run("DELETE FROM oauth_apps WHERE client_id = ?", row["client_id"])
        return app.DeleteOAuthAppResponse()

    @rpc("ListOAuthApps")
    def list(self, call: IncomingCall, request: app.ListOAuthAppsRequest) -> app.ListOAuthAppsResponse:
        organization = access.organization(call, request.org_id)
        rows = call.store.all(
            "SELECT client_id FROM oauth_apps WHERE org_id = ? ORDER BY created_on, client_id", organization["id"]
        )
        return app.ListOAuthAppsResponse(client_ids=[row["client_id"] for row in rows])

    @rpc("CreateOAuthAppUser")
    def create_user(self, call: IncomingCall, request: app.CreateOAuthAppUserRequest) -> app.CreateOAuthAppUserResponse:
        row = _find(call, request.org_id, request.application_id, "application_id")
        email = names.email(request.email)
        first_name, last_name = (names.label(name, "user") for name in (request.first_name, request.last_name))
        if len(request.password) < SHORTEST_PASSWORD:
            raise invalid(f"the password has fewer than {SHORTEST_PASSWORD} characters: choose a longer one")
        taken = "SELECT 1 FROM oauth_users WHERE client_id = ? AND email = ?"
        if call.store.one(taken, row["client_id"], email):
            raise Refusal(Status.ALREADY_EXISTS, f"{email} is a user of the application {row['name']!r} already")
        user_id = call.store.new_uuid()
        call.store.insert(
            "oauth_users",
            id=user_id,
            client_id=row["client_id"],
            email=email,
            first_name=first_name,
            last_name=last_name,
            created_on=call.now,
        )
        return app.CreateOAuthAppUserResponse(
            user_id=user_id,
            registration_id=call.store.new_uuid(),
            auth_token=new_secret(),
            refresh_token=new_secret(),
        )


def _enabled(call: IncomingCall, org_id: str) -> sqlite3.Row:
    organization = access.organization(call, org_id, "owner")
    if not organization["auth_service"]:
        raise conflict(
            f"the auth service of organization {organization['name']!r} is off: turn it on with enable_auth_service "
            "first"
        )
    return organization


def _find(call: IncomingCall, org_id: str, client_id: str, what: str = "client_id") -> sqlite3.Row:
    """Return an organization's application, for an owner, since its secret comes along."""
    organization = access.organization(call, org_id, "owner")
    row = call.store.one(
        "SELECT * FROM oauth_apps WHERE client_id = ? AND org_id = ?", access.uuid(client_id, what), organization["id"]
    )
    if row is None:
        raise not_found(f"in organization {organization['name']!r}, the OAuth application", client_id)
    return row


def _config(config: app.OAuthConfig) -> bytes:
    """Return a configuration, serialized.

    Raises:
        Refusal: INVALID_ARGUMENT: something is missing or no address.
    """
    for setting, kind in _SETTINGS.items():
        choices = {number: name for name, number in kind.items() if number}
        if getattr(config, setting) not in choices:
            raise invalid(f"oauth_config.{setting} is not set: give one of {', '.join(choices.values())}")
    if not config.enabled_grants or app.ENABLED_GRANT_UNSPECIFIED in config.enabled_grants:
        raise invalid("oauth_config.enabled_grants is empty: name at least one way in which people sign in")
    if not config.redirect_uris and any(grant in _REDIRECTING for grant in config.enabled_grants):
        raise invalid("oauth_config.redirect_uris is empty, but a grant sends people back to one of them: give one")
    optional = [uri for uri in (config.logout_uri, config.invite_redirect_uri) if uri]
    for uri in (*config.origin_uris, *config.redirect_uris, *optional):
        if not _ADDRESS.fullmatch(uri):
            raise invalid(f"oauth_config has {access.quoted(uri)}, which is no address like https://fleet.example/here")
    return config.SerializeToString()
