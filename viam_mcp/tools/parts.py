"""Machine parts: the computers of a machine, their configuration and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._base import Effect, ListTool, Tool
from viam_mcp.tools._encode import encode
from viam_mcp.tools._files import Dest, Overwrite, save
from viam_mcp.tools._names import part_name
from viam_mcp.tools._output import Done, Many, One, Values
from viam_mcp.tools._types import Config, MachineId, Name, PartId, SecretId, Time

if TYPE_CHECKING:
    from viam_mcp.app import AppClient, Page, RobotPart, RobotPartHistoryEntry
    from viam_mcp.tools._environment import Environment


class GetRobotParts(ListTool, toolset="parts", reveals_secret=True, returns=Many(parts=wire.RobotPart)):
    """List the parts of a machine with their configurations, addresses and states. With fields=["id","name"] it
    is short. Part ids are what the log, history and update tools take."""

    robot_id: MachineId

    async def run(self, app: AppClient) -> list[RobotPart]:
        return await app.get_robot_parts(self.robot_id)


class GetRobotPart(Tool, toolset="parts", reveals_secret=True, returns=One("part", wire.RobotPart)):
    """Get one part: configuration, address, when it was last seen, and last_updated, which update_robot_part
    takes as last_known_update. With dest, the configuration is also written to a file, credentials redacted."""

    robot_part_id: PartId
    dest: Dest | None = None
    indent: Annotated[int, Field(ge=0, le=16, description="Of the file")] = 4
    overwrite: Overwrite = False

    async def execute(self, app: AppClient, environment: Environment) -> RobotPart:
        part = await app.get_robot_part(self.robot_part_id)
        if self.dest is not None:
            config = encode(part.proto).get("robot_config", {})
            text = json.dumps(config, indent=self.indent, ensure_ascii=False)
            save(environment, self.dest, f"{text}\n".encode(), overwrite=self.overwrite)
        return part


class GetRobotPartHistory(
    ListTool, toolset="parts", reveals_secret=True, returns=Many(history=wire.RobotPartHistoryEntry)
):
    """List the edits of a part, newest first: who, when, and the part as it was before. Compare with
    get_robot_part for what the latest edit changed."""

    robot_part_id: PartId
    start: Time | None = None
    end: Time | None = None
    page_limit: Annotated[int, Field(ge=1, le=100, description="Entries a page of the service")] | None = None

    async def page(self, app: AppClient, token: str, limit: int) -> Page[RobotPartHistoryEntry]:
        return await app.robot_part_history_page(
            self.robot_part_id, start=self.start, end=self.end, page_limit=self.page_limit, page_token=token
        )


class UpdateRobotPart(
    Tool, toolset="parts", effect=Effect.DESTRUCTIVE, reveals_secret=True, returns=One("part", wire.RobotPart)
):
    """Rename a part and, if one is given, replace its whole configuration: the machine applies it within
    seconds. Read the present one with get_robot_part and send all of it back, changed; {} empties it. Returns
    the part as it is then."""

    robot_part_id: PartId
    name: Name
    robot_config: Config | None = None
    last_known_update: (
        Annotated[Time, Field(description="last_updated of what was read: the call fails if the part was saved since")]
        | None
    ) = None
    robot_config_json: (
        Annotated[str, Field(description="In place of robot_config, to keep the order of keys")] | None
    ) = None

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def run(self, app: AppClient) -> RobotPart:
        return await app.update_robot_part(
            self.robot_part_id,
            self.name,
            self.robot_config,
            last_known_update=self.last_known_update,
            robot_config_json=self.robot_config_json,
        )


class NewRobotPart(Tool, toolset="parts", effect=Effect.WRITE, returns=Values(part_id=str)):
    """Add a part to a machine, with an empty configuration. Returns the part's id."""

    robot_id: MachineId
    part_name: Name

    async def run(self, app: AppClient) -> str:
        return await app.new_robot_part(self.robot_id, self.part_name)


class DeleteRobotPart(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a part with its configuration, history and logs. The main part cannot be deleted: mark another one
    as main first, or use delete_robot. This cannot be undone."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def run(self, app: AppClient) -> None:
        await app.delete_robot_part(self.robot_part_id)


class MarkPartAsMain(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, returns=Done("Now the main part: {subject}.")):
    """Make a part the main one of its machine, in place of the present one."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def run(self, app: AppClient) -> None:
        await app.mark_part_as_main(self.robot_part_id)


class MarkPartForRestart(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, returns=Done("Will restart: {subject}.")):
    """Restart a part's viam-server the next time that the part checks in, within seconds if it is online. What
    it controls stops while it restarts."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def run(self, app: AppClient) -> None:
        await app.mark_part_for_restart(self.robot_part_id)


class CreateRobotPartSecret(
    Tool, toolset="parts", effect=Effect.WRITE, reveals_secret=True, returns=One("part", wire.RobotPart)
):
    """Create a new secret for a part; at most two are active at once. To replace one: create, give the part the
    new one, then delete_robot_part_secret. Returns the part with its secrets."""

    robot_part_id: PartId

    async def run(self, app: AppClient) -> RobotPart:
        return await app.create_robot_part_secret(self.robot_part_id)


class DeleteRobotPartSecret(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a secret of a part. A part that still signs in with it is locked out at once."""

    robot_part_id: PartId
    secret_id: SecretId

    async def subject(self, app: AppClient) -> str:
        return f"secret {self.secret_id} of {await part_name(app, self.robot_part_id)}"

    async def run(self, app: AppClient) -> None:
        await app.delete_robot_part_secret(self.robot_part_id, self.secret_id)
