"""The pages of a preview that is larger than a channel carries at once.

A channel that cannot carry the whole of a preview does not ask. Pages let a person see all of it all the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

TOKEN_BYTES = 65_536
"""How much of a preview an answer carries that shows a token, and `viam-mcp call`."""
FORM_BYTES = 16_384
"""How much of a preview a form carries."""
PAGE_BYTES = 32_768
"""How much a page holds."""
ALL_SHOWN = "all-"
"""How the code begins that says that all pages were given."""
MOST_PAGES = 16
"""How many pages a person is asked to read."""
_LONGEST_NUMBER = 4  # digits


class StaleCursor(ValueError):  # noqa: N818 - it is an answer, not a fault
    """The cursor is none of this text's: what would be shown has changed, or it was made up."""


@dataclass(frozen=True)
class Page:
    """A piece of a preview.

    Attributes:
        text: The piece, as lines.
        number: Which it is, from 1.
        of: How many there are.
        next: The cursor of the one after it; None for the last.
        code: With the last page, what says that all of them were given; empty with the others.
    """

    text: str
    number: int
    of: int
    next: str | None
    code: str = ""


def page_of(text: str, cursor: str | None = None, size: int = PAGE_BYTES) -> Page:
    """Return one page of a text. All pages together are the whole of it.

    A cursor is made of all pages before its own: nobody who was not given these knows it.

    Args:
        text: The text.
        cursor: The `next` of the page before; None for the first page.
        size: How many bytes a page holds at most.

    Raises:
        StaleCursor: The cursor is none of this text's.
    """
    pages = _pages(text, size)
    number = _number(cursor)
    if not 1 <= number <= len(pages) or (number > 1 and cursor != _cursor(pages, number)):
        raise StaleCursor("this is no cursor of what is shown now: begin again with the first page")
    is_last = number == len(pages)
    return Page(
        pages[number - 1],
        number,
        len(pages),
        None if is_last else _cursor(pages, number + 1),
        code_of(text) if is_last else "",
    )


def code_of(text: str) -> str:
    """Return what says that all pages of a text were given. Nobody knows it who was not given them."""
    return f"{ALL_SHOWN}{_digest(text)}"


def size_of(text: str) -> int:
    """Return how many bytes of UTF-8 a text takes."""
    return len(text.encode(errors="backslashreplace"))


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 1
    digits = cursor.partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER else 0


def _cursor(pages: list[str], number: int) -> str:
    before = "\n".join(pages[: number - 1])
    return f"{number}-{_digest(before)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]


def _pages(text: str, size: int) -> list[str]:
    """Return the pages: whole lines, but where one alone takes more than a page."""
    pages: list[list[str]] = [[]]
    room = size
    for line in text.split("\n"):
        for piece in _pieces(line, size):
            taken = size_of(piece) + 1
            if taken > room and pages[-1]:
                pages.append([])
                room = size
            pages[-1].append(piece)
            room -= taken
    return ["\n".join(lines) for lines in pages]


def _pieces(line: str, size: int) -> list[str]:
    """Return a line in pieces that each fit into a page; all but the first say that they continue."""
    if size_of(line) < size:
        return [line]
    length = max(size // 4 - len(_CONTINUES), 1)  # a character takes at most four bytes
    pieces = [line[start : start + length] for start in range(0, len(line), length)]
    return [pieces[0], *(f"{_CONTINUES}{piece}" for piece in pieces[1:])]


_CONTINUES = "(goes on) "
