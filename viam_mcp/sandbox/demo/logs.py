"""A week of log entries for every part of the demo fleet that has ever been online."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.demo.hostile import HOSTILE_MESSAGES
from viam_mcp.sandbox.demo.lines import BY_KIND, EVERY_PART, NOISE, START, VOICES, Line
from viam_mcp.sandbox.demo.places import HOSTILE_PART

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = ["SECOND", "LogRow", "log_rows"]

SECOND = 1_000_000_000
_WEEK = 7 * 86_400 * SECOND
_STARTS = 2
_HOSTILE_SPACING = 7 * 60 * SECOND
_HOSTILE_LINE = Line("info", "barcode-reader", "", "src/label.py:96")

# The types of the fields of zap, the logging library of viam-server.
_ZAP_INTEGER, _ZAP_STRING = 11, 15

LogRow = tuple[str, int, str, str, bytes]
_Said = tuple[int, LogEntry, str]  # time, the entry's constant fields, message


def log_rows(part_id: str, name: str, last: int, rng: random.Random) -> Iterator[LogRow]:
    """Yield a part's rows of the table `logs` (part, time, level, message, entry), oldest first.

    Args:
        part_id: The part.
        name: Its name, one of VOICES.
        last: The time of its last entry, in nanoseconds since 1970.
        rng: Where all that varies comes from.
    """
    for time, entry, message in sorted(_said(name, last, rng), key=itemgetter(0)):
        entry.message = message
        entry.time.seconds, entry.time.nanos = divmod(time, SECOND)
        yield part_id, time, entry.level, message, entry.SerializeToString()


def _said(name: str, last: int, rng: random.Random) -> Iterator[_Said]:
    voice = VOICES[name]
    first = last - _WEEK
    # Nothing else is logged once the ending has begun, so that the last entries show why a machine went silent.
    quiet = last - (voice.ending[0][0] if voice.ending else 0) * SECOND

    lines = EVERY_PART + tuple(line for kind in voice.kinds for line in BY_KIND[kind])
    entries = [_entry(name, line) for line in lines]
    weights = [line.weight for line in lines]
    for entry in rng.choices(entries, weights, k=voice.entries):
        yield rng.randrange(first, quiet), entry, _with_numbers(entry.message, rng)

    noise = [_entry(name, line) for line in NOISE]
    for entry in rng.choices(noise, [line.weight for line in NOISE], k=voice.noise):
        # The square places most of it close to the end, so that it gets worse.
        yield quiet - int(rng.random() ** 2 * (quiet - first)), entry, _with_numbers(entry.message, rng)

    for _ in range(_STARTS):
        start = rng.randrange(first, quiet - len(START) * SECOND)
        for step, line in enumerate(START):
            yield start + step * SECOND, _entry(name, line), _with_numbers(line.message, rng)

    for ago, line in voice.ending or ((0, rng.choice(lines)),):
        yield last - ago * SECOND, _entry(name, line), _with_numbers(line.message, rng)

    if name == HOSTILE_PART:
        for number, message in enumerate(HOSTILE_MESSAGES.values(), start=1):
            yield last - number * _HOSTILE_SPACING, _entry(name, _HOSTILE_LINE), message


def _entry(part_name: str, line: Line) -> LogEntry:
    entry = LogEntry(host=part_name, level=line.level, logger_name=line.logger, message=line.message, stack=line.stack)
    if line.source:
        file, _, number = line.source.partition(":")
        entry.caller.update({"Defined": True, "File": file, "Line": int(number), "Function": ""})
    for key, value in line.fields:
        field: dict[str, Any] = {"Key": key, "Type": _ZAP_STRING, "Integer": 0, "String": value, "Interface": None}
        if isinstance(value, int):
            field |= {"Type": _ZAP_INTEGER, "Integer": value, "String": ""}
        entry.fields.add().update(field)
    return entry


def _with_numbers(template: str, rng: random.Random) -> str:
    if "{" not in template:
        return template
    some = rng.random()
    return template.format(n=1 + int(some * 40), ms=12 + int(some * 700), pct=99 - int(some * 30), volts=26.4 - some)
