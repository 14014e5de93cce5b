"""Notifications to phones: the devices of a caller, and the Firebase project that reaches them."""

from __future__ import annotations

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

__all__ = ["NotificationMethods"]


class NotificationMethods(Subject):
    """Methods about push tokens and Firebase.

    A push token lets its holder send notifications to a device, and a Firebase configuration lets its
    holder send them in the organization's name. Both are credentials.
    """

    async def upload_device_push_token(
        self, app_id: str, device_token: str, device_uuid: str, timeout: float | None = None
    ) -> None:
        """Have a device of the caller receive notifications.

        Args:
            app_id: The Firebase application on the device.
            device_token: The device's push token. It replaces the one that the device had.
            device_uuid: The device, a UUID.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(
            app.UploadDevicePushTokenRequest, app_id=app_id, device_token=device_token, device_uuid=device_uuid
        )
        await self._session.unary(self._stub.UploadDevicePushToken, request, timeout=timeout)

    async def delete_device_push_token(self, app_id: str, device_uuid: str, timeout: float | None = None) -> None:
        """Have a device of the caller receive no more notifications.

        Args:
            app_id: The Firebase application on the device.
            device_uuid: The device, a UUID.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(app.DeleteDevicePushTokenRequest, app_id=app_id, device_uuid=device_uuid)
        await self._session.unary(self._stub.DeleteDevicePushToken, request, timeout=timeout)

    async def get_device_push_tokens(self, app_id: str, timeout: float | None = None) -> list[str]:
        """List the push tokens of the caller's devices. They are credentials.

        Args:
            app_id: The Firebase application on the devices.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(app.GetDevicePushTokensRequest, app_id=app_id)
        return list((await self._session.unary(self._stub.GetDevicePushTokens, request, timeout=timeout)).device_tokens)

    async def set_firebase_config(
        self, org_id: str, app_id: str, config_json: str, timeout: float | None = None
    ) -> None:
        """Set the Firebase project that an organization's notifications go through.

        Args:
            org_id: The organization.
            app_id: The Firebase application.
            config_json: The project's configuration, as JSON text. It is a credential.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(app.SetFirebaseConfigRequest, org_id=org_id, app_id=app_id, config_json=config_json)
        await self._session.unary(self._stub.SetFirebaseConfig, request, timeout=timeout)

    async def get_firebase_config(self, org_id: str, timeout: float | None = None) -> str:
        """Get the Firebase application of an organization.

        Args:
            org_id: The organization.
            timeout: Seconds for the call, instead of the client's.

        Returns:
            The application's id. The configuration is not given out again.
        """
        request = build(app.GetFirebaseConfigRequest, org_id=org_id)
        return (await self._session.unary(self._stub.GetFirebaseConfig, request, timeout=timeout)).app_id

    async def delete_firebase_config(self, org_id: str, app_id: str, timeout: float | None = None) -> None:
        """Delete the Firebase configuration of an organization: its notifications end.

        Args:
            org_id: The organization.
            app_id: The Firebase application.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(app.DeleteFirebaseConfigRequest, org_id=org_id, app_id=app_id)
        await self._session.unary(self._stub.DeleteFirebaseConfig, request, timeout=timeout)
