"""Paths into a configuration, and what is at their end.

How the service writes them is not published. Here a path is what most tools take for one: names joined by
dots, positions in brackets (`components[0].attributes.speed`), with or without `$.` before it. A position
may also stand between dots (`components.0`), and a name with a dot in it in quotes (`attributes["a.b"]`).
"""

from __future__ import annotations

import re
from typing import Any

from viam_mcp.sandbox.rpc import invalid
from viam_mcp.sandbox.rules.access import quoted

__all__ = ["assign", "parse"]

_STEP = re.compile(r"""(?:^|\.)(?P<name>[^.\[\]"']+)|\[(?P<index>\d{1,6})\]|\[(?P<quoted>"[^"]+"|'[^']+')\]""")

Step = str | int


def parse(path: str) -> list[Step]:
    """Return a path's steps: names of members, and positions in lists.

    Raises:
        Refusal: INVALID_ARGUMENT: it is no path, or one to the whole configuration.
    """
    text = re.sub(r"^\$\.?", "", path)
    steps: list[Step] = []
    end = 0
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None:
            raise invalid(f"the path {quoted(path)} cannot be read at character {len(path) - len(text) + end + 1}")
        end = match.end()
        if match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(match["name"] or match["quoted"][1:-1])
    if not steps:
        raise invalid("the path is empty: name a property, such as components[0].attributes.speed")
    return steps


def assign(config: dict[str, Any], steps: list[Step], value: Any) -> None:
    """Put a value at the end of a path, in place.

    Objects and lists that are missing on the way are made. The position after a list's last one appends.

    Raises:
        Refusal: INVALID_ARGUMENT: the path leads through something that has no such member.
    """
    here: Any = config
    for number, step in enumerate(steps[:-1]):
        following: Any = [] if isinstance(steps[number + 1], int) else {}
        here = _member(here, steps[: number + 1], step, following)
    _member(here, steps, steps[-1], value, replace=True)


def _member(container: Any, way: list[Step], step: Step, value: Any, *, replace: bool = False) -> Any:
    """Return what is at one step, after putting `value` there if nothing is, or if it is to be replaced."""
    if isinstance(container, list):
        position = int(step) if isinstance(step, int) or step.isdecimal() else None
        if position is None or position > len(container):
            raise invalid(f"{_text(way)}: the list has {len(container)} entries, and no such position")
        if position == len(container):
            container.append(value)
        elif replace:
            container[position] = value
        return container[position]
    if not isinstance(container, dict) or isinstance(step, int):
        kind = "an object" if isinstance(container, dict) else "neither an object nor a list"
        raise invalid(f"{_text(way)}: what stands before the last step is {kind}")
    if replace or container.get(step) is None:
        container[step] = value
    return container[step]


def _text(way: list[Step]) -> str:
    return quoted("".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way).lstrip("."))
