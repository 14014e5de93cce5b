"""One case for each tool, under its name: it is called as an MCP client calls it, and what it should have
changed is read back from the fleet itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.cases import (
    _recording,
    billing,
    branding,
    fragments,
    keys,
    locations,
    machines,
    metadata,
    oauth_apps,
    organizations,
    parts,
    push,
    registry,
    roles,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.fleet import Fleet
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

_MODULES = (
    organizations,
    locations,
    machines,
    parts,
    fragments,
    roles,
    registry,
    keys,
    metadata,
    billing,
    branding,
    oauth_apps,
    push,
)

CASES: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    name: case
    for module in _MODULES
    for name, case in vars(module).items()
    if getattr(case, "__module__", "") == module.__name__ and not name.startswith("_")
}


async def arguments_of(name: str, sandbox: Sandbox, app: AppClient, files: Path) -> dict[str, Any]:
    """Return what the case of a tool calls it with. What the case does before that is done.

    Args:
        name: The tool.
        sandbox: The fleet.
        app: A client of it.
        files: A folder for files.
    """
    return await _recording.arguments_of(CASES[name], name, sandbox, app, files)
