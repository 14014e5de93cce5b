"""The registry: modules, ML models and training scripts that organizations keep and publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.proto.app import packages
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, names, platforms, registry_items

if TYPE_CHECKING:
    import sqlite3

__all__ = ["RegistryRpcs"]

_KINDS = {
    packages.PACKAGE_TYPE_MODULE: "update_module_metadata",
    packages.PACKAGE_TYPE_ML_MODEL: "update_ml_model_metadata",
    packages.PACKAGE_TYPE_ML_TRAINING: "update_ml_training_metadata",
}


class RegistryRpcs:
    """The rpcs about registry items of every type."""

    @rpc("GetRegistryItem")
    def get(self, call: IncomingCall, request: app.GetRegistryItemRequest) -> app.GetRegistryItemResponse:
        row = registry_items.find(call, request.item_id)
        markdown = request.include_markdown_documentation
        return app.GetRegistryItemResponse(item=registry_items.message(call.store, row, markdown=markdown))

    @rpc("CreateRegistryItem")
    def create(self, call: IncomingCall, request: app.CreateRegistryItemRequest) -> app.CreateRegistryItemResponse:
        if request.type == packages.PACKAGE_TYPE_UNSPECIFIED or request.type not in packages.PackageType.values():
            raise invalid(f"type is {request.type}: it must say what the item is, one of {_names()}")
        registry_items.create(call, request.organization_id, request.name, request.type)
        return app.CreateRegistryItemResponse()

    @rpc("UpdateRegistryItem")
    def update(self, call: IncomingCall, request: app.UpdateRegistryItemRequest) -> app.UpdateRegistryItemResponse:
        row = registry_items.find(call, request.item_id, "owner")
        if request.type != row["type"]:
            present, asked = (packages.PackageType.Name(value) for value in (row["type"], request.type))
            raise invalid(f"{request.item_id!r} is of type {present}, not {asked}: an item's type does not change")
        changes: dict[str, object] = {"description": request.description}
        for field in ("url", "markdown_description"):
            if request.HasField(field):
                changes[field] = getattr(request, field)
        registry_items.update(call, row, request.visibility, **changes, **_metadata(row, request))
        return app.UpdateRegistryItemResponse()

    @rpc("ListRegistryItems")
    def list(self, call: IncomingCall, request: app.ListRegistryItemsRequest) -> app.ListRegistryItemsResponse:
        if request.module_source_types or request.module_languages:
            raise _unkept("filters by module_source_types and module_languages")
        where, values = "TRUE", []
        if request.organization_id:
            where, values = "org_id = ?", [access.organization(call, request.organization_id, "visible")["id"]]
        rows = [
            row
            for row in registry_items.rows(call.store, where, *values)
            if registry_items.is_listed(call, row) and _matches(row, request) and _is_built(call, row, request)
        ]
        return app.ListRegistryItemsResponse(
            items=[
                registry_items.message(call.store, row, markdown=request.include_markdown_documentation)
                for row in _after(rows, request.page_token)
            ]
        )

    @rpc("DeleteRegistryItem")
    def delete(self, call: IncomingCall, request: app.DeleteRegistryItemRequest) -> app.DeleteRegistryItemResponse:
        row = registry_items.find(call, request.item_id, "owner")
        registry_items.refuse_in_use(row, "be deleted")
        call.store.run("DELETE FROM registry_items WHERE org_id = ? AND name = ?", row["org_id"], row["name"])
        return app.DeleteRegistryItemResponse()

    @rpc("RenameRegistryItem")
    def rename(self, call: IncomingCall, request: app.RenameRegistryItemRequest) -> app.RenameRegistryItemResponse:
        row = registry_items.find(call, request.item_id, "owner")
        name = names.registry_item(request.new_name)
        if name != row["name"]:
            row = registry_items.move(call, row, access.organization(call, row["org_id"], "owner"), name)
        return app.RenameRegistryItemResponse(item=registry_items.message(call.store, row, markdown=False))

    @rpc("TransferRegistryItem")
    def transfer(
        self, call: IncomingCall, request: app.TransferRegistryItemRequest
    ) -> app.TransferRegistryItemResponse:
        row = registry_items.find(call, request.item_id, "owner")
        receiver = call.store.value(
            "SELECT id FROM organizations WHERE public_namespace = ?", request.new_public_namespace
        )
        if not request.new_public_namespace or receiver is None:
            raise not_found("an organization with the namespace", request.new_public_namespace)
        if receiver == row["org_id"]:
            raise conflict(f"{request.item_id!r} belongs to the organization with that namespace already")
        # The receiving organization has to agree, so the caller has to own both organizations.
        registry_items.move(call, row, access.organization(call, receiver, "owner"), row["name"])
        return app.TransferRegistryItemResponse()


def _metadata(row: sqlite3.Row, request: app.UpdateRegistryItemRequest) -> dict[str, object]:
    """Return the columns that an update's metadata sets, which depend on the item's type."""
    if request.HasField("billing"):
        raise _unkept("billing")
    kind = request.WhichOneof("metadata")
    if kind is None:
        return {}
    if kind != _KINDS.get(row["type"]):
        raise invalid(f"{kind} does not belong to an item of type {packages.PackageType.Name(row['type'])}")
    sent = getattr(request, kind)
    for field in ("source_type", "language", "min_viam_server_version", "deployment_modular_resources"):
        if any(descriptor.name == field for descriptor, _ in sent.ListFields()):
            raise _unkept(field)
    if kind == "update_module_metadata":
        offered = app.Module(models=sent.models, apps=sent.apps)
        return {"models": offered.SerializeToString(), "entrypoint": sent.entrypoint}
    columns: dict[str, object] = {"model_type": sent.model_type, "model_framework": sent.model_framework}
    return columns | ({"draft": int(sent.draft)} if kind == "update_ml_training_metadata" else {})


def _matches(row: sqlite3.Row, request: app.ListRegistryItemsRequest) -> bool:
    """Return whether an item passes the filters on its row. A filter without values passes all."""
    term = request.search_term.casefold()
    return (
        (not request.types or row["type"] in request.types)
        and (not request.visibilities or row["visibility"] in request.visibilities)
        and (not request.public_namespaces or row["public_namespace"] in request.public_namespaces)
        and (not term or term in f"{registry_items.item_id(row)}\n{row['description']}".casefold())
    )


def _is_built(call: IncomingCall, row: sqlite3.Row, request: app.ListRegistryItemsRequest) -> bool:
    """Return whether an item passes the filters on what was uploaded to it."""
    wanted = [platform for platform in request.platforms if platform]
    if not wanted and not request.statuses:
        return True
    versions = registry_items.versions(call.store, row)
    have = {upload.platform for files in versions.values() for upload in files}
    published = have and not row["draft"]
    status = app.REGISTRY_ITEM_STATUS_PUBLISHED if published else app.REGISTRY_ITEM_STATUS_IN_DEVELOPMENT
    return (not request.statuses or status in request.statuses) and (
        not wanted or any(platforms.overlap(one, other) for one in wanted for other in have)
    )


def _after(rows: list[sqlite3.Row], token: str) -> list[sqlite3.Row]:
    """Return the items that follow the page before.

    The response has no field for the next page's token, so everything fits on one page, and a token is
    something that a caller knows: the id of the last item it has seen.
    """
    if not token:
        return rows
    ids = [registry_items.item_id(row) for row in rows]
    if token not in ids:
        raise invalid(f"page_token {access.quoted(token)} is the id of no item that this list has: start without one")
    return rows[ids.index(token) + 1 :]


def _names() -> str:
    return ", ".join(name for name, value in packages.PackageType.items() if value)


def _unkept(what: str) -> Refusal:
    return Refusal(Status.UNIMPLEMENTED, f"the sandbox does not keep {what}: leave it out")
