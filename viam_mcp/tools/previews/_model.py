"""What a person is shown before a call runs: the preview, its headline, and what the call puts at risk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from viam_mcp.tools.previews._values import legible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

HEADLINE_LINES = 3
HEADLINE_WIDTH = 98
"""Some clients show three lines of 100 characters and no more; a question puts a bar and a space before each."""

_SHORTEST_NAME = 16  # characters of a name in the headline, with its quotes
_QUOTED = re.compile(r"""(?<!\w)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")
_BROKEN_ESCAPE = re.compile(r"\\(?:x[0-9a-f]?|u[0-9a-f]{0,3}|U[0-9a-f]{0,7})?\Z")
_FEWEST_OF_NAMES = 12  # characters of names: fewer say nothing

NOW_FOLLOWS = "Changes by itself, not part of what you agree to:"
"""The line before `Preview.now`."""


class Risk(StrEnum):
    """What a call may put at risk, the gravest first."""

    CODE = "code"
    """Code runs that did not run before."""
    ACCESS = "access"
    """Somebody or something gets access, or loses it."""
    SHELL = "shell"
    """Somebody can open a shell on a machine."""
    HOSTS = "hosts"
    """A machine talks to another host or address."""
    EMPTIES = "empties"
    """Most of a configuration goes."""
    DELETIONS = "deletions"
    """Something is deleted."""


@dataclass(frozen=True)
class Consequence:
    """Something grave that comes of a call.

    Attributes:
        risk: What kind it is.
        label: What comes of it, in a few words that always fit into the headline: `RUNS CODE`.
        names: Of what, which the headline says as far as there is room: `modules vision, speech`.
        number: How many that are; 0 where it says nothing.
    """

    risk: Risk
    label: str
    names: str
    number: int = 0

    @property
    def brief(self) -> str:
        """Such as `RUNS CODE (2)`."""
        return f"{self.label} ({self.number:,})" if self.number else self.label

    def within(self, width: int) -> str:
        """Return as much as fits into so many characters, or the least that there is to say."""
        whole = f"{self.label}: {self.names}"
        if len(whole) <= width:
            return whole
        room = width - len(self.brief) - len(": ")
        return f"{self.brief}: {clipped(self.names, room)}" if room >= _FEWEST_OF_NAMES else self.brief


def merged(consequences: Iterable[Consequence]) -> tuple[Consequence, ...]:
    """Return the consequences with those of one risk and label as one, the gravest first."""
    alike: dict[tuple[Risk, str], list[Consequence]] = {}
    for one in consequences:
        alike.setdefault((one.risk, one.label), []).append(one)
    order = [*Risk]
    return tuple(
        Consequence(risk, label, ", ".join(dict.fromkeys(one.names for one in same)), sum(one.number for one in same))
        for (risk, label), same in sorted(alike.items(), key=lambda pair: order.index(pair[0][0]))
    )


@dataclass(frozen=True)
class Preview:
    """What a person sees before a call runs; made by `await tool.preview(app, environment)`. It is never cut.

    Attributes:
        lines: All that the call does and touches. No text in them changes while the target stays the same (no "seen
            3 s ago"): they are what a confirmation is bound to.
        headline: At most three lines of at most `HEADLINE_WIDTH` characters: what, where, and what is gravest. The
            lines say all of it again, whole.
        consequences: What is grave about the call, the gravest first.
        subject: The name of what is touched, exactly as it is stored, for a person to type where a rule
            asks for it. Not made safe for display.
        type_subject: Whether to have the name typed without a rule that says so, because so much goes with it.
        bound: What a confirmation is bound to besides `lines`: what they only name or count, as a digest
            (see `state_of`).
        file: The SHA-256 of the file that the call sends, in hexadecimal digits: it then sends that one or none.
        now: What is worth knowing and changes by itself, such as how many machines are online. The person
            sees it after `lines`; a confirmation is not bound to it.
        last_known_update: For configurations, when the target was last saved; the call then carries
            it, so that the service refuses to overwrite an edit made in between.
    """

    lines: tuple[str, ...]
    headline: tuple[str, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    subject: str | None = None
    type_subject: bool = False
    bound: tuple[str, ...] = ()
    file: str | None = None
    now: tuple[str, ...] = ()
    last_known_update: datetime | None = None

    @property
    def risks(self) -> frozenset[Risk]:
        """What the call puts at risk."""
        return frozenset(consequence.risk for consequence in self.consequences)

    @cached_property
    def head(self) -> tuple[str, ...]:
        """The first lines, which some clients show alone."""
        return self.headline or tuple(clipped(line) for line in self.lines[:HEADLINE_LINES])

    @cached_property
    def body(self) -> tuple[str, ...]:
        """All other lines: what is agreed to, and then what changes by itself."""
        now = (NOW_FOLLOWS, *(f"  {line}" for line in self.now)) if self.now else ()
        return tuple(legible(line).replace("\n", "\\n") for line in (*self.lines, *now))

    @property
    def whole(self) -> tuple[str, ...]:
        """All lines as a person sees them."""
        return (*self.head, *self.body)


def headline(what: str, where: str, consequences: Sequence[Consequence], otherwise: str = "") -> tuple[str, ...]:
    """Return the first lines of a preview: what, where, and the gravest consequences in their order.

    Args:
        what: What is done to what.
        where: Where that is; empty for nowhere.
        consequences: What is grave, the gravest first.
        otherwise: What to say where nothing is grave.
    """
    lines = (what, where, gravest(consequences) or otherwise)
    return tuple(clipped(line) for line in lines if line)


def gravest(consequences: Sequence[Consequence], width: int = HEADLINE_WIDTH) -> str:
    """Return all consequences on one line: with names as far as there is room, and briefly where there is none."""
    said = [consequence.brief for consequence in consequences]
    for index, consequence in enumerate(consequences):
        room = width - len(_joined(said)) + len(said[index])
        said[index] = consequence.within(room)
    return clipped(_joined(said), width)


def _joined(clauses: Iterable[str]) -> str:
    return "; ".join(clauses)


def clipped(line: str, width: int = HEADLINE_WIDTH) -> str:
    """Return a line of the headline, which the lines below say whole: at most `width` characters.

    Long names are shortened within their quotes, so that none of them passes for words of the line.
    """
    line = legible(line).replace("\n", "\\n")
    if len(line) <= width:
        return line
    pieces = _QUOTED.split(line)  # every second one is in quotes
    while (over := sum(map(len, pieces)) - width) > 0:
        longest = max(range(1, len(pieces), 2), key=lambda index: len(pieces[index]), default=0)
        spare = len(pieces[longest]) - _SHORTEST_NAME if longest else 0
        if spare <= 0:
            break
        pieces[longest] = _shortened(pieces[longest], len(pieces[longest]) - min(spare, over))
    return _cut(pieces, width)


def _shortened(quoted: str, length: int) -> str:
    """Return a name in quotes of at most so many characters, the quotes included."""
    kept = quoted[1 : length - 2]
    return f"{quoted[0]}{_BROKEN_ESCAPE.sub('', kept)}…{quoted[0]}"


def _cut(pieces: Sequence[str], width: int) -> str:
    """Return the pieces of a line as far as they go, without cutting those in quotes."""
    if sum(map(len, pieces)) <= width:
        return "".join(pieces)
    line = ""
    for index, piece in enumerate(pieces):
        room = width - len(line) - 1
        if len(piece) > room:
            line += "" if index % 2 else _BROKEN_ESCAPE.sub("", piece[:room])
            break
        line += piece
    return f"{line}…"
