"""Follow one confirmed call through the program: how often it moves between files, and through which.

The call is a `delete_robot` on the embedded fleet, asked about by a form that is answered with yes, through the
official client in memory. Generated code and the sandbox, which stands for the Viam app, do not count.

    python scripts/call_path.py
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp import Client

import viam_mcp
from viam_mcp.assembly.fleet import open_fleet
from viam_mcp.assembly.pipeline import open_pipeline
from viam_mcp.assembly.settings import Settings
from viam_mcp.server import build_server

if TYPE_CHECKING:
    from types import FrameType

ROOT = Path(viam_mcp.__file__).parent
_OTHERS = tuple(str(ROOT / folder) for folder in ("proto", "sandbox"))


class CallPath:
    """Counts the calls that lead from one file to another."""

    def __init__(self) -> None:
        self.moves: Counter[tuple[str, str]] = Counter()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count a call, as `sys.setprofile` reports it."""
        if event != "call" or frame.f_back is None:
            return
        caller, callee = frame.f_back.f_code.co_filename, frame.f_code.co_filename
        if caller != callee and _counts(caller) and _counts(callee):
            self.moves[_short(caller), _short(callee)] += 1


def _counts(file: str) -> bool:
    return file.startswith(str(ROOT)) and not file.startswith(_OTHERS)


def _short(file: str) -> str:
    return str(Path(file).relative_to(ROOT))


async def main() -> None:
    """Make the call, and print where it went."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(sandbox=True, store=str(Path(folder) / "state.db"))
        async with open_fleet(settings) as app, open_pipeline(settings, app) as pipeline:
            (organization, *_) = await app.list_organizations()
            places = await app.list_locations(organization.id)
            machines = [machine for place in places for machine in await app.list_robots(place.id)]
            async with Client(build_server(pipeline).mcp, elicitation_callback=_agree) as client:
                path = CallPath()
                # Once, so that what is made at the first call does not count.
                await client.call_tool("delete_robot", {"robot_id": machines[0].id})
                threading.setprofile(path)
                sys.setprofile(path)
                result = await client.call_tool("delete_robot", {"robot_id": machines[1].id})
                sys.setprofile(None)
    if getattr(result, "is_error", True):
        sys.exit(f"the call was not done: {result}")
    files = {file for pair in path.moves for file in pair}
    print(f"A confirmed delete_robot moves {path.moves.total()} times between {len(files)} files.")
    for (caller, callee), number in path.moves.most_common():
        print(f"{number:5}  {caller} -> {callee}")


async def _agree(context: Any, parameters: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"confirm": True})


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # for `| head`
        asyncio.run(main())
