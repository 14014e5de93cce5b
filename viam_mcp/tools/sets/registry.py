"""The registry: modules, models, training scripts and archives that machines use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.proto.app import packages
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._nested import package_type, registry_item_status, visibility
from viam_mcp.tools.arguments._types import (
    Name,
    NewVisibility,
    OrganizationId,
    OrganizationIdOrNone,
    PackageType,
    RegistryItemId,
    RegistryItemStatus,
    Text,
    Visibility,
)
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, named, organization_name, quoted
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    UNCHANGED,
    Called,
    change,
    count,
    day,
    exact,
    state_of,
    usage,
    visibility_change,
    visibility_name,
)
from viam_mcp.tools.results._encode import enum_names
from viam_mcp.tools.results._output import Done, Many, One

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment


class GetRegistryItem(Tool, toolset="registry", core=True, returns=One("item", wire.RegistryItem)):
    """Get one registry item of any type: description, visibility, usage, versions. For a module's models and
    entrypoint see also get_module."""

    item_id: RegistryItemId
    include_markdown_documentation: bool = False

    async def run(self, app: AppClient) -> wire.RegistryItem:
        return await app.get_registry_item(self.item_id, self.include_markdown_documentation)


class CreateRegistryItem(Tool, toolset="registry", effect=Effect.WRITE, returns=Done("Created {subject}.")):
    """Create a private, empty registry item, such as an ml_model. For a module use create_module."""

    organization_id: OrganizationId
    name: Name
    type: PackageType

    async def subject(self, app: AppClient) -> str:
        return f"{self.type} {quoted(self.name)} in {await organization_name(app, self.organization_id)}"

    async def run(self, app: AppClient) -> None:
        await app.create_registry_item(self.organization_id, self.name, package_type(self.type))


class UpdateRegistryItem(Tool, toolset="registry", effect=Effect.DESTRUCTIVE, returns=Done("Updated {subject}.")):
    """Replace a registry item's description and visibility; all three values are set. Public shows it to
    everybody, and cannot be taken back while others use it."""

    item_id: RegistryItemId
    type: PackageType
    description: Text
    visibility: NewVisibility

    async def subject(self, app: AppClient) -> str:
        return f"{self.type} {quoted(self.item_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        item = await app.get_registry_item(self.item_id)
        present = enum_names(packages.PackageType.DESCRIPTOR)[item.type]
        shown_to = visibility_change(visibility_name(item.visibility), self.visibility)
        lines = [
            *shown_to,
            *([f"It is of type {present}, not {self.type}."] if present != self.type else []),
            *change("Description", item.description, self.description),
        ]
        access = [Consequence(Risk.ACCESS, "VISIBILITY", self.visibility)] if shown_to else []
        return called(item).preview(
            self, [*(lines or [UNCHANGED]), *usage(item)], consequences=access, bound=state_of(item.description)
        )

    async def run(self, app: AppClient) -> None:
        await app.update_registry_item(
            self.item_id, package_type(self.type), self.description, visibility(self.visibility)
        )


class ListRegistryItems(ListTool, toolset="registry", core=True, returns=Many(items=wire.RegistryItem)):
    """List registry items by type, visibility, platform, status and text; an empty list does not filter.
    Without an organization ("") the public items of everybody are listed."""

    organization_id: OrganizationIdOrNone
    types: Annotated[list[PackageType], Field(max_length=10)]
    visibilities: Annotated[list[Visibility], Field(max_length=10)]
    platforms: Annotated[list[str], Field(max_length=100, description="Such as linux/arm64")]
    statuses: Annotated[list[RegistryItemStatus], Field(max_length=10)]
    search_term: Text | None = None
    page_token: str | None = None

    async def run(self, app: AppClient) -> list[wire.RegistryItem]:
        return await app.list_registry_items(
            self.organization_id,
            [package_type(item) for item in self.types],
            [visibility(item) for item in self.visibilities],
            self.platforms,
            [registry_item_status(item) for item in self.statuses],
            self.search_term,
            self.page_token,
        )


class DeleteRegistryItem(Tool, toolset="registry", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a registry item with all its versions. Refused while others use it. A deleted version can never be
    uploaded again. This cannot be undone."""

    item_id: RegistryItemId

    async def subject(self, app: AppClient) -> str:
        return f"registry item {quoted(self.item_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        item = await app.get_registry_item(self.item_id)
        versions = _versions(item)
        lines = [
            f"Description: {exact(item.description)}.",
            f"Visibility: {visibility_name(item.visibility)}.",
            f"{count(len(versions), 'version')}: {', '.join(map(exact, versions[::-1]))}."
            if versions
            else "No versions.",
            f"None of them can ever be uploaded again. {GONE_FOR_GOOD}",
            f"It was created on {day(item.created_at)}.",
            *usage(item),
        ]
        deletes = Consequence(Risk.DELETIONS, "DELETES IT", f"all its versions ({len(versions)})")
        return called(item).preview(self, lines, consequences=[deletes], bound=state_of(item))

    async def run(self, app: AppClient) -> None:
        await app.delete_registry_item(self.item_id)


def called(item: wire.RegistryItem) -> Called:
    """Return what to call a registry item: by its type, its name and its owner."""
    kind = enum_names(packages.PackageType.DESCRIPTOR)[item.type]
    owner = item.public_namespace or item.organization_id
    return Called(named(kind, item.name, item.item_id), brief(kind, item.name), f"of {exact(owner)}", subject=item.name)


def _versions(item: wire.RegistryItem) -> list[str]:
    """The versions of an item of any type, oldest first."""
    return [
        *(one.version for one in item.module_metadata.versions),
        *(one.version for one in item.ml_model_metadata.detailed_versions),
        *(one.version for one in item.ml_training_metadata.versions),
    ]
