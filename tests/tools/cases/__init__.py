"""One case for each tool, under its name: it is called as an MCP client calls it, and what it should have
changed is read back from the fleet itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.cases import fragments, keys, locations, machines, organizations, parts, registry, roles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.fleet import Fleet

_MODULES = (organizations, locations, machines, parts, fragments, roles, registry, keys)

CASES: dict[str, Callable[[Fleet], Awaitable[None]]] = {
    name: case
    for module in _MODULES
    for name, case in vars(module).items()
    if getattr(case, "__module__", "") == module.__name__ and not name.startswith("_")
}
