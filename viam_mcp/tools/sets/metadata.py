"""Metadata: a JSON object of the user's own on each organization, location, machine and part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from viam_mcp.app import to_struct
from viam_mcp.proto import app as wire
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import Tool
from viam_mcp.tools.arguments._types import LocationId, MachineId, Object, OrganizationId, PartId
from viam_mcp.tools.previews._model import Preview, Risk
from viam_mcp.tools.previews._names import (
    brief,
    location_name,
    machine_name,
    named,
    organization_name,
    part_name,
)
from viam_mcp.tools.previews._places import organization_of, whereabouts
from viam_mcp.tools.previews._wording import Called, state_of
from viam_mcp.tools.previews.configs._diff import config_diff
from viam_mcp.tools.redaction._configs import Stored, lacks
from viam_mcp.tools.results._encode import encode
from viam_mcp.tools.results._output import Done, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

_METADATA = Values(metadata=dict)
_REPLACED = Done("Replaced the metadata of {subject}.")

_Metadata = Annotated[Object, Field(description="All of it from now on; {} clears it")]


class _Reading(Tool):
    """A tool that reads the metadata of one thing."""

    async def run(self, app: AppClient) -> dict[str, Any]:
        return _shown(await self._present(app))

    async def _present(self, app: AppClient) -> dict[str, Any]:
        raise NotImplementedError


class _Replacing(Tool):
    """A tool that replaces the metadata of one thing."""

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        present, called = await self._present(app), await self._called(app)
        difference = await config_diff(Stored(present, _shown(present)), self._sent(), "metadata")
        # Nothing of metadata runs or opens anything; what is lost is all that can be grave.
        grave = [one for one in difference.consequences if one.risk in (Risk.EMPTIES, Risk.DELETIONS)]
        bound = state_of(json.dumps(present, sort_keys=True))
        return called.of("metadata").preview(self, difference.lines, consequences=grave, bound=bound)

    async def run(self, app: AppClient) -> None:
        metadata = self._sent()
        if lacks(metadata):
            present = await self._present(app)
            metadata = Stored(present, _shown(present)).whole(metadata, "metadata")
        await self._replace(app, metadata)

    def _sent(self) -> dict[str, Any]:
        sent: dict[str, Any] = getattr(self, "metadata")  # noqa: B009 - a field of each subclass, after its id
        return sent

    async def _present(self, app: AppClient) -> dict[str, Any]:
        raise NotImplementedError

    async def _replace(self, app: AppClient, metadata: dict[str, Any]) -> None:
        raise NotImplementedError

    async def _called(self, app: AppClient) -> Called:
        raise NotImplementedError


class GetOrganizationMetadata(_Reading, toolset="organizations", returns=_METADATA):
    """Get the metadata of an organization: a JSON object of its owners' own."""

    org_id: OrganizationId

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_organization_metadata(self.org_id)


class UpdateOrganizationMetadata(
    _Replacing, toolset="organizations", effect=Effect.DESTRUCTIVE, risks=(Risk.EMPTIES,), returns=_REPLACED
):
    """Replace the whole metadata of an organization. Read them with get_organization_metadata and send all back,
    changed; where they read [redacted], send that as it is."""

    org_id: OrganizationId
    metadata: _Metadata

    async def subject(self, app: AppClient) -> str:
        return await organization_name(app, self.org_id)

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_organization_metadata(self.org_id)

    async def _replace(self, app: AppClient, metadata: dict[str, Any]) -> None:
        await app.update_organization_metadata(self.org_id, metadata)

    async def _called(self, app: AppClient) -> Called:
        return _called("organization", await app.get_organization(self.org_id), "")


class GetLocationMetadata(_Reading, toolset="locations", returns=_METADATA):
    """Get the metadata of a location: a JSON object of its owners' own."""

    location_id: LocationId

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_location_metadata(self.location_id)


class UpdateLocationMetadata(
    _Replacing, toolset="locations", effect=Effect.DESTRUCTIVE, risks=(Risk.EMPTIES,), returns=_REPLACED
):
    """Replace the whole metadata of a location. Read them with get_location_metadata and send all back, changed;
    where they read [redacted], send that as it is."""

    location_id: LocationId
    metadata: _Metadata

    async def subject(self, app: AppClient) -> str:
        return await location_name(app, self.location_id)

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_location_metadata(self.location_id)

    async def _replace(self, app: AppClient, metadata: dict[str, Any]) -> None:
        await app.update_location_metadata(self.location_id, metadata)

    async def _called(self, app: AppClient) -> Called:
        location = await app.get_location(self.location_id)
        return _called("location", location, f"of {(await organization_of(app, location))[1]}")


class GetRobotMetadata(_Reading, toolset="machines", returns=_METADATA):
    """Get the metadata of a machine: a JSON object of its owners' own."""

    robot_id: MachineId

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_robot_metadata(self.robot_id)


class UpdateRobotMetadata(
    _Replacing, toolset="machines", effect=Effect.DESTRUCTIVE, risks=(Risk.EMPTIES,), returns=_REPLACED
):
    """Replace the whole metadata of a machine. Read them with get_robot_metadata and send all back, changed; where
    they read [redacted], send that as it is."""

    robot_id: MachineId
    metadata: _Metadata

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.robot_id)

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_robot_metadata(self.robot_id)

    async def _replace(self, app: AppClient, metadata: dict[str, Any]) -> None:
        await app.update_robot_metadata(self.robot_id, metadata)

    async def _called(self, app: AppClient) -> Called:
        robot = await app.get_robot(self.robot_id)
        return _called("machine", robot, f"in {(await whereabouts(app, robot.location))[1]}")


class GetRobotPartMetadata(_Reading, toolset="parts", returns=_METADATA):
    """Get the metadata of a part: a JSON object of its owners' own. It is not its configuration."""

    robot_part_id: PartId

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_robot_part_metadata(self.robot_part_id)


class UpdateRobotPartMetadata(
    _Replacing, toolset="parts", effect=Effect.DESTRUCTIVE, risks=(Risk.EMPTIES,), returns=_REPLACED
):
    """Replace the whole metadata of a part. Read them with get_robot_part_metadata and send all back, changed;
    where they read [redacted], send that as it is."""

    robot_part_id: PartId
    metadata: _Metadata

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def _present(self, app: AppClient) -> dict[str, Any]:
        return await app.get_robot_part_metadata(self.robot_part_id)

    async def _replace(self, app: AppClient, metadata: dict[str, Any]) -> None:
        await app.update_robot_part_metadata(self.robot_part_id, metadata)

    async def _called(self, app: AppClient) -> Called:
        part = (await app.get_robot_part(self.robot_part_id)).proto
        return _called("part", part, f"in {(await whereabouts(app, part.location_id))[1]}")


def _called(kind: str, thing: wire.Organization | wire.Location | wire.Robot | wire.RobotPart, where: str) -> Called:
    return Called(named(kind, thing.name, thing.id), brief(kind, thing.name), where, thing.name)


def _shown(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as their readers get them: credentials redacted, as in every other object."""
    message = wire.GetRobotMetadataResponse(data=to_struct(metadata, "metadata"))
    shown: dict[str, Any] = encode(message).get("data", {})
    return shown
