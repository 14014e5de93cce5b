"""API keys: made, listed, renamed, rotated and deleted. A key's value is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rows.store import StateError, new_api_key
from viam_mcp.sandbox.rpc import ApiKey, IncomingCall, invalid, not_found, rpc, set_time
from viam_mcp.sandbox.rules import access, grants, names

if TYPE_CHECKING:
    import sqlite3

    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.sandbox.rules.grants import StoredGrant

__all__ = ["KeyRpcs", "mint", "remember", "remembered"]


def mint(store: FleetStore, org_id: str, name: str, now: int, held: list[StoredGrant]) -> ApiKey:
    """Add a key to an organization, with some grants."""
    credential = ApiKey(store.new_uuid(), new_api_key())
    store.insert("api_keys", id=credential.key_id, org_id=org_id, key=credential.key, name=name, created_on=now)
    for grant in held:
        grant.give(store, credential.key_id, "api-key")
    return credential


def remember(store: FleetStore, credential: ApiKey) -> None:
    """Store the key that the sandbox starts with from now on."""
    store.run("INSERT OR REPLACE INTO settings VALUES ('credential', ?)", credential.key_id)


def remembered(store: FleetStore, now: int) -> ApiKey | None:
    """Return the key that the sandbox starts with. If it was deleted, make a new one, or no client could sign in.

    Returns:
        The key, or None for a fleet that has never had one.

    Raises:
        StateError: There is no organization left that a key could be for.
    """
    key_id = store.value("SELECT value FROM settings WHERE key = 'credential'")
    if key_id is None:
        return None
    if key := store.value("SELECT key FROM api_keys WHERE id = ?", key_id):
        return ApiKey(key_id, key)
    organizations = [row["id"] for row in store.all("SELECT id FROM organizations ORDER BY created_on, id")]
    if not organizations:
        raise StateError(
            "the last organization of this fleet was deleted: remove the state file to start with a new one."
        )
    held = [grants.ownership(organization) for organization in organizations]
    credential = mint(store, organizations[0], "sandbox", now, held)
    remember(store, credential)
    return credential


class KeyRpcs:
    """The rpcs about API keys."""

    @rpc("CreateKey")
    def create(self, call: IncomingCall, request: app.CreateKeyRequest) -> app.CreateKeyResponse:
        if not request.authorizations:
            raise invalid("authorizations is empty: name at least one role that the key should hold")
        for authorization in request.authorizations:
            if authorization.identity_type not in ("", "api-key"):
                raise invalid(f"identity_type {access.quoted(authorization.identity_type)}: expected 'api-key'")
        held = list(dict.fromkeys(grants.requested(call, authorization) for authorization in request.authorizations))
        organizations = {grant.org_id for grant in held}
        if len(organizations) > 1:
            raise invalid(f"a key belongs to one organization, but its authorizations name {len(organizations)}")
        credential = mint(call.store, organizations.pop(), names.label(request.name, "key"), call.now, held)
        return app.CreateKeyResponse(id=credential.key_id, key=credential.key)

    @rpc("CreateKeyFromExistingKeyAuthorizations")
    def create_from_existing(
        self, call: IncomingCall, request: app.CreateKeyFromExistingKeyAuthorizationsRequest
    ) -> app.CreateKeyFromExistingKeyAuthorizationsResponse:
        row = _find(call, request.id)
        held = [grants.grant(held) for held in grants.of(call.store, row["id"])]
        credential = mint(call.store, row["org_id"], row["name"], call.now, held)
        return app.CreateKeyFromExistingKeyAuthorizationsResponse(id=credential.key_id, key=credential.key)

    @rpc("DeleteKey")
    def delete(self, call: IncomingCall, request: app.DeleteKeyRequest) -> app.DeleteKeyResponse:
        row = _find(call, request.id)
        call.store.run("DELETE FROM authorizations WHERE identity_id = ?", row["id"])
        call.store.run("DELETE FROM api_keys WHERE id = ?", row["id"])
        return app.DeleteKeyResponse()

    @rpc("RotateKey")
    def rotate(self, call: IncomingCall, request: app.RotateKeyRequest) -> app.RotateKeyResponse:
        row = _find(call, request.id)
        key = new_api_key()
        call.store.run("UPDATE api_keys SET key = ? WHERE id = ?", key, row["id"])
        return app.RotateKeyResponse(id=row["id"], key=key)

    @rpc("RenameKey")
    def rename(self, call: IncomingCall, request: app.RenameKeyRequest) -> app.RenameKeyResponse:
        row = _find(call, request.id)
        name = names.label(request.name, "key")
        call.store.run("UPDATE api_keys SET name = ? WHERE id = ?", name, row["id"])
        return app.RenameKeyResponse(id=row["id"], name=name)

    @rpc("ListKeys")
    def list(self, call: IncomingCall, request: app.ListKeysRequest) -> app.ListKeysResponse:
        organization = access.organization(call, request.org_id, "owner")
        rows = call.store.all("SELECT * FROM api_keys WHERE org_id = ? ORDER BY created_on, id", organization["id"])
        # The value is shown once, when the key is made.
        return app.ListKeysResponse(api_keys=[_message(call.store, row, key="") for row in rows])

    @rpc("GetRobotAPIKeys")
    def of_robot(self, call: IncomingCall, request: app.GetRobotAPIKeysRequest) -> app.GetRobotAPIKeysResponse:
        robot = access.robot(call, request.robot_id, "owner")
        rows = call.store.all(
            "SELECT * FROM api_keys WHERE id IN (SELECT identity_id FROM authorizations"
            " WHERE resource_type = 'robot' AND resource_id = ?) ORDER BY created_on, id",
            robot["id"],
        )
        # Unlike the list of all keys, this shows values: they are needed to set the machine up.
        return app.GetRobotAPIKeysResponse(api_keys=[_message(call.store, row, row["key"]) for row in rows])


def _find(call: IncomingCall, key_id: str) -> sqlite3.Row:
    """Return the key, for a caller that owns its organization or everything that it reaches.

    Raises:
        Refusal: NOT_FOUND or PERMISSION_DENIED, or INVALID_ARGUMENT for a malformed id.
    """
    row = call.store.one("SELECT * FROM api_keys WHERE id = ?", access.uuid(key_id, "id"))
    if row is None or not access.holds(call, "visible", "organization", row["org_id"]):
        raise not_found("API key", key_id)
    if not access.holds(call, "owner", "organization", row["org_id"]):
        held = grants.of(call.store, key_id)
        for grant in held:
            access.require(call, "owner", grant["resource_type"], grant["resource_id"])
        if not held:
            access.require(call, "owner", "organization", row["org_id"])
    return row


def _message(store: FleetStore, row: sqlite3.Row, key: str) -> app.APIKeyWithAuthorizations:
    message = app.APIKeyWithAuthorizations(
        api_key=app.APIKey(id=row["id"], key=key, name=row["name"]),
        authorizations=[grants.details(held) for held in grants.of(store, row["id"])],
    )
    set_time(message.api_key.created_on, row["created_on"])
    return message
