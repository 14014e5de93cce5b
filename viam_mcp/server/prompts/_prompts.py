"""Prompts: tasks that a person starts by name and an assistant carries out with the tools.

Their texts are data, in `_texts`. Each names the calls to make, in order, with their arguments. A step whose tools are
not offered is left out, and the text says so. If such a step is not optional, the prompt itself is left out.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from string import Template
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.server._directory import UnclearNameError
from viam_mcp.server.prompts._model import one_line
from viam_mcp.server.prompts._texts import PROMPTS
from viam_mcp.tools import TOOLS, quoted, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from viam_mcp.server._directory import Call, Directory, ThingKind
    from viam_mcp.server.prompts._model import Prompt, Step

Json = Any

LONGEST_VALUE = 200  # characters of an argument, as many as a name on the fleet may have

_CODE = re.compile(r"`(\w+)[^`]*`")


class Prompts:
    """The prompts of a server: those for which it offers the tools.

    Args:
        tools: The tools that are offered, by name.
        directory: Finds things by name.
    """

    def __init__(self, tools: Mapping[str, Any], directory: Directory) -> None:
        self._tools = tools
        self._directory = directory

    @cached_property
    def offered(self) -> dict[str, Prompt]:
        """The prompts by name, in a stable order."""
        return {
            prompt.name: prompt
            for prompt in PROMPTS
            if all(step.optional or not self._missing(step) for step in prompt.steps)
        }

    def kinds(self) -> dict[str, dict[str, ThingKind | None]]:
        """Return the kind of thing that each argument of each prompt names; None for free text."""
        return {
            name: {argument.name: argument.kind for argument in prompt.arguments}
            for name, prompt in self.offered.items()
        }

    def listing(self) -> dict[str, Json]:
        """Return the answer to `prompts/list`."""
        return {"prompts": [prompt.definition() for prompt in self.offered.values()]}

    async def get(self, name: str, arguments: Mapping[str, str], call: Call) -> dict[str, Json]:
        """Return the answer to `prompts/get`: the task as one message of the user.

        Args:
            name: The name of the prompt.
            arguments: Its arguments. Things of the fleet are named by id or by name.
            call: Runs a tool, to find things by name.

        Raises:
            MCPError: There is no such prompt, or an argument is missing, unknown or not understood.
        """
        prompt = self.offered.get(name)
        if prompt is None:
            raise _refusal(f"There is no prompt {quoted(name)} here. There are: {', '.join(self.offered) or 'none'}.")
        given = _checked(prompt, arguments)
        values: dict[str, str] = {}
        for argument in prompt.arguments:
            if argument.name not in given:
                continue
            text = given[argument.name]
            if argument.kind is None:
                values |= _text_values(argument.name, text)
                continue
            try:
                thing = await self._directory.named(argument.kind, text, call)
            except UnclearNameError as problem:
                raise _refusal(f"{argument.name}: {problem}") from None
            label = f"{quoted(thing.name)} ({thing.id})" if thing.name else thing.id
            values |= {argument.name: f"{argument.kind} {label}", f"{argument.name}_id": thing.id}
        text = self._text(prompt, given, values)
        return {
            "description": one_line(prompt.description),
            "messages": [{"role": "user", "content": {"type": "text", "text": text}}],
        }

    def _text(self, prompt: Prompt, given: Mapping[str, str], values: Mapping[str, str]) -> str:
        steps = [step for step in prompt.steps if step.applies(given)]
        missing = sorted({tool for step in steps for tool in self._missing(step)})
        paragraphs = [one_line(prompt.opening)]
        kept = (one_line(step.text) for step in steps if not self._missing(step))
        paragraphs += [f"{number}. {text}" for number, text in enumerate(kept, start=1)]
        if missing:
            paragraphs.append(
                f"This server does not offer {', '.join(missing)}. Where that would be the next step, tell the person "
                "what is to be done, and look for no other way."
            )
        paragraphs.append(prompt.closing)
        return Template("\n\n".join(paragraphs)).substitute(values)

    def _missing(self, step: Step) -> frozenset[str]:
        return tools_named(step.text).difference(self._tools)


def tools_named(text: str) -> frozenset[str]:
    """Return the tools that a text names between back quotes."""
    return frozenset(name for name in _CODE.findall(text) if name in TOOLS)


def _checked(prompt: Prompt, arguments: Mapping[str, str]) -> dict[str, str]:
    """Return the arguments that were given, each as one line of safe text.

    Raises:
        MCPError: One is missing, unknown, too long, or given beside another that it excludes.
    """
    known = [argument.name for argument in prompt.arguments]
    for name in arguments:
        if name not in known:
            raise _refusal(f"{quoted(name)} is not an argument of {prompt.name}, which takes {', '.join(known)}.")
    given = {name: one_line(sanitize(text)) for name, text in arguments.items()}
    # Clients that show a form send an empty text for what was not filled in.
    given = {name: text for name, text in given.items() if text}
    for argument in prompt.arguments:
        if argument.required and argument.name not in given:
            raise _refusal(f"{argument.name} is missing: {argument.description}")
        if len(given.get(argument.name, "")) > LONGEST_VALUE:
            raise _refusal(f"{argument.name} is longer than {LONGEST_VALUE} characters.")
    if prompt.exactly_one and len(given) != 1:
        raise _refusal(f"{prompt.name} takes exactly one of {', '.join(known)}; {_listed(given)} given.")
    return given


def _text_values(name: str, text: str) -> dict[str, str]:
    # A back quote would end the call that the text is inserted into.
    safe = text.replace("`", "'")
    return {name: quoted(safe), f"{name}_json": json.dumps(safe, ensure_ascii=False)}


def _listed(names: Iterable[str]) -> str:
    text = " and ".join(names)
    return f"{text} were" if text else "none was"


def _refusal(message: str) -> MCPError:
    return MCPError(code=types.INVALID_PARAMS, message=message)
