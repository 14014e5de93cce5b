"""Previews that are larger than a channel carries at once: whether one fits, and its pages.

A channel that cannot carry the whole of a preview does not ask. Pages let a person see all of it all the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viam_mcp.tools.previews._model import Preview

TOKEN_BYTES = 65_536
"""How much of a preview an answer carries that shows a token, and `viam-mcp call`."""
FORM_BYTES = 16_384
"""How much of a preview a form carries."""
PAGE_BYTES = 32_768
"""How much a page holds."""


class StaleCursor(ValueError):  # noqa: N818 - it is an answer, not a fault
    """The cursor is none of this preview's: what would be shown has changed, or it was made up."""


@dataclass(frozen=True)
class Page:
    """A piece of a preview.

    Attributes:
        text: The piece, as lines.
        number: Which it is, from 1.
        of: How many there are.
        next: The cursor of the one after it; None for the last.
    """

    text: str
    number: int
    of: int
    next: str | None


def fits(preview: Preview, limit: int) -> bool:
    """Return whether a channel that carries so many bytes carries the whole preview."""
    return preview.size <= limit


def page(preview: Preview, cursor: str | None = None, size: int = PAGE_BYTES) -> Page:
    """Return one page of a preview. All pages together are the whole of it.

    Args:
        preview: The preview.
        cursor: The `next` of the page before; None for the first page.
        size: How many bytes a page holds at most.

    Raises:
        StaleCursor: The cursor is none of this preview's.
    """
    pages = _pages(preview, size)
    digest = hashlib.sha256("\n".join(preview.whole).encode(errors="backslashreplace")).hexdigest()[:16]
    cursors = [None, *(f"{number}-{digest}" for number in range(2, len(pages) + 1))]
    if cursor not in cursors:
        raise StaleCursor("this is no cursor of the preview as it is now: begin again with its first page")
    index = cursors.index(cursor)
    return Page(pages[index], index + 1, len(pages), cursors[index + 1] if index + 1 < len(pages) else None)


def _pages(preview: Preview, size: int) -> list[str]:
    """Return the pages: whole lines, but where one alone takes more than a page."""
    pages: list[list[str]] = [[]]
    room = size
    for line in preview.whole:
        for piece in _pieces(line, size):
            taken = len(piece.encode(errors="backslashreplace")) + 1
            if taken > room and pages[-1]:
                pages.append([])
                room = size
            pages[-1].append(piece)
            room -= taken
    return ["\n".join(lines) for lines in pages]


def _pieces(line: str, size: int) -> list[str]:
    """Return a line in pieces that each fit into a page; all but the first say that they continue."""
    if len(line.encode(errors="backslashreplace")) < size:
        return [line]
    length = max(size // 4 - len(_CONTINUES), 1)  # a character takes at most four bytes
    pieces = [line[start : start + length] for start in range(0, len(line), length)]
    return [pieces[0], *(f"{_CONTINUES}{piece}" for piece in pieces[1:])]


_CONTINUES = "(goes on) "
