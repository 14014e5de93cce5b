"""Paths to single values of a configuration, such as `components[0].attributes.speed`."""

from __future__ import annotations

import copy
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.arguments._types import Object

Json = Any

_STEP = re.compile(r"(?:^|\.)(?P<name>(?!\d+(?:[.\[]|$))[^.\[\]\"'$]+)|\[(?P<position>\d{1,6})\]")
_FORM = "names joined by dots, positions in brackets, such as components[0].attributes.speed"


def _steps(path: str) -> list[str | int]:
    """Return the steps of a path; none if it is no path. What could be read in two ways is none."""
    found, end = [], 0
    while end < len(path) and (match := _STEP.match(path, end)):
        found.append(match["name"] if match["position"] is None else int(match["position"]))
        end = match.end()
    return found if end == len(path) and found and isinstance(found[0], str) else []


def _readable(changes: dict[str, Any]) -> dict[str, Any]:
    if any(not _steps(path) for path in changes):
        raise PydanticCustomError("expected", f"an object whose keys are paths: {_FORM}")
    return changes


PropertyChanges = Annotated[
    Object,
    AfterValidator(_readable),
    Field(min_length=1, max_length=100, description="New values by path such as components[0].attributes.speed"),
]


def with_properties(config: dict[str, Json], changes: dict[str, Json]) -> dict[str, Json]:
    """Return a configuration with the value of each path set, in their order.

    What is missing on the way is made. The position after a list's last one appends.

    Raises:
        ToolError: A path leads through something that has no such member.
    """
    config = copy.deepcopy(config)
    for path, value in changes.items():
        steps, here = _steps(path), config
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            made: Json = copy.deepcopy(value) if following is None else ([] if isinstance(following, int) else {})
            here = _member(here, step, made, path, replace=following is None)
    return config


def _member(container: Json, step: str | int, made: Json, path: str, *, replace: bool) -> Json:
    """Return what is at one step, after `made` was put there if nothing is, or if it is to be replaced."""
    if isinstance(container, list) and isinstance(step, int) and step <= len(container):
        if step == len(container):
            container.append(made)
        elif replace:
            container[step] = made
        return container[step]
    if not isinstance(container, dict) or not isinstance(step, str):
        raise ToolError(
            f"property_changes: {path!r} leads through something that has no {step!r}. Read the configuration with "
            "get_robot_part, and name a path in it."
        )
    if replace or container.get(step) is None:
        container[step] = made
    return container[step]
