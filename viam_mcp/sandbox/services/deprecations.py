"""Deprecations: registry items and versions that are no longer to be used, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.proto.app import packages
from viam_mcp.sandbox.rpc import IncomingCall, conflict, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, registry_items

if TYPE_CHECKING:
    import sqlite3

__all__ = ["LONGEST_MESSAGE", "DeprecationRpcs"]

LONGEST_MESSAGE = 1_000


class DeprecationRpcs:
    """The rpcs that deprecate registry items and versions, and take that back."""

    @rpc("DeprecateRegistryItem")
    def deprecate(
        self, call: IncomingCall, request: app.DeprecateRegistryItemRequest
    ) -> app.DeprecateRegistryItemResponse:
        _mark(call, registry_items.find(call, request.item_id, "owner"), "", request.message)
        return app.DeprecateRegistryItemResponse()

    @rpc("UndeprecateRegistryItem")
    def undeprecate(
        self, call: IncomingCall, request: app.UndeprecateRegistryItemRequest
    ) -> app.UndeprecateRegistryItemResponse:
        row = registry_items.find(call, request.item_id, "owner")
        _unmark(call, row, "", f"{request.item_id!r}")
        return app.UndeprecateRegistryItemResponse()

    @rpc("DeprecateRegistryItemVersion")
    def deprecate_version(
        self, call: IncomingCall, request: app.DeprecateRegistryItemVersionRequest
    ) -> app.DeprecateRegistryItemVersionResponse:
        row = _with_version(call, request)
        _mark(call, row, request.version, request.message)
        return app.DeprecateRegistryItemVersionResponse()

    @rpc("UndeprecateRegistryItemVersion")
    def undeprecate_version(
        self, call: IncomingCall, request: app.UndeprecateRegistryItemVersionRequest
    ) -> app.UndeprecateRegistryItemVersionResponse:
        row = _with_version(call, request)
        _unmark(call, row, request.version, f"version {request.version} of {request.item_id!r}")
        return app.UndeprecateRegistryItemVersionResponse()


def _with_version(
    call: IncomingCall, request: app.DeprecateRegistryItemVersionRequest | app.UndeprecateRegistryItemVersionRequest
) -> sqlite3.Row:
    row = registry_items.find(call, request.item_id, "owner")
    if row["type"] != packages.PACKAGE_TYPE_MODULE:
        raise invalid(f"{request.item_id!r} is no module: only versions of modules say that they are deprecated")
    if request.version not in registry_items.versions(call.store, row):
        raise not_found(f"in {request.item_id!r}, the version", request.version)
    return row


def _mark(call: IncomingCall, row: sqlite3.Row, version: str, message: str) -> None:
    """Deprecate, or give another reason for what is deprecated."""
    if not message.strip():
        raise invalid("message is empty: say why, and what to use instead")
    if len(message) > LONGEST_MESSAGE:
        raise invalid(f"message has {len(message)} characters: at most {LONGEST_MESSAGE} are allowed")
    if not message.isprintable():
        raise invalid(f"message {access.quoted(message)} has control characters: use printable ones")
    call.store.run(
        "INSERT OR REPLACE INTO deprecations (org_id, name, version, deprecated_at, message) VALUES (?, ?, ?, ?, ?)",
        row["org_id"],
        row["name"],
        version,
        call.now,
        message,
    )


def _unmark(call: IncomingCall, row: sqlite3.Row, version: str, what: str) -> None:
    removed = call.store.run(
        "DELETE FROM deprecations WHERE org_id = ? AND name = ? AND version = ?", row["org_id"], row["name"], version
    )
    if not removed:
        raise conflict(f"{what} is not deprecated: nothing to take back")
