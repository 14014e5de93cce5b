"""Completion of ids in resource templates, and of names in prompts.

Clients insert a completed value as it is. In a template the value is an id, found by name or by the beginning of the
id. A prompt takes names too, and a name tells a person more than an id. So there the value is the name, unless several
things have it or the person typed the id.

https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/completion
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.server._directory import ThingKind, by_name, matching
from viam_mcp.tools import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.server._directory import Call, Directory, Thing
    from viam_mcp.server._resources import Resources
    from viam_mcp.server.prompts._prompts import Prompts

Json = Any
T = TypeVar("T")

MOST_VALUES = 100
"""The number of values that the protocol allows in one answer."""


class Completions:
    """Completes the arguments of templates and prompts.

    Args:
        directory: Finds things by name and id.
        resources: The resources, whose templates have variables.
        prompts: The prompts, which have arguments.
    """

    def __init__(self, directory: Directory, resources: Resources, prompts: Prompts) -> None:
        self._directory = directory
        self._resources = resources
        self._prompts = prompts

    async def complete(self, params: types.CompleteRequestParams, call: Call) -> dict[str, Json]:
        """Return the answer to `completion/complete`: at most 100 values, the likeliest first.

        Raises:
            MCPError: There is no such template, prompt or argument, or nothing could be listed.
        """
        reference, text = params.ref, params.argument.value
        is_template = isinstance(reference, types.ResourceTemplateReference)
        if isinstance(reference, types.ResourceTemplateReference):
            kind = _kind("resource template", self._resources.kinds(), reference.uri, params.argument.name)
        else:
            kind = _kind("prompt", self._prompts.kinds(), reference.name, params.argument.name)
        if kind is None or not self._directory.lists(kind):
            return _answer([], complete=True)
        found = await self._directory.find(kind, text, call)
        if found.problems and not found.things:
            raise MCPError(code=types.INTERNAL_ERROR, message=f"Nothing can be completed. {found.problems[0]}")
        matches = matching(found.things, text)
        values = [thing.id for thing in matches] if is_template else _names_or_ids(matches, found.things, text)
        return _answer(values, complete=not found.problems)


def _kind(what: str, known: Mapping[str, Mapping[str, ThingKind | None]], name: str, argument: str) -> ThingKind | None:
    arguments = _one_of(what, known, name)
    return _one_of("argument", arguments, argument)


def _one_of(what: str, known: Mapping[str, T], name: str) -> T:
    if name not in known:
        there_are = ", ".join(known) or "none"
        raise MCPError(code=types.INVALID_PARAMS, message=f"There is no {what} {quoted(name)}. There are: {there_are}.")
    return known[name]


def _names_or_ids(matches: list[Thing], among: tuple[Thing, ...], text: str) -> list[str]:
    shared = Counter(thing.name.casefold() for thing in among)
    return [
        thing.name if thing.name and shared[thing.name.casefold()] == 1 and by_name(thing, text) else thing.id
        for thing in matches
    ]


def _answer(values: list[str], *, complete: bool) -> dict[str, Json]:
    completion: dict[str, Json] = {
        "values": values[:MOST_VALUES],
        "hasMore": len(values) > MOST_VALUES or not complete,
    }
    if complete:
        completion["total"] = len(values)
    return {"completion": completion}
