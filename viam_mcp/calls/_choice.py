"""Which of the tools a server offers."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from viam_mcp.tools import ON_REQUEST, TOOLS, TOOLSETS, Effect

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from viam_mcp.tools import Tool

CORE = frozenset(name for name, tool in TOOLS.items() if tool.spec.core)
"""What running a fleet day by day takes, for clients that accept few tools."""


class ChoiceError(ValueError):
    """A name of a tool or toolset is not one; the message lists those that there are."""


def choose(
    *,
    toolsets: Sequence[str] = (),
    tools: Sequence[str] = (),
    exclude_tools: Sequence[str] = (),
    read_only: bool = False,
) -> dict[str, type[Tool]]:
    """The tools to offer, by name, in a stable order.

    Args:
        toolsets: Only these; `core` and `all` are presets. Nothing means those of daily work, unless `tools`
            are named.
        tools: These besides, by name.
        exclude_tools: None of these, whatever else was said.
        read_only: Only what changes nothing.

    Raises:
        ChoiceError: A name is unknown, or nothing is left.
    """
    _check("toolset", toolsets, [*TOOLSETS, "core", "all"])
    _check("tool", [*tools, *exclude_tools], TOOLS)
    whole = {*toolsets} if toolsets or tools else TOOLSETS.keys() - ON_REQUEST
    if "all" in toolsets:
        whole = {*TOOLSETS}
    chosen = {
        name: tool
        for name, tool in TOOLS.items()
        if (tool.spec.toolset in whole or ("core" in toolsets and name in CORE) or name in tools)
        and name not in exclude_tools
        and (tool.spec.effect is Effect.READ or not read_only)
    }
    if not chosen:
        raise ChoiceError("No tool is left: name other toolsets or tools, or exclude fewer.")
    return chosen


def _check(kind: str, names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f" Did you mean {close[0]}?" if close else ""
            raise ChoiceError(f"There is no {kind} {name!r}.{advice} There are: {', '.join(sorted(known))}.")
