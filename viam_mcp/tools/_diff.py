"""What an edit changes in a configuration, as a person can check it: a unified diff without credentials.

In the diff each credential reads `[redacted 1]`, `[redacted 2]` and so on, one number for each value:
what hides a credential must not hide that it changes.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any

from viam_mcp.tools._configs import number_from
from viam_mcp.tools._names import quoted
from viam_mcp.tools._previews import count
from viam_mcp.tools._secrets import REDACTED, redacted
from viam_mcp.tools._text import shorten, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = Any

_LONGEST_LINE = 160
_MOST_SECTIONS = 10
_MOST_COMPARED = 20_000  # lines of both together
_LABEL = REDACTED.removesuffix("]")
_CREDENTIAL = re.compile(r'[-+] *"((?:[^"\\]|\\.)*)": .*?(\[redacted \d+\])')


def config_changes(old: Mapping[str, Json], new: Mapping[str, Json] | None) -> list[str]:
    """The lines that say how a configuration changes; None for the new one leaves it alone.

    What matters most comes first, since a reader may be shown the beginning only: how much changes and
    where, then the credentials, then the diff.
    """
    if new is None:
        return ["Configuration: not touched."]
    changed = sorted(_texts(old).items() ^ _texts(new).items())
    if not changed:
        return ["Configuration: stays the same."]
    sections = dict.fromkeys(visible(json.dumps(shorten(key, 40), ensure_ascii=False)) for key, _ in changed)
    where = ", ".join(list(sections)[:_MOST_SECTIONS])
    before, after = _labelled(old, new)
    if len(before) + len(after) > _MOST_COMPARED:
        size = f"{count(len(before), 'line')} → {count(len(after), 'line')}"
        return [f"Configuration: replaced, {size}, too many to compare line by line, in {where}."]
    diff = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    taken, added = (sum(line.startswith(sign) for line in diff) for sign in "-+")
    return [
        f"Configuration: {count(taken, 'line')} removed, {count(added, 'line')} added, in {where}.",
        *_credentials(diff),
        *(shorten(line, _LONGEST_LINE) for line in diff),
    ]


def _labelled(*configs: Mapping[str, Json]) -> list[list[str]]:
    """The configurations as lines, a credential under the same number in all of them."""
    labels: dict[str, str] = {}

    def label(secret: object) -> str:
        return labels.setdefault(repr(secret), f"{_LABEL} {len(labels) + 1}]")

    return [_lines(redacted(_canonical(config), label)) for config in configs]


def _credentials(diff: Iterable[str]) -> list[str]:
    """Which keys' credentials a diff changes."""
    found: dict[str, dict[str, set[str]]] = {}
    for line in diff:
        if match := _CREDENTIAL.match(line):
            found.setdefault(match[1], {"-": set(), "+": set()})[line[0]].add(match[2])
    changed = [key for key, labels in found.items() if labels["-"] != labels["+"]]
    return [f"A credential under {quoted(key)} {_becomes(found[key])}." for key in changed]


def _becomes(labels: Mapping[str, set[str]]) -> str:
    if not labels["+"]:
        return "is removed"
    return "changes" if labels["-"] else "is added"


def _lines(config: Json) -> list[str]:
    return visible(json.dumps(config, indent=2, ensure_ascii=False)).split("\n")


def _texts(config: Mapping[str, Json]) -> dict[str, str]:
    """Each section of a configuration as text, which unlike values tells true from 1."""
    return {key: json.dumps(value) for key, value in _canonical(config).items()}


def _canonical(value: Json) -> Json:
    """The same value with one way to write each number, and keys in one order."""
    return json.loads(json.dumps(value, sort_keys=True), parse_float=number_from)
