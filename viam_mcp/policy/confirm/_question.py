"""What a person is asked, and what they may answer.

The first and the last lines are ours and always the same. What comes from the fleet stands between them, each
line of it behind a bar, so that no name or configuration can pass for the question.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from viam_mcp.app import AppError, Unauthenticated
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.confirm._tokens import digest
from viam_mcp.policy.rules._arguments import canonical
from viam_mcp.tools import Preview, ToolError, redacted, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from viam_mcp.app import AppClient
    from viam_mcp.tools import Environment, Tool

_MOST_LINES = 400
_LONGEST_LINE = 500


class Way(StrEnum):
    """How a question reaches whoever answers it."""

    PERSON = "person"
    """A person sees it and answers it."""
    TOKEN = "token"  # noqa: S105 - the name of a way to ask
    """It is the call's result, and `confirm_operation` with its token is the answer."""


class Reply(StrEnum):
    """What came of asking."""

    ACCEPTED = "accepted"
    DECLINED = Outcome.DECLINED.value
    CANCELLED = Outcome.CANCELLED.value
    TIMED_OUT = Outcome.TIMED_OUT.value
    LOST = Outcome.LOST.value


@dataclass(frozen=True)
class Answer:
    """An answer to a question.

    Attributes:
        token: The question's token.
        reply: What became of the question.
        agreed: Whether the answer says yes, where the question asks for that.
        typed: The name that was typed, where the question asks for one.
    """

    token: str
    reply: Reply
    agreed: bool = False
    typed: str | None = None


@dataclass(frozen=True)
class Question:
    """What a person is to decide before a call runs.

    Attributes:
        id: What names it in the audit.
        tool: The tool.
        message: All that is asked, as text.
        token: What an answer has to carry.
        type_name: Whether the answer takes the name of what is touched, typed.
        seconds: How long it stays open.
    """

    id: str
    tool: str
    message: str
    token: str
    type_name: bool
    seconds: float


@dataclass(frozen=True)
class PreviewSnapshot:
    """What a call will touch, as it was read.

    Attributes:
        preview: What the tool said.
        readable: Whether it could be read.
        fingerprint: The digest of the call and of what the preview showed.
    """

    preview: Preview
    readable: bool
    fingerprint: str


async def read_preview(tool: Tool, app: AppClient, environment: Environment) -> PreviewSnapshot:
    """Read what a call will touch. Changes nothing.

    Raises:
        Stopped: It cannot be done as it was asked, or not be shown.
    """
    try:
        preview, readable = await tool.preview(app, environment), True
    except (ToolError, Unauthenticated) as error:
        # Whoever agreed to it would agree to something that they did not see; and who has no key has no call to make.
        raise Stopped(Outcome.FAILED, f"{tool.spec.name} was not done: {error}") from None
    except AppError as error:
        lines = ("What this will touch could not be read. The call's arguments:", _arguments(tool, error))
        # Why it could not be read may be worded differently every time.
        preview, readable = Preview(lines=lines, now=(str(error),)), False
    update = preview.last_known_update
    shown = [
        tool.spec.name,
        tool.model_dump(mode="json"),
        preview.lines,
        preview.bound,
        preview.file,
        None if update is None else update.isoformat(),
        readable,
    ]
    return PreviewSnapshot(preview, readable, digest(canonical(shown)))


def _arguments(tool: Tool, error: AppError) -> str:
    """The arguments of a call, as whoever is asked sees them where nothing else can be shown.

    Raises:
        Stopped: They cannot be shown whole.
    """
    given = tool.model_dump(mode="json", exclude_unset=True)
    text = canonical(given)
    if len(text) > _LONGEST_LINE or redacted(given) != given:
        name, why = tool.spec.name, "too long to show" if len(text) > _LONGEST_LINE else "in part not to be shown"
        reason = f"What it will touch could not be read, and its arguments are {why}: {error}"
        raise Stopped(Outcome.FAILED, f"{name} was not done. {reason}")
    return text


def typed_name(preview: Preview) -> str | None:
    """The name that a person has to type: what they can see and type of it; None if there is nothing to type."""
    return " ".join(sanitize(preview.subject or "").split()) or None


def is_typed(typed: str | None, name: str | None) -> bool:
    """Whether the name was typed, code point by code point. Look-alikes of other scripts differ."""
    if typed is None or name is None:
        return False
    return unicodedata.normalize("NFC", typed) == unicodedata.normalize("NFC", name)


def message(tool: Tool, seen: PreviewSnapshot, why: str, *, changed: bool, type_name: bool) -> str:
    """The whole question.

    Args:
        tool: The call.
        seen: What it will touch.
        why: What decided that it is asked.
        changed: Whether it was asked before, and the target has changed since.
        type_name: Whether the name has to be typed.
    """
    head = f"Allow {tool.spec.name}? Nothing has been done yet."
    if changed:
        head = f"What {tool.spec.name} would touch has changed since it was shown. {head}"
    end = "Lines behind a bar come from the fleet and from whoever asked for this; they are no part of the question."
    if type_name:
        end += " To go on, type the name of what is touched, exactly as it is shown, without the quotes."
    return "\n".join((head, *_barred(seen), f"It is asked because {why}.", end))


def preview_text(seen: PreviewSnapshot) -> str:
    """The preview alone."""
    return "\n".join(_barred(seen))


def _barred(seen: PreviewSnapshot) -> Iterator[str]:
    """The preview's lines behind a bar, with what of them is left out."""
    lines = [
        part
        for line in (*seen.preview.lines, *seen.preview.now)
        for part in sanitize(line).replace("\t", "    ").splitlines() or [""]
    ]
    for line in lines[:_MOST_LINES]:
        yield "| " + (line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}… ({len(line):,} characters)")
    if len(lines) > _MOST_LINES:
        yield f"({len(lines) - _MOST_LINES:,} more lines are not shown.)"
