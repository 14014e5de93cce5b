"""Registry items: find their rows, change them, and convert them to messages."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.proto.app import packages
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, set_time
from viam_mcp.sandbox.rules import access, names
from viam_mcp.sandbox.rules.semver import precedence

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = [
    "OF_NAMESPACE",
    "create",
    "deprecations",
    "find",
    "is_listed",
    "item_id",
    "may_see",
    "message",
    "module_message",
    "move",
    "page_url",
    "refuse_in_use",
    "rows",
    "update",
    "versions",
]

_ROWS = """
SELECT registry_items.*, organizations.public_namespace FROM registry_items
JOIN organizations ON organizations.id = org_id
"""
_PUBLIC = (app.VISIBILITY_PUBLIC, app.VISIBILITY_PUBLIC_UNLISTED)

OF_NAMESPACE = "org_id IN (?, (SELECT namespaces.org_id FROM namespaces WHERE namespace = ?))"
"""The condition for the items of an organization by the first half of their ids, which is to be given twice."""


def find(call: IncomingCall, item_id: str, role: access.Role = "operator") -> sqlite3.Row:
    """Return the item with its organization's `public_namespace`: to read, or as owner for its organization's owners.

    Raises:
        Refusal: INVALID_ARGUMENT: no item id. NOT_FOUND: no item that the caller may see.
            PERMISSION_DENIED: not the caller's to change.
    """
    prefix, colon, name = item_id.partition(":")
    if not (prefix and colon and name) or ":" in name:
        raise invalid(
            f"item id: expected 'namespace:name' or 'organization-id:name', got {access.quoted(item_id)}; list the "
            "registry items to see their ids"
        )
    row = call.store.one(f"{_ROWS} WHERE {OF_NAMESPACE} AND registry_items.name = ?", prefix, prefix, name)
    if row is None or not may_see(call, row):
        raise not_found("registry item", item_id)
    if role == "owner" and not access.holds(call, "owner", "organization", row["org_id"]):
        raise Refusal(
            Status.PERMISSION_DENIED,
            f"only owners of the organization {row['org_id']} may change {item_id!r}: ask one of them for that role",
        )
    return row


def rows(store: FleetStore, where: str = "TRUE", *values: object) -> list[sqlite3.Row]:
    """Return the items that a condition selects, each with its `public_namespace`, by namespace and name."""
    return store.all(f"{_ROWS} WHERE {where} ORDER BY public_namespace, org_id, registry_items.name", *values)


def may_see(call: IncomingCall, row: sqlite3.Row) -> bool:
    """Return whether an item is public, or of an organization in which the caller holds a role."""
    return row["visibility"] in _PUBLIC or access.holds(call, "visible", "organization", row["org_id"])


def is_listed(call: IncomingCall, row: sqlite3.Row) -> bool:
    """Return whether lists show an item to the caller. Unlisted ones of other organizations are found by id alone."""
    return row["visibility"] == app.VISIBILITY_PUBLIC or access.holds(call, "visible", "organization", row["org_id"])


def create(call: IncomingCall, org_id: str, name: str, item_type: int) -> sqlite3.Row:
    """Add an item, private and without versions.

    Raises:
        Refusal: INVALID_ARGUMENT: no name for an item. ALREADY_EXISTS: the organization has one of that name.
    """
    organization = access.organization(call, org_id, "owner")
    names.registry_item(name)
    taken = call.store.one("SELECT type FROM registry_items WHERE org_id = ? AND name = ?", org_id, name)
    if taken:
        raise Refusal(
            Status.ALREADY_EXISTS,
            f"the organization {organization['name']!r} has a registry item named {name!r} already: choose another",
        )
    call.store.insert(
        "registry_items", org_id=org_id, name=name, type=item_type, created_at=call.now, updated_at=call.now
    )
    return rows(call.store, "org_id = ? AND registry_items.name = ?", org_id, name)[0]


def update(call: IncomingCall, row: sqlite3.Row, visibility: int, **columns: object) -> None:
    """Change columns of an item, and its visibility unless that is UNSPECIFIED.

    Raises:
        Refusal: FAILED_PRECONDITION: the visibility is not to be had.
    """
    if visibility in _PUBLIC and not row["public_namespace"]:
        raise conflict(
            f"the organization {row['org_id']} has no public namespace, which public registry items need: set one with "
            "update_organization first"
        )
    if visibility == app.VISIBILITY_PRIVATE and row["visibility"] in _PUBLIC:
        refuse_in_use(row, "be made private")
    columns |= {"visibility": visibility or row["visibility"], "updated_at": call.now}
    assignments = ", ".join(f"{column} = ?" for column in columns)
    call.store.run(
        f"UPDATE registry_items SET {assignments} WHERE org_id = ? AND name = ?",  # noqa: S608 - column names are ours
        *columns.values(),
        row["org_id"],
        row["name"],
    )


def move(call: IncomingCall, row: sqlite3.Row, organization: sqlite3.Row, name: str) -> sqlite3.Row:
    """Give an item another name, another organization, or both, along with what was uploaded to it.

    Returns:
        The item as it is now.

    Raises:
        Refusal: ALREADY_EXISTS: the organization has, or had, an item of that name.
            FAILED_PRECONDITION: other organizations use the item, by the id that it would lose.
    """
    refuse_in_use(row, "get another id")
    taken = call.store.one(
        "SELECT 1 FROM registry_items WHERE org_id = ? AND name = ?"
        " UNION SELECT 1 FROM registry_uploads WHERE org_id = ? AND name = ?",
        *(organization["id"], name) * 2,
    )
    if taken:
        raise Refusal(
            Status.ALREADY_EXISTS,
            f"the organization {organization['name']!r} has or had a registry item named {name!r}: choose another name",
        )
    where = "org_id = ? AND name = ?"
    change = (organization["id"], name, row["org_id"], row["name"])
    call.store.run(
        f"UPDATE registry_uploads SET org_id = ?, name = ? WHERE {where} AND uploaded_at >= ?",  # noqa: S608
        *change,
        row["created_at"],
    )
    call.store.run(
        f"UPDATE registry_items SET org_id = ?, name = ?, updated_at = {call.now:d} WHERE {where}",  # noqa: S608
        *change,
    )
    return rows(call.store, "org_id = ? AND registry_items.name = ?", organization["id"], name)[0]


def refuse_in_use(row: sqlite3.Row, what: str) -> None:
    """Refuse what would take an item away from other organizations that use it.

    Raises:
        Refusal: FAILED_PRECONDITION, saying how many use it.
    """
    if row["external_robot_usage"] or row["external_org_usage"]:
        raise conflict(
            f"{item_id(row)!r} cannot {what}: {row['external_robot_usage']} machines of {row['external_org_usage']} "
            "other organizations use it"
        )


def item_id(row: sqlite3.Row) -> str:
    """Return an item's id, by its organization's namespace if there is one."""
    return f"{row['public_namespace'] or row['org_id']}:{row['name']}"


def page_url(row: sqlite3.Row) -> str:
    """Return the address of a module's page."""
    return f"https://app.viam.com/module/{row['public_namespace'] or row['org_id']}/{row['name']}"


def versions(store: FleetStore, row: sqlite3.Row) -> dict[str, list[app.Uploads]]:
    """Return an item's versions, ascending, each with its files."""
    # Uploads of a deleted item are kept. A later item of the same name does not have them.
    uploads = store.all(
        "SELECT * FROM registry_uploads WHERE org_id = ? AND name = ? AND uploaded_at >= ? ORDER BY version, platform",
        row["org_id"],
        row["name"],
        row["created_at"],
    )
    files = {
        version: [_upload(one) for one in those] for version, those in groupby(uploads, key=lambda one: one["version"])
    }
    return dict(sorted(files.items(), key=lambda entry: (precedence(entry[0]) or (), entry[0])))


def message(store: FleetStore, row: sqlite3.Row, *, markdown: bool) -> app.RegistryItem:
    """Return a row as a registry item's message, with its long description only if asked."""
    item = app.RegistryItem(
        item_id=item_id(row),
        organization_id=row["org_id"],
        public_namespace=row["public_namespace"],
        name=row["name"],
        type=row["type"],
        visibility=row["visibility"],
        url=row["url"],
        description=row["description"],
        total_robot_usage=row["robot_usage"],
        total_external_robot_usage=row["external_robot_usage"],
        total_organization_usage=row["org_usage"],
        total_external_organization_usage=row["external_org_usage"],
    )
    deprecated = deprecations(store, row)
    if "" in deprecated:
        item.deprecated_status.CopyFrom(deprecated[""])
    set_time(item.created_at, row["created_at"])
    set_time(item.updated_at, row["updated_at"])
    files = versions(store, row)
    if row["type"] == packages.PACKAGE_TYPE_MODULE:
        _fill_module(item.module_metadata, row, markdown=markdown)
        item.module_metadata.versions.extend(
            app.ModuleVersion(version=version, files=uploads, deprecated_status=deprecated.get(version))
            for version, uploads in files.items()
        )
    elif row["type"] == packages.PACKAGE_TYPE_ML_MODEL:
        item.ml_model_metadata.CopyFrom(
            app.MLModelMetadata(
                versions=files,
                model_type=row["model_type"],
                model_framework=row["model_framework"],
                detailed_versions=[
                    app.MLModelVersion(version=version, created_on=_first(uploads))
                    for version, uploads in files.items()
                ],
            )
        )
    elif row["type"] == packages.PACKAGE_TYPE_ML_TRAINING:
        item.ml_training_metadata.CopyFrom(
            app.MLTrainingMetadata(
                model_type=row["model_type"],
                model_framework=row["model_framework"],
                draft=bool(row["draft"]),
                versions=[
                    app.MLTrainingVersion(version=version, created_on=_first(uploads))
                    for version, uploads in files.items()
                ],
            )
        )
    return item


def module_message(store: FleetStore, row: sqlite3.Row, *, markdown: bool) -> app.Module:
    """Return a row of type module as a module's message, with its long description only if asked."""
    deprecated = deprecations(store, row)
    module = app.Module(
        module_id=item_id(row),
        name=row["name"],
        visibility=row["visibility"],
        url=row["url"],
        description=row["description"],
        total_robot_usage=row["robot_usage"],
        total_organization_usage=row["org_usage"],
        organization_id=row["org_id"],
        public_namespace=row["public_namespace"],
        versions=[
            app.VersionHistory(version=version, files=files, deprecated_status=deprecated.get(version))
            for version, files in versions(store, row).items()
        ],
        deprecated_status=deprecated.get(""),
    )
    _fill_module(module, row, markdown=markdown)
    return module


def _fill_module(target: app.ModuleMetadata | app.Module, row: sqlite3.Row, *, markdown: bool) -> None:
    """Fill in what a module's own message and a registry item's part about modules have in common."""
    offered = app.Module()
    offered.ParseFromString(row["models"] or b"")
    target.models.extend(offered.models)
    target.apps.extend(offered.apps)
    target.entrypoint = row["entrypoint"]
    if row["first_run"]:
        target.first_run = row["first_run"]
    if markdown and row["markdown_description"]:
        target.markdown_description = row["markdown_description"]


def deprecations(store: FleetStore, row: sqlite3.Row) -> dict[str, app.DeprecatedStatus]:
    """Return an item's deprecations by version; that of the item as a whole by ""."""
    found = {}
    sql = "SELECT * FROM deprecations WHERE org_id = ? AND name = ?"
    for deprecation in store.all(sql, row["org_id"], row["name"]):
        status = app.DeprecatedStatus(message=deprecation["message"])
        set_time(status.deprecated_at, deprecation["deprecated_at"])
        found[deprecation["version"]] = status
    return found


def _upload(row: sqlite3.Row) -> app.Uploads:
    upload = app.Uploads(platform=row["platform"])
    set_time(upload.uploaded_at, row["uploaded_at"])
    return upload


def _first(uploads: Iterable[app.Uploads]) -> Timestamp:
    """Return when the first file of a version was uploaded."""
    return min((upload.uploaded_at for upload in uploads), key=lambda time: (time.seconds, time.nanos))
