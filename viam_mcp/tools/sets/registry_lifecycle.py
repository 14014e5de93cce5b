"""Registry items that get another name or owner, or are no longer to be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from viam_mcp.proto import app as wire
from viam_mcp.tools._refs import Reference
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._types import Name, RegistryItemId
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.previews._wording import UNCHANGED, change, exact, state_of, usage
from viam_mcp.tools.results._output import Done, One
from viam_mcp.tools.sets.registry import called

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

_Message = Annotated[
    str, StringConstraints(min_length=1, max_length=1_000), Field(description="Why, and what to use instead")
]
_NOT_DEPRECATED = "It is not deprecated: the service refuses."


class _OneItem(Tool):
    """The argument of the tools that take one item."""

    item_id: RegistryItemId

    async def subject(self, app: AppClient) -> str:
        return f"registry item {quoted(self.item_id)}"


class RenameRegistryItem(
    _OneItem, toolset="registry", effect=Effect.DESTRUCTIVE, returns=One("item", wire.RegistryItem)
):
    """Rename a registry item, which changes its id. Refused while other organizations use it. Returns the item as
    it is then."""

    new_name: Name

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        item = await app.get_registry_item(self.item_id)
        lines = change("Name, and with it the id", item.name, self.new_name)
        return called(item).preview(self, [*(lines or [UNCHANGED]), *usage(item)], bound=state_of(item.item_id))

    async def run(self, app: AppClient) -> wire.RegistryItem:
        return await app.rename_registry_item(self.item_id, self.new_name)


class TransferRegistryItem(
    _OneItem, toolset="registry", effect=Effect.DESTRUCTIVE, grants=True, returns=Done("Transferred {subject}.")
):
    """Give a registry item to another organization, by that one's public namespace, which changes the item's id.
    The present owner can then no longer change it."""

    new_public_namespace: Name

    async def opens(self, app: AppClient) -> list[Reference]:
        """Return the organization that gets the item."""
        found = await app.search_organizations(public_namespace=self.new_public_namespace)
        # One that cannot be found is outside of every scope.
        return [Reference(("organization",), one.org_id) for one in found] or [
            Reference(("organization",), self.new_public_namespace)
        ]

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        item = await app.get_registry_item(self.item_id)
        owner = exact(item.public_namespace or item.organization_id)
        to = exact(self.new_public_namespace, sent=True)
        lines = [
            f"Owner, and with it the id: {owner} → {to}.",
            "The new owner alone can change, publish and delete it from then on.",
            *usage(item),
        ]
        gives = Consequence(Risk.ACCESS, "GIVES IT AWAY", f"to {to}")
        return called(item).preview(self, lines, consequences=[gives], bound=state_of(item.organization_id))

    async def run(self, app: AppClient) -> None:
        await app.transfer_registry_item(self.item_id, self.new_public_namespace)


class DeprecateRegistryItem(
    _OneItem, toolset="registry", effect=Effect.DESTRUCTIVE, returns=Done("Deprecated {subject}.")
):
    """Mark a registry item as one that is no longer to be used. It goes on working; users see the message."""

    message: _Message

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        item = await app.get_registry_item(self.item_id)
        return _deprecated(self, item, _status(item), self.message)

    async def run(self, app: AppClient) -> None:
        await app.deprecate_registry_item(self.item_id, self.message)


class UndeprecateRegistryItem(
    _OneItem, toolset="registry", effect=Effect.DESTRUCTIVE, returns=Done("No longer deprecated: {subject}.")
):
    """Take back that a registry item is deprecated."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        item = await app.get_registry_item(self.item_id)
        return _deprecated(self, item, _status(item), None)

    async def run(self, app: AppClient) -> None:
        await app.undeprecate_registry_item(self.item_id)


class _OneVersion(_OneItem):
    """The arguments of the tools that take one version of a module."""

    version: Name

    async def subject(self, app: AppClient) -> str:
        return f"version {quoted(self.version)} of registry item {quoted(self.item_id)}"

    async def _preview(self, app: AppClient, message: str | None) -> Preview:
        item = await app.get_registry_item(self.item_id)
        found = next((one for one in item.module_metadata.versions if one.version == self.version), None)
        if found is None:
            return called(item).preview(self, [f"It is no module that has a version {quoted(self.version)}."])
        return _deprecated(self, item, _status(found), message, f"version {quoted(self.version)}")


class DeprecateRegistryItemVersion(
    _OneVersion, toolset="registry", effect=Effect.DESTRUCTIVE, returns=Done("Deprecated {subject}.")
):
    """Mark one version of a module as one that is no longer to be used. It goes on working; users see the
    message."""

    message: _Message

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, self.message)

    async def run(self, app: AppClient) -> None:
        await app.deprecate_registry_item_version(self.item_id, self.version, self.message)


class UndeprecateRegistryItemVersion(
    _OneVersion, toolset="registry", effect=Effect.DESTRUCTIVE, returns=Done("No longer deprecated: {subject}.")
):
    """Take back that a version of a module is deprecated."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        return await self._preview(app, None)

    async def run(self, app: AppClient) -> None:
        await app.undeprecate_registry_item_version(self.item_id, self.version)


def _status(thing: wire.RegistryItem | wire.ModuleVersion) -> wire.DeprecatedStatus | None:
    return thing.deprecated_status if thing.HasField("deprecated_status") else None


def _deprecated(
    tool: Tool, item: wire.RegistryItem, present: wire.DeprecatedStatus | None, message: str | None, piece: str = ""
) -> Preview:
    """Return the preview of a call that deprecates an item or a version of it, or takes that back.

    Args:
        tool: The call.
        item: The item.
        present: How it is deprecated now; None if it is not.
        message: Why it is to be deprecated; None to take that back.
        piece: The version; "" for the whole item.
    """
    what = called(item).of(piece) if piece else called(item)
    now = "not deprecated" if present is None else f"deprecated, {exact(present.message)}"
    then = "not deprecated" if message is None else f"deprecated, {exact(message, sent=True)}"
    lines = [f"It is {now}; it gets {then}."]
    if message is None and present is None:
        lines = [_NOT_DEPRECATED]
    bound = state_of("" if present is None else present.message)
    return what.preview(tool, [*lines, *usage(item)], bound=bound)
