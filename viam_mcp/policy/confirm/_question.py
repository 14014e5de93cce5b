"""Questions, previews and answers.

A question begins with the headline of its preview. Every line that comes from the fleet stands behind a bar, so that no
name or configuration can pass for a part of the question.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from viam_mcp.app import AppError, Unauthenticated
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._digests import digest
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.rules._text import canonical
from viam_mcp.tools import ALL_SHOWN, Preview, ToolError, redacted, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from viam_mcp.app import AppClient
    from viam_mcp.policy.rules._rules import Decision
    from viam_mcp.tools import Environment, Tool


class Way(StrEnum):
    """How a question is asked."""

    PERSON = "person"
    """The client shows it to a person, who answers it."""
    TOKEN = "token"  # noqa: S105 - the name of a way to ask
    """It is the call's result. `confirm_operation` with its id is the answer."""


class Reply(StrEnum):
    """The outcome of asking."""

    ACCEPTED = "accepted"
    DECLINED = Outcome.DECLINED.value
    CANCELLED = Outcome.CANCELLED.value
    TIMED_OUT = Outcome.TIMED_OUT.value
    LOST = Outcome.LOST.value


@dataclass(frozen=True)
class Answer:
    """An answer to a question.

    Attributes:
        id: The id of the question.
        reply: The outcome of asking.
        agreed: Whether the box for yes is ticked, where the form has one.
        typed: The name that was typed, where the form asks for one.
    """

    id: str
    reply: Reply
    agreed: bool = False
    typed: str | None = None

    @property
    def operation(self) -> str:
        """The id of the operation that the question is about."""
        return self.id.partition("/")[0]

    @property
    def page(self) -> str:
        """What the question said of its page; empty if it had all of the text."""
        return self.id.partition("/")[2]

    @property
    def turns(self) -> bool:
        """Whether it asks for another page."""
        return bool(self.page) and not self.page.startswith(ALL_SHOWN) and self.reply is Reply.ACCEPTED and self.agreed


@dataclass(frozen=True)
class Question:
    """The question whether a call may run.

    Attributes:
        id: What an answer has to carry: the id of the operation that it is about, and what says which page it has if
            its text is larger than can be shown at once.
        tool: The tool.
        message: Its text, or a page of it.
        type_name: Whether a person has to type the name of what is touched.
        seconds: How long it stays open.
        page: Which page it has, from 1. The answer to any but the last asks for the next one.
        of: How many pages there are.
    """

    id: str
    tool: str
    message: str
    type_name: bool
    seconds: float
    page: int = 1
    of: int = 1

    @property
    def operation(self) -> str:
        """The id of the operation that it is about."""
        return self.id.partition("/")[0]

    @property
    def is_last(self) -> bool:
        """Whether a yes to it is a yes to the call."""
        return self.page == self.of


@dataclass(frozen=True)
class PreviewSnapshot:
    """A tool's preview of a call, read at one moment.

    Attributes:
        preview: The preview.
        readable: Whether the target could be read; otherwise the preview shows the arguments.
        fingerprint: The digest of the call and of everything that a confirmation is bound to.
    """

    preview: Preview
    readable: bool
    fingerprint: str


async def read_preview(tool: Tool, app: AppClient, environment: Environment) -> PreviewSnapshot:
    """Read the preview of a call. Changes nothing.

    Raises:
        Stopped: The call cannot be done as it was asked, or cannot be shown.
    """
    try:
        preview, readable = await tool.preview(app, environment), True
    except (ToolError, Unauthenticated) as error:
        # A person would agree to what they did not see; and without a valid key the call would fail.
        raise Stopped(Outcome.FAILED, f"{tool.spec.name} was not done: {error}") from None
    except AppError as error:
        lines = ("What this will touch could not be read. The call's arguments:", _arguments(tool, error))
        head = (f"{tool.spec.title}: WHAT IT TOUCHES COULD NOT BE READ",)
        # The error may be worded differently every time, so the fingerprint leaves it out.
        preview, readable = Preview(lines=lines, headline=head, now=(str(error),)), False
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
    return PreviewSnapshot(preview, readable, digest(shown))


def _arguments(tool: Tool, error: AppError) -> str:
    """Return the arguments of a call as a person sees them where the target could not be read.

    Raises:
        Stopped: They cannot be shown whole.
    """
    given = tool.model_dump(mode="json", exclude_unset=True)
    text = canonical(given)
    if redacted(given) != given or given.keys() & tool.spec.secret_arguments:
        reason = f"What it will touch could not be read, and its arguments are in part not to be shown: {error}"
        raise Stopped(Outcome.FAILED, f"{tool.spec.name} was not done. {reason}")
    return text


def takes_name(decision: Decision, seen: PreviewSnapshot) -> bool:
    """Return whether a person has to type the name of what is touched."""
    return decision.type_name or seen.preview.type_subject


def typed_name(preview: Preview) -> str | None:
    """Return the name that a person has to type, made safe to show; None if there is none."""
    return " ".join(sanitize(preview.subject or "").split()) or None


def is_typed(typed: str | None, name: str | None) -> bool:
    """Return whether the name was typed. Look-alike characters of other scripts differ."""
    if typed is None or name is None:
        return False
    return unicodedata.normalize("NFC", typed) == unicodedata.normalize("NFC", name)


def message(tool: Tool, seen: PreviewSnapshot, why: str, *, changed: bool, type_name: bool) -> str:
    """Return the text of a question.

    Args:
        tool: The call.
        seen: Its preview.
        why: The reason of the decision.
        changed: Whether it was asked before, and the target has changed since.
        type_name: Whether a person has to type the name.
    """
    ask = f"Allow {tool.spec.name}? Nothing has been done yet."
    if changed:
        ask = f"What {tool.spec.name} would touch has changed since it was shown. {ask}"
    end = "Lines behind a bar come from the fleet and from the caller; they are no part of the question."
    if type_name:
        end += " To go on, type the name of what is touched, exactly as it is shown, without the quotes."
    # Some clients show three lines and no more, so the headline comes first.
    preview = seen.preview
    return "\n".join((*_barred(preview.head), ask, *_barred(preview.body), f"It is asked because {why}.", end))


def preview_text(seen: PreviewSnapshot) -> str:
    """Return the preview alone, as text."""
    return "\n".join(_barred(seen.preview.whole))


def _barred(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines behind a bar, so that none of them can pass for a line of the question."""
    return (f"| {line}" for line in lines)
