"""Branding: how an organization and its hosted applications look to its own customers."""

from __future__ import annotations

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

__all__ = ["BrandingMethods"]


class BrandingMethods(Subject):
    """Methods about an organization's support email and logo, and about its hosted applications."""

    async def organization_set_support_email(self, org_id: str, email: str) -> None:
        """Set the address that an organization's customers write to.

        Args:
            org_id: The organization.
            email: The address.
        """
        request = build(app.OrganizationSetSupportEmailRequest, org_id=org_id, email=email)
        await self._session.unary(self._stub.OrganizationSetSupportEmail, request)

    async def organization_get_support_email(self, org_id: str) -> str:
        """Get the address that an organization's customers write to.

        Args:
            org_id: The organization.

        Returns:
            The address, empty if none is set.
        """
        request = build(app.OrganizationGetSupportEmailRequest, org_id=org_id)
        return (await self._session.unary(self._stub.OrganizationGetSupportEmail, request)).email

    async def organization_set_logo(self, org_id: str, logo: bytes) -> None:
        """Set the logo of an organization.

        Args:
            org_id: The organization.
            logo: The picture, a PNG file.
        """
        request = build(app.OrganizationSetLogoRequest, org_id=org_id, logo=logo)
        await self._session.unary(self._stub.OrganizationSetLogo, request)

    async def organization_get_logo(self, org_id: str) -> str:
        """Get the address of an organization's logo.

        Args:
            org_id: The organization.

        Returns:
            Its URL, empty if none is set.
        """
        request = build(app.OrganizationGetLogoRequest, org_id=org_id)
        return (await self._session.unary(self._stub.OrganizationGetLogo, request)).url

    async def get_app_content(self, public_namespace: str, name: str) -> app.GetAppContentResponse:
        """Get where the files of a hosted application are.

        Args:
            public_namespace: The namespace of the organization that publishes it.
            name: Its name.

        Returns:
            The whole answer of the server: path of the files, entrypoint, type, whether it is public.
        """
        request = build(app.GetAppContentRequest, public_namespace=public_namespace, name=name)
        return await self._session.unary(self._stub.GetAppContent, request)

    async def get_app_branding(self, public_namespace: str, name: str) -> app.GetAppBrandingResponse:
        """Get how a hosted application looks: logo and texts, and whom it is for.

        Args:
            public_namespace: The namespace of the organization that publishes it.
            name: Its name.

        Returns:
            The whole answer of the server.
        """
        request = build(app.GetAppBrandingRequest, public_namespace=public_namespace, name=name)
        return await self._session.unary(self._stub.GetAppBranding, request)
