"""Completion of ids in resource templates, and of names in prompts.

A value is what the argument takes, and nothing else: clients put it there as it is. In a template that is
an id, found by name or by the beginning of the id itself. A prompt takes names as well, so there the name
is completed, which tells a person more, unless several things share it or it was the id that was typed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.server._directory import Kind, by_name, matching
from viam_mcp.tools import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.server._directory import Call, Directory, Thing

Json = Any

MOST_VALUES = 100
"""How many values the protocol allows in one answer."""


class Completions:
    """Completes the arguments of templates and prompts.

    Args:
        directory: What there is.
        templates: The kind of thing that each variable of a template names, by URI template and variable.
        prompts: The same for the arguments of prompts, by prompt; None for an argument that is free text.
    """

    def __init__(
        self,
        directory: Directory,
        templates: Mapping[str, Mapping[str, Kind | None]],
        prompts: Mapping[str, Mapping[str, Kind | None]],
    ) -> None:
        self._directory = directory
        self._templates = templates
        self._prompts = prompts

    async def complete(self, params: types.CompleteRequestParams, call: Call) -> dict[str, Json]:
        """What `completion/complete` answers: at most 100 values, the likeliest first.

        Raises:
            MCPError: There is no such template, prompt or argument, or nothing could be listed.
        """
        reference, text = params.ref, params.argument.value
        is_template = isinstance(reference, types.ResourceTemplateReference)
        known, name = (self._templates, reference.uri) if is_template else (self._prompts, reference.name)  # type: ignore[union-attr]
        kind = _kind(known, name, params.argument.name, "resource template" if is_template else "prompt")
        if kind is None:
            return _answer([], complete=True)
        found = await self._directory.find(kind, text, call)
        if found.problems and not found.things:
            raise MCPError(code=types.INTERNAL_ERROR, message=f"Nothing can be completed. {found.problems[0]}")
        matches = matching(found.things, text)
        values = [thing.id for thing in matches] if is_template else _names_or_ids(matches, found.things, text)
        return _answer(values, complete=not found.problems)


def _kind(known: Mapping[str, Mapping[str, Kind | None]], name: str, argument: str, what: str) -> Kind | None:
    for given, among in ((name, known), (argument, known.get(name, {}))):
        if given not in among:
            there_are = ", ".join(among) or "none"
            of_what = what if among is known else "argument"
            raise MCPError(
                code=types.INVALID_PARAMS, message=f"There is no {of_what} {quoted(given)}. There are: {there_are}."
            )
    return known[name][argument]


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
