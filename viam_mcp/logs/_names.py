"""What parts and their machines are called, and which parts a location has, remembered for a while."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viam_mcp.app import AppError
from viam_mcp.logs._entries import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from viam_mcp.app import AppClient

_NAMED = 600 * SECOND
_PLACED = 60 * SECOND
_MOST = 4_096


@dataclass(frozen=True)
class PartName:
    """What a part and its machine are called; empty where that cannot be read."""

    machine: str = ""
    part: str = ""


class Names:
    """Asks the app for names once, for readers who come back every few seconds."""

    def __init__(self, app: AppClient, now: Callable[[], int]) -> None:
        self._app = app
        self._now = now
        self._names: dict[str, tuple[int, PartName]] = {}
        self._parts: dict[str, tuple[int, list[str]]] = {}

    async def of(self, part_ids: Sequence[str]) -> dict[str, PartName]:
        """Return the names of some parts."""
        return dict(zip(part_ids, await asyncio.gather(*map(self._name, part_ids)), strict=True))

    async def parts_of(self, location_id: str, most: int) -> list[str]:
        """Return the parts of the machines in a location.

        Raises:
            ValueError: It has more machines than `most`; the message says how many.
            AppError: It cannot be read.
        """
        until, part_ids = self._parts.get(location_id, (0, []))
        if until > self._now():
            return part_ids
        robots = await self._app.list_robots(location_id)
        if len(robots) > most:
            raise ValueError(f"{len(robots)} machines in that location")
        parts = await asyncio.gather(*(self._app.get_robot_parts(robot.id) for robot in robots))
        for robot, each in zip(robots, parts, strict=True):
            for part in each:
                self._remember(part.id, PartName(robot.name, part.name))
        part_ids = [part.id for each in parts for part in each]
        if len(self._parts) >= _MOST:
            self._parts.clear()
        self._parts[location_id] = (self._now() + _PLACED, part_ids)
        return part_ids

    async def _name(self, part_id: str) -> PartName:
        until, name = self._names.get(part_id, (0, PartName()))
        if until > self._now():
            return name
        try:
            part = await self._app.get_robot_part(part_id)
            machine = (await self._app.get_robot(part.robot)).name
        except AppError:
            return PartName()
        return self._remember(part_id, PartName(machine, part.name))

    def _remember(self, part_id: str, name: PartName) -> PartName:
        if len(self._names) >= _MOST:
            self._names.clear()
        self._names[part_id] = (self._now() + _NAMED, name)
        return name
