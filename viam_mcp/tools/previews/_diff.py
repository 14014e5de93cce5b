"""What an edit changes in a configuration, as a person can check it: a unified diff without credentials.

In the diff each stored credential reads `[redacted 1]`, `[redacted 2]` and so on, and stays that where it is sent
back as it was shown. Those that the caller sends have numbers of their own, whatever is stored: nobody can try out
what a credential is. What runs code, brings some or gives access comes first and is not crowded out by the rest.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews._names import quoted
from viam_mcp.tools.previews._wording import TOO_MUCH, count, room
from viam_mcp.tools.redaction._configs import Stored, plain_number
from viam_mcp.tools.redaction._secrets import REDACTED, may_be_code, redacted
from viam_mcp.tools.redaction._text import sanitize, shorten, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from viam_mcp.tools.redaction._secrets import Label

Json = Any

_LONGEST_LINE = 160
_LONGEST_CODE = 400
_LONGEST_NOTE = 400  # characters of each line beside the diff
_MOST_MISSING = 30  # characters that say how many of a line are missing, and its end
_LONGEST_NAME = 30
_MOST_NAMES = 8
_MOST_SECTIONS = 100  # that are told one by one
_MOST_COMPARED = 4_000  # lines of both sides together: time may grow with their square
_CONTEXT = 3
_GAP = "@@"

_CODE = ("modules", "processes", "packages", "fragments", "fragment_mods", "agent", "remotes")
"""Sections that run code or bring some."""
_VITAL = (*_CODE, "auth", "cloud", "network")
"""Those, and sections that give access."""
_RUNS = ("module_id", "package", "version", "executable_path", "address", "args", "command", "cwd", "env")
"""What tells what an item runs."""
_FIRST = (
    *_VITAL, "components", "services", "jobs", "name", "id", "type", "api", "model", *_RUNS, "username", "one_shot",
)  # fmt: skip
"""Keys that come before all others: sections, then what tells what an item is and what it runs."""
_RANKS = {key: rank for rank, key in enumerate(_FIRST)}

STAYS = "Configuration: stays the same."

_LABEL = REDACTED.removesuffix("]")
_ITEM = re.compile(rf"(?:{'|'.join(_CODE)})\.[^.]+")  # as fragment_mods say which they change
_CREDENTIAL = re.compile(r'[-+] *"((?:[^"\\]|\\.)*)": .*?(\[redacted \d+\])')


def config_changes(stored: Stored, sent: Mapping[str, Json] | None, path: str, beside: Sequence[str] = ()) -> list[str]:
    """The lines that say how a configuration changes: how much and where, then the credentials, then the diff.

    A preview holds all of them: they say themselves what they leave out.

    Args:
        stored: The configuration as it is.
        sent: What takes its place; None leaves it alone.
        path: The argument that it came in, for the error.
        beside: The other lines of the preview.

    Raises:
        ToolError: It says of something that it is not shown, and that is not what was shown there. Or the other
            lines leave no room.
    """
    if sent is None:
        return ["Configuration: not touched."]
    stored.whole(sent, path)
    changes = [*_changes(*_sides(stored, sent, path))]
    if not changes:
        return [STAYS]
    credentials = [_note(line) for line in _credentials(line for change in changes for line in change.lines)]
    lines, characters = room([*beside, *credentials])
    # The first line and the last, which say what is shown.
    lines, characters = lines - 2, characters - 2 * (_LONGEST_NOTE + _MOST_MISSING)
    if lines < 0 or characters < 0:
        raise ToolError(TOO_MUCH)
    shown = _fitting(changes, lines, characters)
    left_out = [_note(line) for line in _left_out(changes, shown)]
    return [_note(_summary(changes, shown)), *credentials, *itertools.chain(*shown), *left_out]


def _note(line: str) -> str:
    return shorten(line, _LONGEST_NOTE)


@dataclass(frozen=True)
class _Settled:
    """Stands for a value in which each credential is hidden already."""

    shown: Json


def _shown(settled: _Settled) -> Json:
    return settled.shown


def _sides(stored: Stored, sent: Mapping[str, Json], path: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """What is stored and what takes its place, without credentials.

    Nothing in the second depends on a stored value that was not shown, so that it tells nothing of it.
    """
    labels = (f"{_LABEL} {number}]" for number in itertools.count(1))
    old = _hidden(_ordered(stored.value), stored.shown, labels)

    def label(secret: object) -> object:
        return secret if isinstance(secret, _Settled) or may_be_code(secret) else next(labels)

    new: Any = redacted(_told(_ordered(Stored(old, stored.shown).put_back(dict(sent), path)), label), label)
    return old, new


def _told(value: Json, label: Label) -> Json:
    """What a caller sends, with what tells what an item runs settled: what it stands in cannot hide it."""
    if isinstance(value, list):
        return [_told(item, label) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: _told(item, label) for key, item in value.items()}
    return {key: _Settled(redacted(item, label)) if _tells_what_runs(key) else item for key, item in told.items()}


def _tells_what_runs(key: str) -> bool:
    key = key.casefold()
    return key in _RUNS or bool(_ITEM.fullmatch(key))


def _hidden(value: Json, shown: Json, labels: Iterator[str]) -> Json:
    """A stored value in which all that was not shown is labelled."""
    if isinstance(value, dict):
        members = shown if isinstance(shown, dict) else {}
        return {key: _hidden(item, members.get(sanitize(key)), labels) for key, item in value.items()}
    if isinstance(value, list):
        items = shown if isinstance(shown, list) and len(shown) == len(value) else [None] * len(value)
        return [_hidden(*pair, labels) for pair in zip(value, items, strict=True)]
    marked = shown if isinstance(shown, str) and REDACTED in shown else None
    if marked is None and shown == (sanitize(value) if isinstance(value, str) else value):
        return value
    return _Settled(re.sub(re.escape(REDACTED), lambda _: next(labels), marked or REDACTED))


def _ordered(value: Json) -> Json:
    """The same value with one way to write each number, and the keys in the order in which they are shown."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_rank)}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return plain_number(value) if isinstance(value, float) else value


def _rank(key: str) -> tuple[int, str]:
    # The service reads keys in capitals as it does others.
    return _RANKS.get(key.casefold(), len(_FIRST)), key


@dataclass(frozen=True)
class _Change:
    """How a section of a configuration changes, or several that are told together.

    Attributes:
        sections: How many.
        name: What they are called.
        vital: Whether something in it runs code, brings some or gives access.
        compared: Whether it was compared line by line.
        lines: The lines of the diff.
    """

    sections: int
    name: str
    vital: bool
    compared: bool
    lines: list[str]

    @property
    def longest(self) -> int:
        """How much of a line is shown."""
        return _LONGEST_CODE if self.vital else _LONGEST_LINE

    def is_told_by(self, shown: Sequence[str]) -> bool:
        """Whether the lines that are shown are all there is."""
        return [*shown] == self.lines and self.compared


def _changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[_Change]:
    """How each section changes that does, those first that matter most."""
    # Unlike the values, text tells true from 1.
    before, after = ({key: json.dumps(value, default=_shown) for key, value in side.items()} for side in (old, new))
    changed = sorted({key for key, _ in before.items() ^ after.items()}, key=_rank)
    each, rest = changed[:_MOST_SECTIONS], changed[_MOST_SECTIONS:]
    room = _MOST_COMPARED
    for sections in (*([section] for section in each), *([rest] if rest else [])):
        gone, come = _differing(*(_lines({key: side[key] for key in sections if key in side}) for side in (old, new)))
        size = len(gone) + len(come) if gone and come else 0
        compared = size <= room
        room -= size if compared else 0
        name = f"{len(rest):,} others" if sections is rest else _quoted(sections[0])
        diff = _unified(gone, come) if compared else _unordered(gone, come)
        lines = [f"@@ {name} @@" if line == _GAP else visible(line) for line in diff]
        vital = any(section.casefold() in _VITAL for section in sections)
        yield _Change(len(sections), name, vital, compared, lines)


def _quoted(section: str) -> str:
    return shorten(visible(json.dumps(section, ensure_ascii=False)), _LONGEST_NAME)


def _lines(sections: Json) -> list[str]:
    return json.dumps(sections, indent=2, ensure_ascii=False, default=_shown).split("\n")[1:-1]


def _differing(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """The lines from the first that differs to the last one, and some around them."""
    start = _alike(before, after)
    end = min(_alike(reversed(before), reversed(after)), min(len(before), len(after)) - start)
    start, end = max(start - _CONTEXT, 0), max(end - _CONTEXT, 0)
    return before[start : len(before) - end], after[start : len(after) - end]


def _alike(before: Iterable[str], after: Iterable[str]) -> int:
    """How many lines are the same before the first that differs."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _unified(before: list[str], after: list[str]) -> Iterator[str]:
    for line in itertools.islice(difflib.unified_diff(before, after, n=_CONTEXT, lineterm=""), 2, None):
        yield _GAP if line.startswith("@@") else line


def _unordered(before: list[str], after: list[str]) -> Iterator[str]:
    """The lines that are on one side only, or more often than on the other."""
    yield _GAP
    for sign, lines, others in (("-", before, after), ("+", after, before)):
        more = Counter(lines) - Counter(others)
        for line in lines:
            if more[line] > 0:
                more[line] -= 1
                yield f"{sign}{line}"


def _fitting(changes: Sequence[_Change], lines: int, characters: int) -> list[list[str]]:
    """The lines of each change that are shown: the vital ones share the room, the others get what is left.

    Args:
        changes: The changes.
        lines: How many lines there is room for.
        characters: How many characters they may have, with their ends.
    """
    shown: list[list[str]] = [[] for _ in changes]
    pairs = [*zip(changes, shown, strict=True)]
    for group in ([pair for pair in pairs if pair[0].vital], *([pair] for pair in pairs if not pair[0].vital)):
        waiting = deque(group)
        while waiting and lines:
            change, kept = waiting.popleft()
            if len(kept) == len(change.lines):
                continue
            line = shorten(change.lines[len(kept)], change.longest)
            if len(line) < characters:
                kept.append(line)
                lines, characters = lines - 1, characters - len(line) - 1
                waiting.append((change, kept))
    return shown


def _summary(changes: Sequence[_Change], shown: Sequence[Sequence[str]]) -> str:
    taken, added = (sum(line.startswith(sign) for change in changes for line in change.lines) for sign in "-+")
    cut = [
        change.name
        for change, lines in zip(changes, shown, strict=True)
        if change.vital and not change.is_told_by(lines)
    ]
    large = [change.name for change in changes if not change.compared]
    return "".join(
        (
            "Configuration: ",
            f"NOT ALL that runs code or gives access is shown ({_listed(cut)}); " if cut else "",
            f"{count(taken, 'line')} removed, {count(added, 'line')} added, ",
            f"in {_listed([change.name for change in changes], sum(change.sections for change in changes))}",
            f"; too many to compare line by line in {_listed(large)}" if large else "",
            ".",
        )
    )


def _credentials(lines: Iterable[str]) -> list[str]:
    """Under which keys a diff sets credentials, and under which it removes some."""
    found: dict[str, dict[str, set[str]]] = {}
    for line in lines:
        if match := _CREDENTIAL.match(line):
            found.setdefault(match[1], {"-": set(), "+": set()})[line[0]].add(match[2])
    gone = {key: (len(labels["-"] - labels["+"]), len(labels["+"] - labels["-"])) for key, labels in found.items()}
    said = {
        "Credentials set, the same as before or not": [key for key, (_, come) in gone.items() if come],
        "Credentials removed": [key for key, (went, come) in gone.items() if went > come],
    }
    return [f"{what}: {_listed([quoted(key, 40) for key in keys])}." for what, keys in said.items() if keys]


def _left_out(changes: Sequence[_Change], shown: Sequence[Sequence[str]]) -> list[str]:
    """The line that counts what is not shown and has its digest: a confirmation is bound to the lines."""
    pairs = [*zip(changes, shown, strict=True)]
    if all(change.is_told_by(lines) for change, lines in pairs):
        return []
    left = [(len(change.lines) - len(lines), change.name) for change, lines in pairs if len(lines) < len(change.lines)]
    counted = _listed([f"{count(number, 'more line')} of {name}" for number, name in left])
    text = "\n".join(line for change in changes for line in change.lines)
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
    return [f"… {counted or 'and the ends of lines'}, not shown (SHA-256 of the whole {digest})"]


def _listed(names: Sequence[str], number: int = 0) -> str:
    """The first of the names, and how many more there are of so many."""
    more = max(number, len(names)) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
