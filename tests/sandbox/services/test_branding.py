"""Support emails, logos, and hosted applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import Calls, connected, named, refused, role
from viam_mcp.app import InvalidArgument, NotFound
from viam_mcp.proto import app as wire
from viam_mcp.sandbox.demo import fleet
from viam_mcp.sandbox.demo.extras import LOGO
from viam_mcp.sandbox.services.branding import LOGO_LIMIT

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


@pytest.fixture
def kestrel(sandbox: Sandbox) -> str:
    return named(sandbox, "organizations", fleet.KESTREL)


async def test_a_support_email_is_set_and_empty_before(app: AppClient) -> None:
    org_id = (await app.create_organization("Branding")).id
    assert await app.organization_get_support_email(org_id) == ""
    await app.organization_set_support_email(org_id, "Help@Branding.example")
    assert await app.organization_get_support_email(org_id) == "help@branding.example"
    with pytest.raises(InvalidArgument, match="expected an address"):
        await app.organization_set_support_email(org_id, "nowhere")


async def test_another_logo_has_another_url(app: AppClient, kestrel: str) -> None:
    assert await app.organization_get_logo(kestrel) == ""
    await app.organization_set_logo(kestrel, LOGO)
    first = await app.organization_get_logo(kestrel)
    assert kestrel in first
    await app.organization_set_logo(kestrel, LOGO + b"\0")
    assert await app.organization_get_logo(kestrel) != first


@pytest.mark.parametrize(
    ("logo", "complaint"), [(b"", "no PNG"), (b"GIF89a", "no PNG"), (LOGO + bytes(LOGO_LIMIT), "at most")]
)
async def test_a_logo_that_is_no_small_png_is_refused(
    app: AppClient, kestrel: str, logo: bytes, complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        await app.organization_set_logo(kestrel, logo)
    assert await app.organization_get_logo(kestrel) == ""


async def test_a_hosted_application_is_found_by_namespace_and_name(sandbox: Sandbox, app: AppClient) -> None:
    content = await app.get_app_content("kestrel", "field-editor")
    assert (content.entrypoint, content.app_type) == ("dist/index.html", wire.APP_TYPE_SINGLE_MACHINE)
    assert content.public
    assert content.blob_path.endswith("safety-scanner/1.1.0/field-editor")
    private = await app.get_app_content("tidewater", "pick-monitor")
    assert (private.public, private.app_type) == (False, wire.APP_TYPE_MULTI_MACHINE)
    with pytest.raises(NotFound, match="kestrel:pick-monitor"):
        await app.get_app_content("kestrel", "pick-monitor")


async def test_branding_has_the_logo_and_the_texts_of_the_application(app: AppClient) -> None:
    branding = await app.get_app_branding("kestrel", "field-editor")
    assert branding.logo_path == "dist/logo.svg"
    assert dict(branding.text_customizations["machine_picker"].fields) == {
        "heading": "Choose a cell",
        "subheading": "Cells with a scanner",
    }
    assert not (await app.get_app_branding("tidewater", "pick-monitor")).HasField("logo_path")


async def test_an_application_of_a_private_module_is_for_its_organization(sandbox: Sandbox, call: Calls) -> None:
    kestrel = named(sandbox, "organizations", fleet.KESTREL)
    made = await call("CreateKey", name="k", authorizations=[role(kestrel, "organization", kestrel)])
    async with connected(sandbox, made.id, made.key) as outsider:
        assert (await outsider("GetAppContent", public_namespace="kestrel", name="field-editor")).entrypoint
        for rpc in ("GetAppContent", "GetAppBranding"):
            with refused(Status.NOT_FOUND):
                await outsider(rpc, public_namespace="tidewater", name="pick-monitor")
