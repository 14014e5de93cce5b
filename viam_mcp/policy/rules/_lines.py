"""Where in a TOML text a value was written, which its parser does not tell."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*([\w-]+|"[^"]*"|'[^']*')\s*[.=]""")


def line_of(text: str, path: tuple[int | str, ...]) -> int:
    """The line, from 1, where a value of a TOML text begins.

    Args:
        text: The text, of tables and arrays of tables without nesting.
        path: The keys that lead to the value; a number counts the tables of an array from 0. Where the
            value itself is not on a line of its own, the nearest that leads to it is meant.
    """
    found: dict[tuple[int | str, ...], int] = {}
    counts: dict[str, int] = {}
    table: tuple[int | str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = tuple(step.strip().strip("\"'") for step in header[2].split("."))
            if header[1] == "[[":
                name = str(table[0])
                counts[name] = counts.get(name, -1) + 1
                table = (name, counts[name])
            elif table[0] in counts:
                # [rules.arguments] continues the rule before it.
                table = (table[0], counts[str(table[0])], *table[1:])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1].strip("\"'")), number)
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 1)
