"""Machine parts: the computers of a machine, their configuration and secrets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._saving import Dest, Overwrite, Saving, save
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._meaning import MachineConfig
from viam_mcp.tools.arguments._properties import PropertyChanges, with_properties
from viam_mcp.tools.arguments._types import (
    Config,
    ConfigText,
    KeepEmpty,
    LocationId,
    MachineId,
    Name,
    PartId,
    SecretId,
    Time,
)
from viam_mcp.tools.previews._configuration import config_change
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, location_name, machine_name, named, part_name, quoted
from viam_mcp.tools.previews._places import whereabouts
from viam_mcp.tools.previews._wording import (
    GONE_FOR_GOOD,
    UNCHANGED,
    Called,
    change,
    day,
    deleted_secret,
    earlier,
    exact,
    seen,
    stale,
    state_of,
)
from viam_mcp.tools.redaction._configs import Stored, config_from, lacks
from viam_mcp.tools.results._by_path import ByPath, ConfigCursor, ConfigPath, OneByPath
from viam_mcp.tools.results._encode import encode
from viam_mcp.tools.results._output import Done, Many, One, Values

if TYPE_CHECKING:
    from viam_mcp.app import AppClient, Page, RobotPart, RobotPartHistoryEntry
    from viam_mcp.tools._environment import Environment

_SECTIONS = ("components", "services", "modules", "remotes", "packages", "fragments", "processes")


class GetRobotParts(ListTool, toolset="parts", reveals_secret=True, core=True, returns=Many(parts=wire.RobotPart)):
    """List the parts of a machine with their configurations, addresses and states. With fields=["id","name"] it
    is short. Part ids are what the log, history and update tools take."""

    robot_id: MachineId

    async def subject(self, app: AppClient) -> str:
        return await machine_name(app, self.robot_id)

    async def run(self, app: AppClient) -> list[RobotPart]:
        return await app.get_robot_parts(self.robot_id)


class GetRobotPart(
    Saving,
    toolset="parts",
    reveals_secret=True,
    core=True,
    returns=OneByPath("part", wire.RobotPart, config="robot_config"),
):
    """Get one part: configuration, address, when it was last seen, and last_updated, which update_robot_part
    takes as last_known_update. Where a large configuration reads [left out: N bytes], read that with path. With dest,
    the configuration is also written to a file, credentials redacted."""

    robot_part_id: PartId
    path: ConfigPath | None = None
    cursor: ConfigCursor | None = None
    dest: Dest | None = None
    indent: Annotated[int, Field(ge=0, le=16, description="Of the file")] = 4
    overwrite: Overwrite = False

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def execute(self, app: AppClient, environment: Environment) -> RobotPart | ByPath:
        part = await app.get_robot_part(self.robot_part_id)
        if self.dest is not None:
            config = encode(part.proto).get("robot_config", {})
            text = json.dumps(config, indent=self.indent, ensure_ascii=False)
            await save(environment, self.dest, f"{text}\n".encode(), overwrite=self.overwrite)
        return part if self.path is None else ByPath(part, self.path, self.cursor, environment.budget)


class GetRobotPartByNameAndLocation(Tool, toolset="parts", reveals_secret=True, returns=One("part", wire.RobotPart)):
    """Get one part by its name and the location of its machine: configuration, address, state. With the part's
    id, use get_robot_part."""

    name: Name
    location_id: LocationId

    async def subject(self, app: AppClient) -> str:
        return f"part {quoted(self.name)} in {await location_name(app, self.location_id)}"

    async def run(self, app: AppClient) -> RobotPart:
        return await app.get_robot_part_by_name_and_location(self.name, self.location_id)


class GetRobotPartHistory(
    ListTool, toolset="parts", reveals_secret=True, core=True, returns=Many(history=wire.RobotPartHistoryEntry)
):
    """List the edits of a part, newest first: who, when, and the part as it was before. Compare with
    get_robot_part for what the latest edit changed."""

    robot_part_id: PartId
    start: Time | None = None
    end: Time | None = None
    page_limit: Annotated[int, Field(ge=1, le=100, description="Entries a page of the service")] | None = None

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def page(self, app: AppClient, token: str, limit: int) -> Page[RobotPartHistoryEntry]:
        return await app.robot_part_history_page(
            self.robot_part_id, start=self.start, end=self.end, page_limit=self.page_limit, page_token=token
        )


class UpdateRobotPart(
    Tool,
    toolset="parts",
    effect=Effect.DESTRUCTIVE,
    risks=(Risk.EMPTIES,),
    reveals_secret=True,
    core=True,
    returns=One("part", wire.RobotPart),
):
    """Rename a part and, if one is given, replace its whole configuration: the machine applies it within
    seconds. Read the present one with get_robot_part and send all of it back, changed; where it reads [redacted]
    or [left out: N bytes], send that back as it is, and what is stored there stays. {} empties it. Returns the part
    as it is then."""

    robot_part_id: PartId
    name: Name
    robot_config: Annotated[Config, KeepEmpty(), Field(description="A JSON object; {} empties it")] | None = None
    last_known_update: (
        Annotated[Time, Field(description="last_updated of what was read: the call fails if the part was saved since")]
        | None
    ) = None
    robot_config_json: (
        Annotated[
            ConfigText,
            MachineConfig(text_of="robot_config"),
            Field(description="In place of robot_config, to keep the order of keys"),
        ]
        | None
    ) = None

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        part = await app.get_robot_part(self.robot_part_id)
        # A large configuration takes so long to be read that others would wait for it.
        stored = await anyio.to_thread.run_sync(_stored, part)
        called, edit = await asyncio.gather(
            _called(app, part), config_change(app, stored, self._sent(), self._argument())
        )
        lines = [*stale(self.last_known_update, part.last_updated), *change("Name", part.name, self.name)]
        if self.name != part.name:
            lines.append(f"Its address {exact(part.proto.fqdn)} is made from its name, and changes with it.")
        return called.preview(
            self,
            [*lines, *edit.lines],
            consequences=edit.consequences,
            bound=(*edit.bound, *state_of(part.proto.robot_config)),
            last_known_update=earlier(self.last_known_update, part.last_updated),
        )

    async def run(self, app: AppClient) -> RobotPart:
        config, text, known = self.robot_config, self.robot_config_json, self.last_known_update
        if lacks(self._sent()):
            part = await app.get_robot_part(self.robot_part_id)
            config = _stored(part).whole(self._sent(), self._argument())
            # What is put back is what was stored when it was read, so nobody may have saved it since.
            known = earlier(known, part.last_updated)
            if text is not None:
                config, text = None, json.dumps(config, ensure_ascii=False)
        return await app.update_robot_part(
            self.robot_part_id, self.name, config, last_known_update=known, robot_config_json=text
        )

    def _sent(self) -> dict[str, Any] | None:
        """The configuration that was sent; the text wins, as it does in the service."""
        return self.robot_config if self.robot_config_json is None else config_from(self.robot_config_json)

    def _argument(self) -> str:
        return "robot_config" if self.robot_config_json is None else "robot_config_json"


class SetConfigProperty(
    Tool,
    toolset="parts",
    effect=Effect.DESTRUCTIVE,
    risks=(Risk.EMPTIES,),
    returns=One("result", wire.SetConfigPropertyResponse),
):
    """Set single values in the configuration of a part and leave the rest as it is: the machine applies them
    within seconds. Some may succeed where others fail; the answer says which."""

    robot_part_id: PartId
    property_changes: PropertyChanges

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        self._check()
        part = await app.get_robot_part(self.robot_part_id)
        stored = await anyio.to_thread.run_sync(_stored, part)
        sent = with_properties(stored.shown, self.property_changes)
        called, edit = await asyncio.gather(_called(app, part), config_change(app, stored, sent, "property_changes"))
        bound = (*edit.bound, *state_of(part.proto.robot_config))
        return called.preview(self, edit.lines, consequences=edit.consequences, bound=bound)

    async def run(self, app: AppClient) -> wire.SetConfigPropertyResponse:
        self._check()
        results = await app.set_config_property(self.robot_part_id, self.property_changes)
        return wire.SetConfigPropertyResponse(property_changes=results)

    def _check(self) -> None:
        if lacks(self.property_changes):
            # The rpc takes no time of the last save, so what is stored could be another value by then.
            Stored({}, {}).whole(self.property_changes, "property_changes")


class NewRobotPart(Tool, toolset="parts", effect=Effect.WRITE, core=True, returns=Values(part_id=str)):
    """Add a part to a machine, with an empty configuration. Returns the part's id."""

    robot_id: MachineId
    part_name: Name

    async def subject(self, app: AppClient) -> str:
        return f"part {quoted(self.part_name)} of {await machine_name(app, self.robot_id)}"

    async def run(self, app: AppClient) -> str:
        return await app.new_robot_part(self.robot_id, self.part_name)


class DeleteRobotPart(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, core=True, returns=Done("Deleted {subject}.")):
    """Delete a part with its configuration, history and logs. The main part cannot be deleted: mark another one
    as main first, or use delete_robot. This cannot be undone."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        part = await app.get_robot_part(self.robot_part_id)
        called, config = await _called(app, part), part.robot_config or {}
        sizes = [f"{key} {len(config[key])}" for key in _SECTIONS if isinstance(config.get(key), list)]
        gone = f"configuration ({', '.join(sizes) or 'empty'}), history, logs and secrets"
        lines = [
            *(["It is the machine's main part: the service refuses this."] if part.main_part else []),
            f"Its {gone} go with it. {GONE_FOR_GOOD}",
            f"It was created on {day(part.proto.created_on)}, and is reached at {exact(part.proto.fqdn)}.",
        ]
        deletes = Consequence(Risk.DELETIONS, "DELETES IT", gone)
        return called.preview(self, lines, consequences=[deletes], bound=state_of(part.proto))

    async def run(self, app: AppClient) -> None:
        await app.delete_robot_part(self.robot_part_id)


class MarkPartAsMain(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, returns=Done("Now the main part: {subject}.")):
    """Make a part the main one of its machine, in place of the present one."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        part = await app.get_robot_part(self.robot_part_id)
        called, parts = await asyncio.gather(_called(app, part), app.get_robot_parts(part.robot))
        main = next((other for other in parts if other.main_part), None)
        lines = [f"Main part: {exact(main.name)} → {exact(part.name)}."] if main and main.id != part.id else [UNCHANGED]
        bound = state_of(part.proto, *([main.proto] if main else []))
        return called.preview(self, lines, bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.mark_part_as_main(self.robot_part_id)


class MarkPartForRestart(
    Tool, toolset="parts", effect=Effect.DESTRUCTIVE, core=True, returns=Done("Will restart: {subject}.")
):
    """Restart a part's viam-server the next time that the part checks in, within seconds if it is online. What
    it controls stops while it restarts."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return await part_name(app, self.robot_part_id)

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called = await _called(app, await app.get_robot_part(self.robot_part_id))
        lines = ["Its viam-server restarts when it next checks in; what it controls stops meanwhile."]
        return called.preview(self, lines)

    async def run(self, app: AppClient) -> None:
        await app.mark_part_for_restart(self.robot_part_id)


class CreateRobotPartSecret(
    Tool,
    toolset="parts",
    effect=Effect.WRITE,
    reveals_secret=True,
    mints="read it with get_robot_part",
    returns=One("part", wire.RobotPart),
):
    """Create a new secret for a part; at most two are active at once. To replace one: create, give the part the
    new one, then delete_robot_part_secret. Returns the part with its secrets."""

    robot_part_id: PartId

    async def subject(self, app: AppClient) -> str:
        return f"a secret for {await part_name(app, self.robot_part_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        called = await _called(app, await app.get_robot_part(self.robot_part_id))
        return called.of("a new secret").preview(
            self,
            ["Its holder signs in as this part. It is good until it is deleted."],
            consequences=[Consequence(Risk.ACCESS, "A NEW SECRET opens", called.title)],
        )

    async def run(self, app: AppClient) -> RobotPart:
        return await app.create_robot_part_secret(self.robot_part_id)


class DeleteRobotPartSecret(Tool, toolset="parts", effect=Effect.DESTRUCTIVE, returns=Done("Deleted {subject}.")):
    """Delete a secret of a part. A part that still signs in with it is locked out at once."""

    robot_part_id: PartId
    secret_id: SecretId

    async def subject(self, app: AppClient) -> str:
        return f"secret {quoted(self.secret_id)} of {await part_name(app, self.robot_part_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        part = await app.get_robot_part(self.robot_part_id)
        called, (lines, bound) = await _called(app, part), deleted_secret(self.secret_id, part.secrets)
        return called.of(f"secret {quoted(self.secret_id)}").preview(self, lines, bound=bound)

    async def run(self, app: AppClient) -> None:
        await app.delete_robot_part_secret(self.robot_part_id, self.secret_id)


def _stored(part: RobotPart) -> Stored:
    """The configuration of a part, as it is and as it is shown."""
    return Stored(part.robot_config or {}, encode(part.proto).get("robot_config", {}))


async def _called(app: AppClient, part: RobotPart) -> Called:
    """Return what to call a part: by its name, its machine's, its location's and its organization's."""
    machine, (place, where) = await asyncio.gather(app.get_robot(part.robot), whereabouts(app, part.location_id))
    return Called(
        what=f"{named('part', part.name, part.id)} of {named('machine', machine.name, machine.id)} in {place}",
        title=brief("part", part.name),
        where=f"of {brief('machine', machine.name)} in {where}",
        subject=part.name,
        now=seen(part.proto),
    )
