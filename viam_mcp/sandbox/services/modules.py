"""Modules: registry items with code for machines, uploaded by version and platform."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.proto.app import packages
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, invalid, not_found, rpc
from viam_mcp.sandbox.rules import access, registry_items
from viam_mcp.sandbox.rules.platforms import PLATFORMS
from viam_mcp.sandbox.rules.semver import precedence

if TYPE_CHECKING:
    import sqlite3

__all__ = ["ModuleRpcs"]

_URL = re.compile(r"https?://[^\s/]+\S*")
_TRIPLET = re.compile(r"[\w-]+:[\w-]+:[\w-]+", re.ASCII)
_LONGEST_VERSION = 100


class ModuleRpcs:
    """The rpcs about modules."""

    @rpc("CreateModule")
    def create(self, call: IncomingCall, request: app.CreateModuleRequest) -> app.CreateModuleResponse:
        row = registry_items.create(call, request.organization_id, request.name, packages.PACKAGE_TYPE_MODULE)
        return app.CreateModuleResponse(module_id=registry_items.item_id(row), url=registry_items.page_url(row))

    @rpc("UpdateModule")
    def update(self, call: IncomingCall, request: app.UpdateModuleRequest) -> app.UpdateModuleResponse:
        row = _find(call, request.module_id, "owner")
        if request.url and not _URL.fullmatch(request.url):
            raise invalid(
                f"url {access.quoted(request.url)} is no http:// or https:// address: correct it or leave it empty"
            )
        for model in request.models:
            for name in (model.api, model.model):
                if not _TRIPLET.fullmatch(name):
                    raise invalid(
                        f"{access.quoted(name)} in the models has not the form 'namespace:group:name', as in "
                        "'rdk:component:base' for an API and 'my-org:my-module:my-base' for a model"
                    )
        offered = app.Module(models=request.models, apps=request.apps)
        if not request.apps:
            # Older clients do not know apps and send none, which must not delete them.
            present = app.Module()
            present.ParseFromString(row["models"] or b"")
            offered.apps.extend(present.apps)
        changes: dict[str, object] = {
            "url": request.url,
            "description": request.description,
            "models": offered.SerializeToString(),
            "entrypoint": request.entrypoint,
        }
        for field in ("first_run", "markdown_description"):
            if request.HasField(field):
                changes[field] = getattr(request, field)
        registry_items.update(call, row, request.visibility, **changes)
        return app.UpdateModuleResponse(url=registry_items.page_url(row))

    @rpc("UploadModuleFile")
    def upload(
        self, call: IncomingCall, info: app.ModuleFileInfo, size: int, sha256: str
    ) -> app.UploadModuleFileResponse:
        row = _find(call, info.module_id, "owner")
        if len(info.version) > _LONGEST_VERSION or precedence(info.version) is None:
            hint = "leave out the 'v'" if info.version.startswith("v") else "as in '1.4.2' or '2.0.0-rc.1'"
            raise invalid(f"version {access.quoted(info.version)} is no Semantic Versioning 2.0 version: {hint}")
        if info.platform not in PLATFORMS:
            raise invalid(f"platform {access.quoted(info.platform)} is not known: use one of {', '.join(PLATFORMS)}")
        if not size:
            raise invalid("the file is empty: send the module's archive")
        key = {"org_id": row["org_id"], "name": row["name"], "version": info.version, "platform": info.platform}
        taken = "SELECT 1 FROM registry_uploads WHERE org_id = ? AND name = ? AND version = ? AND platform = ?"
        if call.store.one(taken, *key.values()):
            raise Refusal(
                Status.ALREADY_EXISTS,
                f"version {info.version} of {info.module_id!r} was uploaded for {info.platform} before, and files are "
                "never replaced, not even deleted ones: upload it as a higher version",
            )
        call.store.insert("registry_uploads", **key, uploaded_at=call.now, size=size, sha256=sha256)
        registry_items.update(call, row, app.VISIBILITY_UNSPECIFIED)
        return app.UploadModuleFileResponse(url=f"{registry_items.page_url(row)}/{info.version}/{info.platform}")

    @rpc("GetModule")
    def get(self, call: IncomingCall, request: app.GetModuleRequest) -> app.GetModuleResponse:
        row = _find(call, request.module_id)
        markdown = request.include_markdown_documentation
        return app.GetModuleResponse(module=registry_items.module_message(call.store, row, markdown=markdown))

    @rpc("ListModules")
    def list(self, call: IncomingCall, request: app.ListModulesRequest) -> app.ListModulesResponse:
        where, values = "type = ?", [packages.PACKAGE_TYPE_MODULE]
        if request.organization_id:
            where += " AND org_id = ?"
            values.append(access.organization(call, request.organization_id, "visible")["id"])
        markdown = request.include_markdown_documentation
        return app.ListModulesResponse(
            modules=[
                registry_items.module_message(call.store, row, markdown=markdown)
                for row in registry_items.rows(call.store, where, *values)
                if registry_items.is_listed(call, row)
            ]
        )


def _find(call: IncomingCall, module_id: str, role: access.Role = "operator") -> sqlite3.Row:
    """Return the module. An item of another type is not found.

    Raises:
        Refusal: See `registry_items.find`.
    """
    row = registry_items.find(call, module_id, role)
    if row["type"] != packages.PACKAGE_TYPE_MODULE:
        raise not_found("module", module_id)
    return row
