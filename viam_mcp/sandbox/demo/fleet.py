"""The demo fleet: two organizations with everything that a fleet has, so that nobody needs an account.

A warehouse-robotics company and its integrator run twelve machines. One lost its battery last night, one
crashes in a loop since somebody updated its module, one has been gone for weeks, two wait for setup.
The same seed gives the same names, ids, configurations and logs; credentials are new each time, and
times are relative to the moment that the fleet is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.extras_seeding import seed_extras
from viam_mcp.sandbox.demo.hostile import HOSTILE_MESSAGES
from viam_mcp.sandbox.demo.places import (
    AWAITING_SETUP_MACHINE,
    AWAITING_SETUP_MACHINES,
    CRASH_LOOP_MACHINE,
    CRASH_LOOP_PART,
    HOSTILE_PART,
    INJECTION_MACHINE,
    KESTREL,
    LONG_GONE_MACHINE,
    NOISY_PART,
    OFFLINE_MACHINES,
    OWNER_KEY,
    SHARED_LOCATION,
    TIDEWATER,
    UNDERVOLTAGE_MACHINE,
)
from viam_mcp.sandbox.demo.seeding import Seeding
from viam_mcp.sandbox.rpc import ApiKey

if TYPE_CHECKING:
    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = [
    "AWAITING_SETUP_MACHINE",
    "AWAITING_SETUP_MACHINES",
    "CRASH_LOOP_MACHINE",
    "CRASH_LOOP_PART",
    "HOSTILE_MESSAGES",
    "HOSTILE_PART",
    "INJECTION_MACHINE",
    "KESTREL",
    "LONG_GONE_MACHINE",
    "NOISY_PART",
    "OFFLINE_MACHINES",
    "OWNER_KEY",
    "SEED",
    "SHARED_LOCATION",
    "TIDEWATER",
    "UNDERVOLTAGE_MACHINE",
    "planted_credentials",
    "seed",
]

SEED = 20

# The form of `new_secret`. Nothing else in the fleet has it.
_CREDENTIAL = re.compile(r"(?<![\w-])[\w-]{32}(?![\w-])", re.ASCII)


def seed(store: FleetStore, now: int) -> ApiKey:
    """Fill an empty store with the demo fleet, inside the caller's transaction.

    Args:
        store: Where to. The ids are the same each time inside `store.ids_from(random.Random(SEED))`.
        now: The time that "last night" and everything else is relative to, in nanoseconds since 1970.

    Returns:
        A key that owns both organizations.
    """
    seeding = Seeding(store, now, SEED)
    seeding.people()
    seeding.places()
    seeding.grants()
    seeding.fragments()
    seeding.configurations()
    seeding.presence()
    seeding.registry()
    seed_extras(seeding)
    store.insert_many("logs", ("part_id", "time", "level", "message", "entry"), seeding.logs())
    return ApiKey(seeding.made["key", OWNER_KEY], seeding.made["key_value", OWNER_KEY])


def planted_credentials(store: FleetStore) -> set[str]:
    """Return every credential of a fleet: of locations, parts, keys, applications, and in configurations."""
    listed = store.all(
        "SELECT secret FROM secrets UNION SELECT key FROM api_keys UNION SELECT secret FROM oauth_apps"
        " UNION SELECT token FROM push_tokens"
    )
    texts = store.all(
        "SELECT config_json FROM parts UNION SELECT config_json FROM fragments"
        " UNION SELECT config_json FROM fragment_revisions UNION SELECT config_json FROM firebase_configs"
    )
    return {row[0] for row in listed} | {found for row in texts for found in _CREDENTIAL.findall(row[0])}
