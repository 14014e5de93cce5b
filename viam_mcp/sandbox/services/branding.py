"""Branding: support emails, logos, and the hosted applications that modules bring."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, names, registry_items

if TYPE_CHECKING:
    import sqlite3

__all__ = ["LOGO_LIMIT", "BrandingRpcs", "logo_url"]

LOGO_LIMIT = 200 * 1024  # bytes

_PNG = b"\x89PNG\r\n\x1a\n"
_TYPES = {"single_machine": app.APP_TYPE_SINGLE_MACHINE, "multi_machine": app.APP_TYPE_MULTI_MACHINE}


class BrandingRpcs:
    """The rpcs about how organizations and their applications look."""

    @rpc("OrganizationSetSupportEmail")
    def set_support_email(
        self, call: IncomingCall, request: app.OrganizationSetSupportEmailRequest
    ) -> app.OrganizationSetSupportEmailResponse:
        organization = access.organization(call, request.org_id, "owner")
        email = names.email(request.email)
        call.store.run("UPDATE organizations SET support_email = ? WHERE id = ?", email, organization["id"])
        return app.OrganizationSetSupportEmailResponse()

    @rpc("OrganizationGetSupportEmail")
    def get_support_email(
        self, call: IncomingCall, request: app.OrganizationGetSupportEmailRequest
    ) -> app.OrganizationGetSupportEmailResponse:
        organization = access.organization(call, request.org_id, "visible")
        return app.OrganizationGetSupportEmailResponse(email=organization["support_email"])

    @rpc("OrganizationSetLogo")
    def set_logo(self, call: IncomingCall, request: app.OrganizationSetLogoRequest) -> app.OrganizationSetLogoResponse:
        organization = access.organization(call, request.org_id, "owner")
        if len(request.logo) > LOGO_LIMIT:
            raise invalid(f"the logo has {len(request.logo)} bytes: at most {LOGO_LIMIT} are allowed")
        if not request.logo.startswith(_PNG):
            raise invalid("the logo is no PNG file: convert it to PNG")
        call.store.run("UPDATE organizations SET logo = ? WHERE id = ?", request.logo, organization["id"])
        return app.OrganizationSetLogoResponse()

    @rpc("OrganizationGetLogo")
    def get_logo(self, call: IncomingCall, request: app.OrganizationGetLogoRequest) -> app.OrganizationGetLogoResponse:
        return app.OrganizationGetLogoResponse(url=logo_url(access.organization(call, request.org_id, "visible")))

    @rpc("GetAppContent")
    def app_content(self, call: IncomingCall, request: app.GetAppContentRequest) -> app.GetAppContentResponse:
        module, hosted = _find(call, request.public_namespace, request.name)
        version = next(reversed(registry_items.versions(call.store, module)), "")
        return app.GetAppContentResponse(
            blob_path=f"{module['org_id']}/{module['name']}/{version}/{hosted.name}",
            entrypoint=hosted.entrypoint,
            app_type=_TYPES.get(hosted.type, app.APP_TYPE_UNSPECIFIED),
            public=module["visibility"] != app.VISIBILITY_PRIVATE,
        )

    @rpc("GetAppBranding")
    def app_branding(self, call: IncomingCall, request: app.GetAppBrandingRequest) -> app.GetAppBrandingResponse:
        _, hosted = _find(call, request.public_namespace, request.name)
        reply = app.GetAppBrandingResponse(
            logo_path=hosted.logo_path if hosted.HasField("logo_path") else None,
            fragment_ids=hosted.fragment_ids,
            allowed_org_ids=hosted.allowed_org_ids.ids,
        )
        for place, texts in hosted.customizations.ListFields():
            for field, text in texts.ListFields():
                reply.text_customizations[place.name].fields[field.name] = text
        return reply


def logo_url(organization: sqlite3.Row) -> str:
    """Return where an organization's logo is, or "" if it has none. Another logo has another URL."""
    if organization["logo"] is None:
        return ""
    return f"https://app.viam.com/logo/{organization['id']}/{hashlib.sha256(organization['logo']).hexdigest()[:16]}.png"


def _find(call: IncomingCall, namespace: str, name: str) -> tuple[sqlite3.Row, app.App]:
    """Return the application of that name among an organization's modules, and its module.

    Raises:
        Refusal: NOT_FOUND: there is none that the caller may see.
    """
    for row in registry_items.rows(call.store, registry_items.OF_NAMESPACE, namespace, namespace):
        offered = app.Module.FromString(row["models"] or b"")
        for hosted in offered.apps:
            if hosted.name == name and registry_items.may_see(call, row):
                return row, hosted
    raise not_found("application", f"{namespace}:{name}")
