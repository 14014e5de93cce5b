"""Questions that are larger than a channel carries at once: page by page, and a yes counts after the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.policy._call import Stopped
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.confirm._question import Question
from viam_mcp.tools import MOST_PAGES, PAGE_BYTES, Page, StaleCursor, page_of, size_of

if TYPE_CHECKING:
    from viam_mcp.policy._call import DecidedCall
    from viam_mcp.policy.confirm._asker import Asker
    from viam_mcp.tools import Tool

_FOOTER_BYTES = 200  # of a page, for what says which it is
_OTHER_WAYS = (
    "viam-mcp call on a terminal shows the most at once. Or do it in several calls, each of which changes less."
)


def page_for(asker: Asker, text: str, cursor: str | None, call: DecidedCall) -> Page:
    """Return the page of a question that a channel shows next: all of its text if it carries that.

    Args:
        asker: The channel.
        text: The whole text of the question.
        cursor: What the answer to the page before said; None for the first page.
        call: The call, for errors.

    Raises:
        Stopped: There is no such page, or there are more than a person can be asked to read.
    """
    size, name = size_of(text), call.tool.spec.name
    if size <= asker.carries:
        return Page(text, 1, 1, None)
    try:
        page = page_of(text, cursor, min(PAGE_BYTES, asker.carries) - _FOOTER_BYTES)
    except StaleCursor as error:
        raise Stopped(Outcome.WRONG_ANSWER, f"There is no such page: {error}. {name} was not done.") from None
    if page.of > MOST_PAGES:
        lines = text.count("\n") + 1
        raise Stopped(
            Outcome.TOO_LARGE,
            f"{name} needs a confirmation ({call.decision.why}), and what a person has to see before is {lines:,} "
            f"lines of {size:,} bytes, which are {page.of:,} pages: more than the {MOST_PAGES} that this way of asking "
            f"shows. Nothing was done, and nobody was asked. {_OTHER_WAYS}",
        )
    return page


def question_with(page: Page, operation: str, tool: Tool, seconds: float, *, type_name: bool) -> Question:
    """Return the question with one page of its text.

    Args:
        page: The page.
        operation: The operation that it is about.
        tool: The call.
        seconds: How long it stays open.
        type_name: Whether a person has to type the name of what is touched, with the last page.
    """
    text, said = page.text, page.next or page.code
    if page.of > 1:
        text = f"{text}\nThis is page {page.number} of {page.of}. Nothing is done before all of them were shown."
    return Question(
        f"{operation}/{said}" if said else operation,
        tool.spec.name,
        text,
        type_name and page.next is None,
        seconds,
        page.number,
        page.of,
    )
