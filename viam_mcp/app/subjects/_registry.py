"""The registry: modules, models and training scripts as items that are listed and shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.proto.app.packages import PackageType

__all__ = ["RegistryMethods"]


class RegistryMethods(Subject):
    """Methods about registry items. An item is named `namespace:name` or `organization-id:name`."""

    async def get_registry_item(self, item_id: str, include_markdown_documentation: bool = False) -> app.RegistryItem:
        """Get a registry item.

        Args:
            item_id: The item.
            include_markdown_documentation: Send the documentation of its models as well.
        """
        request = build(
            app.GetRegistryItemRequest, item_id=item_id, include_markdown_documentation=include_markdown_documentation
        )
        return (await self._session.unary(self._stub.GetRegistryItem, request)).item

    async def create_registry_item(self, organization_id: str, name: str, type: PackageType) -> None:
        """Make a registry item, private and without a version yet.

        Args:
            organization_id: The organization that it will belong to.
            name: Its name, unique within the organization: letters, digits, `-`, `_`; up to 200.
            type: What it is.
        """
        request = build(app.CreateRegistryItemRequest, organization_id=organization_id, name=name, type=type)
        await self._session.unary(self._stub.CreateRegistryItem, request)

    async def update_registry_item(
        self, item_id: str, type: PackageType, description: str, visibility: app.Visibility
    ) -> None:
        """Change a registry item.

        Args:
            item_id: The item.
            type: What it is.
            description: Its description from now on.
            visibility: Who may see it from now on.
        """
        request = build(
            app.UpdateRegistryItemRequest, item_id=item_id, type=type, description=description, visibility=visibility
        )
        await self._session.unary(self._stub.UpdateRegistryItem, request)

    async def list_registry_items(
        self,
        organization_id: str,
        types: Sequence[PackageType],
        visibilities: Sequence[app.Visibility],
        platforms: Sequence[str],
        statuses: Sequence[app.RegistryItemStatus],
        search_term: str | None = None,
        page_token: str | None = None,
    ) -> list[app.RegistryItem]:
        """List registry items. An empty list of conditions is no condition.

        Args:
            organization_id: The organization; "" for all of them, which shows what is public.
            types: Only items of these types.
            visibilities: Only items that are seen like this.
            platforms: Only items for these platforms, such as "linux/arm64" or "linux/any".
            statuses: Only items in these states.
            search_term: Only items that match this text.
            page_token: Where to go on; the server's answers hold no token, so this is for one obtained elsewhere.
        """
        request = build(
            app.ListRegistryItemsRequest,
            organization_id=organization_id,
            types=types,
            visibilities=visibilities,
            platforms=platforms,
            statuses=statuses,
            search_term=search_term,
            page_token=page_token,
        )
        return list((await self._session.unary(self._stub.ListRegistryItems, request)).items)

    async def delete_registry_item(self, item_id: str) -> None:
        """Delete a registry item for good. Refused while others use it.

        Args:
            item_id: The item.
        """
        await self._session.unary(self._stub.DeleteRegistryItem, build(app.DeleteRegistryItemRequest, item_id=item_id))

    async def rename_registry_item(self, item_id: str, new_name: str) -> app.RegistryItem:
        """Rename a registry item, which changes its id.

        Args:
            item_id: The item.
            new_name: Its name from now on, unique within the organization.

        Returns:
            The item as it is now.
        """
        request = build(app.RenameRegistryItemRequest, item_id=item_id, new_name=new_name)
        return (await self._session.unary(self._stub.RenameRegistryItem, request)).item

    async def transfer_registry_item(self, item_id: str, new_public_namespace: str) -> None:
        """Give a registry item to another organization, which changes its id.

        Args:
            item_id: The item.
            new_public_namespace: The namespace of the organization that it will belong to.
        """
        request = build(app.TransferRegistryItemRequest, item_id=item_id, new_public_namespace=new_public_namespace)
        await self._session.unary(self._stub.TransferRegistryItem, request)

    async def deprecate_registry_item(self, item_id: str, message: str) -> None:
        """Mark a registry item as one that is no longer to be used. It goes on working.

        Args:
            item_id: The item.
            message: Why, and what to use instead.
        """
        request = build(app.DeprecateRegistryItemRequest, item_id=item_id, message=message)
        await self._session.unary(self._stub.DeprecateRegistryItem, request)

    async def undeprecate_registry_item(self, item_id: str) -> None:
        """Take the mark from a registry item that was deprecated.

        Args:
            item_id: The item.
        """
        request = build(app.UndeprecateRegistryItemRequest, item_id=item_id)
        await self._session.unary(self._stub.UndeprecateRegistryItem, request)

    async def deprecate_registry_item_version(self, item_id: str, version: str, message: str) -> None:
        """Mark a version of a registry item as one that is no longer to be used. It goes on working.

        Args:
            item_id: The item.
            version: The version, such as "1.4.2".
            message: Why, and what to use instead.
        """
        request = build(app.DeprecateRegistryItemVersionRequest, item_id=item_id, version=version, message=message)
        await self._session.unary(self._stub.DeprecateRegistryItemVersion, request)

    async def undeprecate_registry_item_version(self, item_id: str, version: str) -> None:
        """Take the mark from a version that was deprecated.

        Args:
            item_id: The item.
            version: The version, such as "1.4.2".
        """
        request = build(app.UndeprecateRegistryItemVersionRequest, item_id=item_id, version=version)
        await self._session.unary(self._stub.UndeprecateRegistryItemVersion, request)
