"""Text that came from elsewhere, made safe where it is displayed: on a terminal, in a question, on a page.

Machine names, log messages and configurations are written by people and programs that the reader may not trust. What
can act on a terminal, or say something other than what a person sees, is taken out or made visible there. A value that
can be sent back stays what it is: `json_text` writes it so that it says the same and does not act.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

# An escape sequence goes as a whole, so that "\x1b[31m" does not leave "[31m" behind. OSC and its
# kin (links, window titles) run to their terminator, and a broken one loses its introducer only.
_ESCAPES = re.compile(
    r"""
    \x1b\[ [0-?]* [ -/]* [@-~]                                  # CSI
  | \x9b [0-?]* [ -/]* [@-~]                                    # CSI, 8-bit
  | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] )                     # OSC, DCS, SOS, PM, APC, their text and its end
    [^\x07\x1b\x90\x98\x9c-\x9f]{0,4096} (?: \x07 | \x1b\\ | \x9c )
  | \x1b [ -/]* [0-~]                                           # two-character sequences
    """,
    re.VERBOSE,
)
_UNSAFE_CHARACTERS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, Arabic letter mark
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi controls, invisible operators
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # layout controls of old scripts and music
    "\U000e0000-\U000e0fff"  # tags and, like U+FE00 on, variation selectors: they can carry hidden text
)
_UNSAFE = re.compile(f"[{_UNSAFE_CHARACTERS}]")
_INVISIBLE = re.compile(f"{_ESCAPES.pattern} | \\r(?=\\n) | [{_UNSAFE_CHARACTERS}]", re.VERBOSE)
_MOST_MARKS = 4  # on one character; the writing systems of the world take no more, and more cover other lines
_MARKS = frozenset({"Mn", "Me"})
_STACK = re.compile(rf"[^\x00-\u02ff\s]{{{_MOST_MARKS + 1}}}")  # a stack of marks is one of these


def sanitize(text: str) -> str:
    """Return the text for display: no escapes, controls (tab and newline stay), bidi controls or invisible characters.

    Of combining marks that are stacked on one character, the first four stay, so that none covers other lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return _without_stacks(_UNSAFE.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n"))), lambda mark: "")


def cleaned(text: str) -> tuple[str, list[int]]:
    """Return the text without what cannot be seen, and where each of its characters and its end were in the text."""
    kept: list[str] = []
    places: list[int] = []
    end = 0
    for found in _INVISIBLE.finditer(text):
        kept.append(text[end : found.start()])
        places += range(end, found.start())
        end = found.end()
    kept.append(text[end:])
    return "".join(kept), [*places, *range(end, len(text) + 1)]


def visible(text: str) -> str:
    """Return the text for display, with what `sanitize` takes out escaped, so that it can be seen; newlines stay."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(
        character
        if character == "\n" or (character.isprintable() and not _UNSAFE.match(character))
        else _python_escape(character)
        for character in _without_stacks(text, _python_escape)
    )


def is_clean(text: str) -> bool:
    """Tell whether the text is one line in which every character can be seen."""
    return text.isprintable() and sanitize(text) == text


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a JSON value as JSON text that can be displayed: what `sanitize` would take out is escaped as JSON does.

    A reader of the text as JSON gets the value itself.
    """
    text = to_json(value, indent=indent).decode()
    if text.isascii() and "\x7f" not in text:
        return text
    return _without_stacks(_UNSAFE.sub(lambda found: _json_escape(found[0]), text), _json_escape)


def _without_stacks(text: str, escape: Callable[[str], str]) -> str:
    """Return the text in which combining marks that are too many on one character are escaped."""
    if text.isascii() or not _STACK.search(text):
        return text
    pieces, stacked = [], 0
    for character in text:
        stacked = stacked + 1 if unicodedata.category(character) in _MARKS else 0
        pieces.append(character if stacked <= _MOST_MARKS else escape(character))
    return "".join(pieces)


def _python_escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def shorten(text: str, length: int) -> str:
    """Return at most about `length` characters of the text, saying how many are missing."""
    if len(text) <= length:
        return text
    return f"{text[:length]}… [{len(text) - length:,} more characters]"
