"""Notifications to phones: the push tokens of a caller's devices, and the Firebase projects behind them.

A token belongs to the application of an organization's Firebase configuration. When no organization has
that application any more, its tokens reach nothing and go with it.
"""

from __future__ import annotations

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, config, names

__all__ = ["NotificationRpcs"]


class NotificationRpcs:
    """The rpcs about push tokens and Firebase configurations."""

    @rpc("UploadDevicePushToken")
    def upload_token(
        self, call: IncomingCall, request: app.UploadDevicePushTokenRequest
    ) -> app.UploadDevicePushTokenResponse:
        _refuse_unknown(call, request.app_id)
        if not request.device_token:
            raise invalid("device_token is empty: send the token that the device got from Firebase")
        call.store.run(
            "INSERT OR REPLACE INTO push_tokens (identity_id, app_id, device_uuid, token) VALUES (?, ?, ?, ?)",
            call.identity_id,
            request.app_id,
            access.uuid(request.device_uuid, "device_uuid"),
            request.device_token,
        )
        return app.UploadDevicePushTokenResponse()

    @rpc("DeleteDevicePushToken")
    def delete_token(
        self, call: IncomingCall, request: app.DeleteDevicePushTokenRequest
    ) -> app.DeleteDevicePushTokenResponse:
        removed = call.store.run(
            "DELETE FROM push_tokens WHERE identity_id = ? AND app_id = ? AND device_uuid = ?",
            call.identity_id,
            request.app_id,
            access.uuid(request.device_uuid, "device_uuid"),
        )
        if not removed:
            raise not_found(
                f"for the application {access.quoted(request.app_id)}, a push token of device", request.device_uuid
            )
        return app.DeleteDevicePushTokenResponse()

    @rpc("GetDevicePushTokens")
    def tokens(self, call: IncomingCall, request: app.GetDevicePushTokensRequest) -> app.GetDevicePushTokensResponse:
        _refuse_unknown(call, request.app_id)
        rows = call.store.all(
            "SELECT token FROM push_tokens WHERE identity_id = ? AND app_id = ? ORDER BY device_uuid",
            call.identity_id,
            request.app_id,
        )
        return app.GetDevicePushTokensResponse(device_tokens=[row["token"] for row in rows])

    @rpc("SetFirebaseConfig")
    def set_firebase(self, call: IncomingCall, request: app.SetFirebaseConfigRequest) -> app.SetFirebaseConfigResponse:
        organization = access.organization(call, request.org_id, "owner")
        app_id = names.label(request.app_id, "Firebase application")
        config.parse(request.config_json, "config_json")
        call.store.run(
            "INSERT INTO firebase_configs (org_id, app_id, config_json) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET app_id = excluded.app_id, config_json = excluded.config_json",
            organization["id"],
            app_id,
            request.config_json,
        )
        return app.SetFirebaseConfigResponse()

    @rpc("GetFirebaseConfig")
    def get_firebase(self, call: IncomingCall, request: app.GetFirebaseConfigRequest) -> app.GetFirebaseConfigResponse:
        organization = access.organization(call, request.org_id)
        app_id = call.store.value("SELECT app_id FROM firebase_configs WHERE org_id = ?", organization["id"])
        if app_id is None:
            raise not_found("a Firebase configuration of organization", organization["id"])
        return app.GetFirebaseConfigResponse(app_id=app_id)

    @rpc("DeleteFirebaseConfig")
    def delete_firebase(
        self, call: IncomingCall, request: app.DeleteFirebaseConfigRequest
    ) -> app.DeleteFirebaseConfigResponse:
        organization = access.organization(call, request.org_id, "owner")
        removed = call.store.run(
            "DELETE FROM firebase_configs WHERE org_id = ? AND app_id = ?", organization["id"], request.app_id
        )
        if not removed:
            raise not_found(
                f"in organization {organization['name']!r}, a Firebase configuration for application", request.app_id
            )
        return app.DeleteFirebaseConfigResponse()


def _refuse_unknown(call: IncomingCall, app_id: str) -> None:
    """Go on only for an application that an organization of the caller's has.

    Raises:
        Refusal: NOT_FOUND.
    """
    rows = call.store.all("SELECT org_id FROM firebase_configs WHERE app_id = ?", app_id)
    if not any(access.holds(call, "visible", "organization", row["org_id"]) for row in rows):
        raise not_found("in the caller's organizations, a Firebase configuration for application", app_id)
