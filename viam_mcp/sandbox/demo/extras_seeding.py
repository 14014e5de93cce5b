"""Make the rows of what the demo fleet's organizations have beside their machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.extras import EXTRAS, FAVORITES, OAUTH_USERS, PHONE
from viam_mcp.sandbox.demo.places import OWNER_KEY
from viam_mcp.sandbox.rows.store import new_secret

if TYPE_CHECKING:
    from viam_mcp.sandbox.demo.seeding import Seeding

__all__ = ["seed_extras"]


def seed_extras(seeding: Seeding) -> None:
    """Make branding, billing, OAuth and Firebase applications, and the favorites of the sandbox's own key."""
    for extras in EXTRAS:
        org_id = seeding.made["org", extras.org]
        seeding.store.run(
            "UPDATE organizations SET support_email = ?, logo = ?, auth_service = ? WHERE id = ?",
            extras.support_email,
            extras.logo,
            int(bool(extras.oauth_apps)),
            org_id,
        )
        if extras.billing_address is not None:
            seeding.store.insert("billing", org_id=org_id, address=extras.billing_address.SerializeToString())
        for name, config in extras.oauth_apps.items():
            seeding.store.insert(
                "oauth_apps",
                client_id=seeding.new("oauth_app", name),
                org_id=org_id,
                name=name,
                secret=new_secret(),
                config=config.SerializeToString(),
                created_on=seeding.ago(120),
            )
            if name in OAUTH_USERS:
                email, first_name, last_name = OAUTH_USERS[name]
                seeding.store.insert(
                    "oauth_users",
                    id=seeding.store.new_uuid(),
                    client_id=seeding.made["oauth_app", name],
                    email=email,
                    first_name=first_name,
                    last_name=last_name,
                    created_on=seeding.ago(30),
                )
        if extras.firebase_app:
            config_json = json.dumps(seeding.resolved(extras.firebase_config))
            seeding.store.insert("firebase_configs", org_id=org_id, app_id=extras.firebase_app, config_json=config_json)
            seeding.store.insert(
                "push_tokens",
                identity_id=seeding.made["key", OWNER_KEY],
                app_id=extras.firebase_app,
                device_uuid=PHONE,
                token=new_secret(),
            )
    for number, name in enumerate(FAVORITES):
        seeding.store.insert(
            "favorites",
            identity_id=seeding.made["key", OWNER_KEY],
            robot_id=seeding.made["robot", name],
            created_on=seeding.ago(0.5) + number,
        )
