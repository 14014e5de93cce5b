"""What a prompt is: its texts and arguments, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from viam_mcp.server._directory import Kind

Json = Any


@dataclass(frozen=True)
class Argument:
    """What a person tells a prompt.

    Attributes:
        name: Its name.
        description: What to give.
        kind: What it names, by name or id; None for free text.
        required: Whether it has to be given.
    """

    name: str
    description: str
    kind: Kind | None = None
    required: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        text: What, with the calls that it takes.
        given: Only if this argument was given.
        absent: Only if this argument was not given.
        optional: The task makes sense without it, where its tools are not offered.
    """

    text: str
    given: str | None = None
    absent: str | None = None
    optional: bool = False

    def applies(self, arguments: Collection[str]) -> bool:
        """Whether the step belongs to the task with these arguments."""
        return (self.given is None or self.given in arguments) and self.absent not in arguments


@dataclass(frozen=True)
class Prompt:
    """A task.

    Attributes:
        name: Its name.
        title: The same for people.
        description: What comes of it.
        arguments: What a person tells it.
        opening: What the task is.
        steps: What to do, in order.
        closing: What holds for all of it.
        exactly_one: Whether one argument is to be given, and no more.
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
        """As `prompts/list` gives it."""
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
    """The text with all white space as single spaces."""
    return " ".join(text.split())
