"""OAuth: applications of an organization whose users sign in through Viam."""

from __future__ import annotations

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

__all__ = ["OAuthMethods"]


class OAuthMethods(Subject):
    """Methods about the auth service of an organization and its OAuth applications.

    An application is named by its client id. Its client secret is a credential.
    """

    async def enable_auth_service(self, org_id: str) -> None:
        """Let an organization have OAuth applications.

        Args:
            org_id: The organization.
        """
        await self._session.unary(self._stub.EnableAuthService, build(app.EnableAuthServiceRequest, org_id=org_id))

    async def disable_auth_service(self, org_id: str) -> None:
        """Take the auth service from an organization.

        Args:
            org_id: The organization.
        """
        await self._session.unary(self._stub.DisableAuthService, build(app.DisableAuthServiceRequest, org_id=org_id))

    async def create_oauth_app(
        self, org_id: str, client_name: str, oauth_config: app.OAuthConfig
    ) -> app.CreateOAuthAppResponse:
        """Register an OAuth application.

        Args:
            org_id: The organization that it will belong to.
            client_name: Its name.
            oauth_config: How it may sign its users in.

        Returns:
            Its client id and its client secret, which is a credential.
        """
        request = build(app.CreateOAuthAppRequest, org_id=org_id, client_name=client_name, oauth_config=oauth_config)
        return await self._session.unary(self._stub.CreateOAuthApp, request)

    async def read_oauth_app(self, org_id: str, client_id: str) -> app.ReadOAuthAppResponse:
        """Get an OAuth application.

        Args:
            org_id: The organization that it belongs to.
            client_id: The application.

        Returns:
            Its name, its configuration, and its client secret, which is a credential.
        """
        request = build(app.ReadOAuthAppRequest, org_id=org_id, client_id=client_id)
        return await self._session.unary(self._stub.ReadOAuthApp, request)

    async def update_oauth_app(
        self, org_id: str, client_id: str, client_name: str, oauth_config: app.OAuthConfig
    ) -> None:
        """Rename an OAuth application and replace its configuration.

        Args:
            org_id: The organization that it belongs to.
            client_id: The application.
            client_name: Its name from now on.
            oauth_config: Its configuration from now on.
        """
        request = build(
            app.UpdateOAuthAppRequest,
            org_id=org_id,
            client_id=client_id,
            client_name=client_name,
            oauth_config=oauth_config,
        )
        await self._session.unary(self._stub.UpdateOAuthApp, request)

    async def delete_oauth_app(self, org_id: str, client_id: str) -> None:
        """Delete an OAuth application: its users can no longer sign in.

        Args:
            org_id: The organization that it belongs to.
            client_id: The application.
        """
        request = build(app.DeleteOAuthAppRequest, org_id=org_id, client_id=client_id)
        await self._session.unary(self._stub.DeleteOAuthApp, request)

    async def list_oauth_apps(self, org_id: str) -> list[str]:
        """List the OAuth applications of an organization.

        Args:
            org_id: The organization.

        Returns:
            Their client ids.
        """
        return list(
            (
                await self._session.unary(self._stub.ListOAuthApps, build(app.ListOAuthAppsRequest, org_id=org_id))
            ).client_ids
        )

    async def create_oauth_app_user(
        self,
        org_id: str,
        application_id: str,
        email: str,
        first_name: str,
        last_name: str,
        password: str,
        timeout: float | None = None,
    ) -> app.CreateOAuthAppUserResponse:
        """Register a user of an OAuth application.

        Args:
            org_id: The organization that the application belongs to.
            application_id: The application, by its client id.
            email: The address that the user signs in with.
            first_name: The user's first name.
            last_name: The user's last name.
            password: The user's password. It is a credential.
            timeout: Seconds for the call, instead of the client's.

        Returns:
            The user's id and registration, with an access token and a refresh token, which are credentials.
        """
        request = build(
            app.CreateOAuthAppUserRequest,
            org_id=org_id,
            application_id=application_id,
            email=email,
            first_name=first_name,
            last_name=last_name,
            password=password,
        )
        return await self._session.unary(self._stub.CreateOAuthAppUser, request, timeout=timeout)
