"""How previews write values, keys and names: whole, on one line, and so that two that differ look different."""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.redaction._text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Json = Any

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$@+/-]+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_$@+/-][A-Za-z0-9_$@+/.:-]*")
_LAST_NUMBER = re.compile(r"([^0-9]*)([0-9]{1,18})(?![0-9])")  # of a name from its end
_WORD = re.compile(r"\w+")

_LOOK_ALIKE_SCRIPTS = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE", "LISU", "MODIFIER"})
"""Scripts with letters that look like Latin ones, as the first words of Unicode names have them."""
_MOST_MARKS = 2  # combining marks on one letter; more of them paint over other lines
_SHORTEST_RUN = 3
_LONGEST_NUMBERED = 300


def literal(value: Json, default: Callable[[Any], Json] | None = None) -> str:
    """Return a JSON value as it is written: whole, on one line."""
    return legible(json.dumps(value, ensure_ascii=False, default=default))


def key(text: str) -> str:
    """Return a key of a JSON object as a step of a path: in quotes unless it is a plain word."""
    return text if _PLAIN_KEY.fullmatch(text) else literal(text)


def name(text: str) -> str:
    """Return the name of an item: in quotes unless it is a plain word."""
    return text if _PLAIN_NAME.fullmatch(text) else literal(text)


def legible(text: str) -> str:
    """Return the text with escapes in the place of all that cannot be seen or that looks like something else.

    These are controls, invisible characters, combining marks that paint over others or that a single character could
    say, variants of ASCII characters, and letters of other scripts in a Latin word.
    """
    if text.isascii():
        return visible(text)
    return _WORD.sub(lambda word: _one_script(word[0]), _composed(visible(text)))


def _composed(text: str) -> str:
    """Return the text with escapes for what a normal form would write differently, and for stacked marks."""
    pieces, marks = [], 0
    normal = unicodedata.is_normalized("NFC", text)
    for character in text:
        is_mark = unicodedata.category(character) in ("Mn", "Me")
        marks = marks + 1 if is_mark else 0
        is_hidden = is_mark and (not normal or marks > _MOST_MARKS)
        pieces.append(_escaped(character) if is_hidden or _looks_ascii(character) else character)
    return "".join(pieces)


def _looks_ascii(character: str) -> bool:
    """Return whether a character is a variant of an ASCII one, such as a wide digit. Superscripts are none."""
    if character.isascii() or unicodedata.category(character) == "No":
        return False
    plain = unicodedata.normalize("NFKC", character)
    return len(plain) == 1 and plain.isascii()


def _one_script(word: str) -> str:
    if word.isascii() or not any(character.isascii() and character.isalpha() for character in word):
        return word
    return "".join(_escaped(character) if _looks_latin(character) else character for character in word)


def _looks_latin(character: str) -> bool:
    if character.isascii():
        return False
    return unicodedata.name(character, "").partition(" ")[0] in _LOOK_ALIKE_SCRIPTS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def folded(names: Iterable[str], *, counted: bool = True) -> str:
    """Return all of the names, with numbered ones in a row as their first and last: `arm-0 … arm-10, base (12)`.

    Args:
        names: The names, as they are shown.
        counted: Whether to say how many there are if there is more than one.
    """
    names = [*names]
    shown = ", ".join(_runs(names))
    return f"{shown} ({len(names):,})" if counted and len(names) > 1 else shown


def _runs(names: Sequence[str]) -> Iterable[str]:
    """Return the names, with rows of consecutive numbers as one text."""
    if len(names) < _SHORTEST_RUN or len(set(names)) < len(names):
        return names
    inside: dict[str, str] = {}  # what each name of a run is shown as: the first as the run, the others as nothing
    for _, group in groupby(enumerate(_numbered(names)), key=lambda pair: (pair[1][0], pair[1][1] - pair[0])):
        run = [name for _, (_, _, name) in group]
        if len(run) >= _SHORTEST_RUN:
            inside |= dict.fromkeys(run, "")
            inside[run[0]] = f"{run[0]} … {run[-1]}"
    return [text for name in names if (text := inside.get(name, name))]


def _numbered(names: Sequence[str]) -> list[tuple[tuple[str, str, int], int, str]]:
    """Return the names that end in a number, in the order of their rows: the row, the number, the name."""
    found = [(*parts, name) for name in names if (parts := _parts(name)) is not None]
    padded = {(before, len(digits), after) for before, digits, after, _ in found if digits[0] == "0" and digits != "0"}
    rows = (
        ((before, after, len(digits) if (before, len(digits), after) in padded else 0), int(digits), name)
        for before, digits, after, name in found
    )
    return sorted(rows)


def _parts(name: str) -> tuple[str, str, str] | None:
    """Return what stands before, in and after the last number of a name; None if it has none that counts."""
    if len(name) > _LONGEST_NUMBERED:
        return None
    found = _LAST_NUMBER.match(name[::-1])
    if found is None:
        return None
    after, digits = (text[::-1] for text in found.groups())
    return name[: len(name) - len(found[0])], digits, after
