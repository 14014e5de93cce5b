"""Strings that came from the fleet, made safe to show to a model or on a terminal.

Machine names, log messages and configurations are written by people and programs that the reader
may not trust. What can act on a terminal, or say something other than what a person sees, is taken
out; the words stay.
"""

from __future__ import annotations

import re

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
_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and newline
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, Arabic letter mark
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi controls, invisible operators
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # layout controls of old scripts and music
    "\U000e0000-\U000e0fff"  # tags and, like U+FE00 on, variation selectors: they can carry hidden text
    "]"
)


def sanitize(text: str) -> str:
    """The text without terminal escapes, controls (tab and newline stay), bidi controls and invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def visible(text: str) -> str:
    """The text in which what `sanitize` would take out is escaped instead, so that it can be seen; newlines stay."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(
        character
        if character == "\n" or (character.isprintable() and not _UNSAFE.match(character))
        else character.encode("unicode_escape").decode()
        for character in text
    )


def shorten(text: str, length: int) -> str:
    """At most about `length` characters of the text, saying how many are missing."""
    if len(text) <= length:
        return text
    return f"{text[:length]}… [{len(text) - length:,} more characters]"
