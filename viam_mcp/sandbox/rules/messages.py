"""Convert rows to messages: locations, machines and parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import set_time
from viam_mcp.sandbox.rules import config, names, shared_secrets

if TYPE_CHECKING:
    import sqlite3

    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = ["location", "location_auth", "part", "part_rows", "robots", "set_presence"]

_SECOND = 1_000_000_000


def set_presence(
    message: app.Robot | app.RobotPart | app.PartSummary, online: int | None, last_access: int | None, now: int
) -> None:
    """Fill in whether a machine or part is online, and since when it is not.

    Args:
        message: What to fill.
        online: 1 if it checks in all the time.
        last_access: When it last checked in, in nanoseconds since 1970; None if it never did.
        now: The time that this is about, in nanoseconds since 1970.
    """
    if online:
        message.online_state = app.ONLINE_STATE_ONLINE
        set_time(message.last_access, now)
    elif last_access is None:
        message.online_state = app.ONLINE_STATE_AWAITING_SETUP
    else:
        message.online_state = app.ONLINE_STATE_OFFLINE
        message.seconds_since_online = max(0, now - last_access) // _SECOND
        set_time(message.last_access, last_access)


def location(store: FleetStore, row: sqlite3.Row) -> app.Location:
    """Return a row of `locations` as its message, without secrets, which have an rpc of their own."""
    organization = store.all("SELECT id, name FROM organizations WHERE id = ?", row["org_id"])[0]
    shares = store.all("SELECT org_id FROM location_shares WHERE location_id = ? ORDER BY rowid", row["id"])
    message = app.Location(
        id=row["id"],
        name=row["name"],
        parent_location_id=row["parent_id"] or "",
        organizations=[
            app.LocationOrganization(organization_id=row["org_id"], primary=True),
            *(app.LocationOrganization(organization_id=share["org_id"]) for share in shares),
        ],
        robot_count=store.value("SELECT COUNT(*) FROM robots WHERE location_id = ?", row["id"]),
        config=app.StorageConfig(region=row["region"]),
        primary_org_identity=app.OrganizationIdentity(id=organization["id"], name=organization["name"]),
    )
    set_time(message.created_on, row["created_on"])
    return message


def robots(store: FleetStore, now: int, where: str, *values: object) -> list[app.Robot]:
    """Return the machines that a condition on `robots` selects, by name."""
    rows = store.all(
        "SELECT robots.*, MAX(parts.online) AS online, MAX(parts.last_access) AS last_access "  # noqa: S608
        f"FROM robots LEFT JOIN parts ON parts.robot_id = robots.id WHERE {where} "
        "GROUP BY robots.id ORDER BY robots.name, robots.id",
        *values,
    )
    return [_robot(row, now) for row in rows]


def _robot(row: sqlite3.Row, now: int) -> app.Robot:
    message = app.Robot(id=row["id"], name=row["name"], location=row["location_id"])
    set_time(message.created_on, row["created_on"])
    set_presence(message, row["online"], row["last_access"], now)
    return message


def part_rows(store: FleetStore, where: str, *values: object) -> list[sqlite3.Row]:
    """Return the parts that a condition on `parts` and `robots` selects, with their `location_id`; main parts first."""
    return store.all(
        f"SELECT parts.*, robots.location_id FROM parts JOIN robots ON robots.id = parts.robot_id WHERE {where} "  # noqa: S608
        "ORDER BY robots.name, robots.id, parts.main DESC, parts.name",
        *values,
    )


def part(row: sqlite3.Row, now: int, secrets: list[app.SharedSecret]) -> app.RobotPart:
    """Return a row of `part_rows` as its message.

    Args:
        row: The part.
        now: The time that its presence is about, in nanoseconds since 1970.
        secrets: Those that the caller may see, newest first.
    """
    dns_name = names.dns(row["name"])
    message = app.RobotPart(
        id=row["id"],
        name=row["name"],
        dns_name=dns_name,
        secret=secrets[0].secret if secrets else "",
        robot=row["robot_id"],
        location_id=row["location_id"],
        main_part=bool(row["main"]),
        fqdn=f"{dns_name}.{row['location_id']}.viam.cloud",
        local_fqdn=f"{dns_name}.{row['location_id']}.local.viam.cloud",
        secrets=secrets,
        robot_config_json=row["config_json"],
    )
    config.fill(message.robot_config, row["config_json"])
    config.fill(message.user_supplied_info, row["user_supplied_info"])
    set_time(message.created_on, row["created_on"])
    set_time(message.last_updated, row["last_updated"])
    set_presence(message, row["online"], row["last_access"], now)
    return message


def location_auth(store: FleetStore, location_id: str) -> app.LocationAuth:
    """Return a location's secrets; the deprecated single one is the newest."""
    secrets = shared_secrets.LOCATION.of(store, location_id)
    return app.LocationAuth(location_id=location_id, secret=secrets[0].secret if secrets else "", secrets=secrets)
