"""Machine parts: configuration, history, secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from viam_mcp.app._files import write_file
from viam_mcp.app.records._records import Page, RobotPart, RobotPartHistoryEntry
from viam_mcp.app.subjects._subject import Subject, build, struct, timestamp, value
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["PartMethods"]


class PartMethods(Subject):
    """Methods about the parts of machines. A part is named by its id, a UUID."""

    async def get_robot_parts(self, robot_id: str) -> list[RobotPart]:
        """List the parts of a machine.

        Args:
            robot_id: The machine.
        """
        reply = await self._session.unary(self._stub.GetRobotParts, build(app.GetRobotPartsRequest, robot_id=robot_id))
        return [RobotPart.from_proto(part) for part in reply.parts]

    async def get_robot_part(self, robot_part_id: str, dest: str | None = None, indent: int = 4) -> RobotPart:
        """Get a part, and write its configuration to a file if asked.

        Args:
            robot_part_id: The part.
            dest: Path of a file to write: the part's configuration as JSON, with the keys in the
                server's order. It is replaced as a whole or not at all, and readable by its owner alone.
            indent: Spaces of indentation in the file.

        Returns:
            The part.

        Raises:
            OSError: If the file cannot be written.
        """
        reply = await self._session.unary(self._stub.GetRobotPart, build(app.GetRobotPartRequest, id=robot_part_id))
        part = RobotPart.from_proto(reply.part)
        if dest is not None:
            text = reply.config_json or part.robot_config_json
            config = json.loads(text) if text else part.robot_config or {}
            await write_file(dest, json.dumps(config, indent=indent, ensure_ascii=False) + "\n")
        return part

    async def get_robot_part_by_name_and_location(self, name: str, location_id: str) -> RobotPart:
        """Find a part by its name.

        Args:
            name: The part's name.
            location_id: The location that its machine is in.
        """
        request = build(app.GetRobotPartByNameAndLocationRequest, name=name, location_id=location_id)
        return RobotPart.from_proto((await self._session.unary(self._stub.GetRobotPartByNameAndLocation, request)).part)

    async def get_robot_part_history(
        self,
        robot_part_id: str,
        start: datetime | None = None,
        end: datetime | None = None,
        page_limit: int | None = None,
    ) -> Page[RobotPartHistoryEntry]:
        """List the edits of a part, newest first.

        Args:
            robot_part_id: The part.
            start: Only edits from this time on; aware.
            end: Only edits before this time; aware.
            page_limit: At most so many; None leaves it to the server.

        Returns:
            One page; its `next_page_token` is for `robot_part_history_page`.
        """
        return await self.robot_part_history_page(robot_part_id, start=start, end=end, page_limit=page_limit)

    async def robot_part_history_page(
        self,
        robot_part_id: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        page_limit: int | None = None,
        page_token: str | None = None,
    ) -> Page[RobotPartHistoryEntry]:
        """Get a page of the edits of a part, newest first.

        Args:
            robot_part_id: The part.
            start: Only edits from this time on; aware.
            end: Only edits before this time; aware.
            page_limit: At most so many; None leaves it to the server.
            page_token: The `next_page_token` of the page before; None or "" for the first page.

        Returns:
            The page, whose `next_page_token` is empty when it is the last.
        """
        rpc = "GetRobotPartHistory"
        request = build(
            app.GetRobotPartHistoryRequest,
            id=robot_part_id,
            page_token=page_token or None,
            page_limit=page_limit,
            start=timestamp(rpc, "start", start),
            end=timestamp(rpc, "end", end),
        )
        reply = await self._session.unary(self._stub.GetRobotPartHistory, request)
        return Page(map(RobotPartHistoryEntry.from_proto, reply.history), reply.next_page_token)

    async def update_robot_part(
        self,
        robot_part_id: str,
        name: str,
        robot_config: Mapping[str, Any] | None = None,
        last_known_update: datetime | None = None,
        robot_config_json: str | None = None,
    ) -> RobotPart:
        """Rename a part and replace its configuration, if one is given.

        Args:
            robot_part_id: The part.
            name: Its name from now on.
            robot_config: Its configuration from now on. None leaves it alone; {} makes it empty.
            last_known_update: Refuse if the part has changed since this time, its `last_updated`; aware.
            robot_config_json: The configuration as JSON text: keeps the order of keys and integers of any
                size, and wins over `robot_config`.

        Returns:
            The part as it is now.

        Raises:
            InvalidArgument: Also before any call, for a configuration that JSON or the wire cannot carry.
        """
        rpc = "UpdateRobotPart"
        request = build(
            app.UpdateRobotPartRequest,
            id=robot_part_id,
            name=name,
            robot_config=struct(rpc, "robot_config", robot_config),
            last_known_update=timestamp(rpc, "last_known_update", last_known_update),
            robot_config_json=robot_config_json,
        )
        return RobotPart.from_proto((await self._session.unary(self._stub.UpdateRobotPart, request)).part)

    async def set_config_property(
        self, robot_part_id: str, property_changes: Mapping[str, Any], timeout: float | None = None
    ) -> list[app.ConfigPropertyChangeResult]:
        """Set single values in the configuration of a part, and leave the rest of it alone.

        Args:
            robot_part_id: The part.
            property_changes: The new value by the path to it, such as `components[0].attributes.speed`.
            timeout: Seconds for the call, instead of the client's.

        Returns:
            What became of each change, in their order. Some may succeed where others fail.

        Raises:
            InvalidArgument: Also before any call, for a value that JSON or the wire cannot carry.
        """
        rpc = "SetConfigProperty"
        changes = [
            app.ConfigPropertyChange(path=path, value=value(rpc, f"property_changes[{path!r}]", item))
            for path, item in property_changes.items()
        ]
        request = build(app.SetConfigPropertyRequest, robot_part_id=robot_part_id, property_changes=changes)
        reply = await self._session.unary(self._stub.SetConfigProperty, request, timeout=timeout)
        return list(reply.property_changes)

    async def new_robot_part(self, robot_id: str, part_name: str) -> str:
        """Add a part to a machine.

        Args:
            robot_id: The machine.
            part_name: The part's name, unique within the machine.

        Returns:
            The id of the new part.
        """
        request = build(app.NewRobotPartRequest, robot_id=robot_id, part_name=part_name)
        return (await self._session.unary(self._stub.NewRobotPart, request)).part_id

    async def delete_robot_part(self, robot_part_id: str) -> None:
        """Delete a part for good, with its configuration. The main part cannot be deleted.

        Args:
            robot_part_id: The part.
        """
        await self._session.unary(self._stub.DeleteRobotPart, build(app.DeleteRobotPartRequest, part_id=robot_part_id))

    async def mark_part_as_main(self, robot_part_id: str) -> None:
        """Make a part the main one of its machine, in place of the one that was.

        Args:
            robot_part_id: The part.
        """
        await self._session.unary(self._stub.MarkPartAsMain, build(app.MarkPartAsMainRequest, part_id=robot_part_id))

    async def mark_part_for_restart(self, robot_part_id: str) -> None:
        """Have a part's viam-server restart when it next asks the app, which is every few seconds.

        Args:
            robot_part_id: The part.
        """
        request = build(app.MarkPartForRestartRequest, part_id=robot_part_id)
        await self._session.unary(self._stub.MarkPartForRestart, request)

    async def create_robot_part_secret(self, robot_part_id: str) -> RobotPart:
        """Add a secret to a part, which can have two at most.

        Args:
            robot_part_id: The part.

        Returns:
            The part, the new secret among its `secrets`. They are credentials.
        """
        request = build(app.CreateRobotPartSecretRequest, part_id=robot_part_id)
        return RobotPart.from_proto((await self._session.unary(self._stub.CreateRobotPartSecret, request)).part)

    async def delete_robot_part_secret(self, robot_part_id: str, secret_id: str) -> None:
        """Delete a secret of a part. A machine that signs in with it no longer can.

        Args:
            robot_part_id: The part.
            secret_id: The secret's id.
        """
        request = build(app.DeleteRobotPartSecretRequest, part_id=robot_part_id, secret_id=secret_id)
        await self._session.unary(self._stub.DeleteRobotPartSecret, request)
