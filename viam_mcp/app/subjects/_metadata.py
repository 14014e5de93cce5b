"""Metadata: a JSON object of the user's own on each organization, location, machine and part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viam_mcp.app.records._struct import to_plain
from viam_mcp.app.subjects._subject import Subject, build, struct
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MetadataMethods"]


class MetadataMethods(Subject):
    """Methods about metadata.

    An update replaces the whole object; `{}` clears it, and is what stands there before the first update.
    The updates raise `InvalidArgument` before any call for an object that JSON or the wire cannot carry.
    """

    async def get_organization_metadata(self, org_id: str) -> dict[str, Any]:
        """Get the metadata of an organization.

        Args:
            org_id: The organization.
        """
        request = build(app.GetOrganizationMetadataRequest, organization_id=org_id)
        return to_plain((await self._session.unary(self._stub.GetOrganizationMetadata, request)).data)

    async def update_organization_metadata(self, org_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of an organization.

        Args:
            org_id: The organization.
            metadata: Its metadata from now on.
        """
        data = struct("UpdateOrganizationMetadata", "metadata", metadata)
        request = build(app.UpdateOrganizationMetadataRequest, organization_id=org_id, data=data)
        await self._session.unary(self._stub.UpdateOrganizationMetadata, request)

    async def get_location_metadata(self, location_id: str) -> dict[str, Any]:
        """Get the metadata of a location.

        Args:
            location_id: The location.
        """
        request = build(app.GetLocationMetadataRequest, location_id=location_id)
        return to_plain((await self._session.unary(self._stub.GetLocationMetadata, request)).data)

    async def update_location_metadata(self, location_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of a location.

        Args:
            location_id: The location.
            metadata: Its metadata from now on.
        """
        data = struct("UpdateLocationMetadata", "metadata", metadata)
        request = build(app.UpdateLocationMetadataRequest, location_id=location_id, data=data)
        await self._session.unary(self._stub.UpdateLocationMetadata, request)

    async def get_robot_metadata(self, robot_id: str) -> dict[str, Any]:
        """Get the metadata of a machine.

        Args:
            robot_id: The machine.
        """
        request = build(app.GetRobotMetadataRequest, id=robot_id)
        return to_plain((await self._session.unary(self._stub.GetRobotMetadata, request)).data)

    async def update_robot_metadata(self, robot_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of a machine.

        Args:
            robot_id: The machine.
            metadata: Its metadata from now on.
        """
        data = struct("UpdateRobotMetadata", "metadata", metadata)
        await self._session.unary(
            self._stub.UpdateRobotMetadata, build(app.UpdateRobotMetadataRequest, id=robot_id, data=data)
        )

    async def get_robot_part_metadata(self, robot_part_id: str) -> dict[str, Any]:
        """Get the metadata of a part.

        Args:
            robot_part_id: The part.
        """
        request = build(app.GetRobotPartMetadataRequest, id=robot_part_id)
        return to_plain((await self._session.unary(self._stub.GetRobotPartMetadata, request)).data)

    async def update_robot_part_metadata(self, robot_part_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of a part.

        Args:
            robot_part_id: The part.
            metadata: Its metadata from now on.
        """
        data = struct("UpdateRobotPartMetadata", "metadata", metadata)
        request = build(app.UpdateRobotPartMetadataRequest, id=robot_part_id, data=data)
        await self._session.unary(self._stub.UpdateRobotPartMetadata, request)
