"""What the demo fleet's organizations have beside their machines, as data: billing, branding, applications."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from viam_mcp.proto import app
from viam_mcp.sandbox.demo.places import KESTREL, TIDEWATER

__all__ = ["DEPRECATED_VERSIONS", "EXTRAS", "FAVORITES", "HOSTED_APPS", "LOGO", "OAUTH_USERS", "PHONE", "DemoExtras"]

# A PNG file of one dark blue pixel.
LOGO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNgYPj/HwADAgH/p+wuWQAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class DemoExtras:
    """What an organization has; what is None or empty, it does not have."""

    org: str
    support_email: str = ""
    logo: bytes | None = None
    billing_address: app.BillingAddress | None = None
    oauth_apps: dict[str, app.OAuthConfig] = field(default_factory=dict)
    firebase_app: str = ""
    firebase_config: dict[str, str] = field(default_factory=dict)


EXTRAS = (
    DemoExtras(
        TIDEWATER,
        support_email="fleet-support@tidewater.example",
        logo=LOGO,
        billing_address=app.BillingAddress(
            address_line_1="Kade 12", city="Rotterdam", state="Zuid-Holland", zipcode="3011 AA", country="NL"
        ),
        oauth_apps={
            "Tidewater Console": app.OAuthConfig(
                client_authentication=app.CLIENT_AUTHENTICATION_REQUIRED,
                pkce=app.PKCE_REQUIRED,
                url_validation=app.URL_VALIDATION_EXACT_MATCH,
                origin_uris=["https://console.tidewater.example"],
                redirect_uris=["https://console.tidewater.example/callback"],
                logout_uri="https://console.tidewater.example/goodbye",
                enabled_grants=[app.ENABLED_GRANT_AUTHORIZATION_CODE, app.ENABLED_GRANT_REFRESH_TOKEN],
            ),
        },
        firebase_app="1:440012345678:android:5c0ffee5c0ffee5c",
        firebase_config={"type": "service_account", "project_id": "tidewater-alerts", "private_key": "<secret>"},
    ),
    DemoExtras(KESTREL, support_email="help@kestrel.example"),
)

# Which machines the sandbox's own key has as favorites.
FAVORITES = ("picker-01", "hauler-02")

# The user of an OAuth application, by the application's name: address, first and last name.
OAUTH_USERS = {"Tidewater Console": ("dispatch@harbour.example", "Noor", "Visser")}

# The device that gets the notifications of the sandbox's own key.
PHONE = "5b0d5b0d-0000-4000-8000-00000000f00d"

# Versions that are no longer to be used, by the item's name.
DEPRECATED_VERSIONS = {"safety-scanner": ("0.9.0", "Field edges are off by one scan line: use 1.1.0")}

# The hosted applications of registry items, by the item's name.
HOSTED_APPS = {
    "safety-scanner": app.App(
        name="field-editor",
        type="single_machine",
        entrypoint="dist/index.html",
        logo_path="dist/logo.svg",
        customizations=app.AppCustomizations(
            machine_picker=app.MachinePickerCustomizations(heading="Choose a cell", subheading="Cells with a scanner")
        ),
    ),
    "picking": app.App(name="pick-monitor", type="multi_machine", entrypoint="web/index.html"),
}
