"""What a prompt is: its texts and arguments, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from viam_mcp.server._directory import ThingKind

Json = Any


@dataclass(frozen=True)
class Argument:
    """An argument of a prompt.

    Attributes:
        name: Its name.
        description: What to give, for people.
        kind: The kind of thing that it names, by name or id; None for free text.
        required: Whether it has to be given.
    """

    name: str
    description: str
    kind: ThingKind | None = None
    required: bool = False


@dataclass(frozen=True)
class Step:
    """A step of a task.

    Attributes:
        text: What to do, with the calls that it takes.
        given: The argument without which the step does not apply; None for none.
        absent: The argument with which the step does not apply; None for none.
        optional: Whether the task makes sense without the step, where its tools are not offered.
    """

    text: str
    given: str | None = None
    absent: str | None = None
    optional: bool = False

    def applies(self, arguments: Collection[str]) -> bool:
        """Return whether the step applies with these arguments."""
        return (self.given is None or self.given in arguments) and self.absent not in arguments


@dataclass(frozen=True)
class Prompt:
    """A task that a person starts by name.

    Attributes:
        name: Its name.
        title: Its name for people.
        description: What it does, for people.
        arguments: Its arguments.
        opening: What the task is.
        steps: The steps, in order.
        closing: What holds for all steps.
        exactly_one: Whether exactly one argument has to be given.
    """

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    opening: str
    steps: tuple[Step, ...]
    closing: str
    exactly_one: bool = False

    def definition(self) -> dict[str, Json]:
        """Return its entry in the answer to `prompts/list`."""
        return {
            "name": self.name,
            "title": self.title,
            "description": one_line(self.description),
            "arguments": [
                {"name": argument.name, "description": argument.description, "required": argument.required}
                for argument in self.arguments
            ],
        }


def one_line(text: str) -> str:
    """Return a text with every run of white space replaced by one space."""
    return " ".join(text.split())
