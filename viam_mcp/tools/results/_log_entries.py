"""The shape of answers that hold log entries: as JSON, and as lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.proto.common import LogEntry as WireLogEntry
from viam_mcp.tools.redaction._secrets import without_secrets
from viam_mcp.tools.redaction._text import sanitize
from viam_mcp.tools.results._encode import encode, schema_of
from viam_mcp.tools.results._output import Many, Readable, Whole

if TYPE_CHECKING:
    from datetime import datetime

    from viam_mcp.app import LogEntry
    from viam_mcp.logs import Gap, UpstreamStatus

Json = Any

_SHOWN = ("time", "level", "logger_name", "message")


_TIME = {"type": "string", "format": "date-time"}
_PART = {"robot_part_id": {"type": "string"}}
_GAP = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "enum": ["fell_behind", "not_filled", "not_checked", "uncertain"]},
        "since": _TIME,
        "until": _TIME,
        "count": {"type": "integer"},
    },
}
_UPSTREAM = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "enum": ["connecting", "live", "reconnecting", "failed", "closed"]},
        "since": _TIME,
        "reason": {"type": "string"},
    },
}
_GROUP = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string"},
        "level": {"type": "string"},
        "logger_name": {"type": "string"},
        "count": {"type": "integer"},
        "first": _TIME,
        "last": _TIME,
        "machines": {"type": "array", "items": {"type": "string"}},
        "example": {"type": "string"},
        "numbers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"least": {"type": "number"}, "most": {"type": "number"}, "last": {"type": "number"}},
            },
        },
    },
}


class LoggedEntries(Many, Readable):
    """Entries of one part's log, with a cursor that a tail can go on from."""

    def __init__(self) -> None:
        super().__init__(entries=WireLogEntry)

    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""
        return {**super().properties(), "tail_cursor": {"type": "string"}}

    def text(self, data: dict[str, Json]) -> str:
        """The entries as lines."""
        return as_lines(data)


@dataclass(frozen=True)
class NewEntries(Whole, Readable):
    """New entries of one part, or of several."""

    several: bool = False

    def properties(self) -> dict[str, Json]:
        """The JSON schema of each member."""
        entry = schema_of(WireLogEntry)
        if not self.several:
            return {
                "entries": {"type": "array", "items": entry},
                "next_cursor": {"type": "string"},
                "upstream": _UPSTREAM,
                "gap": _GAP,
            }
        names = {"machine": {"type": "string"}, "part": {"type": "string"}}
        entry = {"type": "object", "properties": {**_PART, **names, **entry["properties"]}}
        return {
            "entries": {"type": "array", "items": entry},
            "groups": {"type": "array", "items": _GROUP},
            "next_cursor": {"type": "string"},
            "upstreams": {"type": "array", "items": _with_part(_UPSTREAM)},
            "gaps": {"type": "array", "items": _with_part(_GAP)},
        }

    def encode(self, value: dict[str, Json], *, reveal: bool) -> dict[str, Json]:
        """The members, which the tool has shaped already: log entries have no field for a credential."""
        return value

    def text(self, data: dict[str, Json]) -> str:
        """The entries as lines."""
        return as_lines(data)


def _with_part(schema: dict[str, Json]) -> dict[str, Json]:
    return {"type": "object", "properties": {**_PART, **schema["properties"]}}


def gap_json(gap: Gap) -> dict[str, Json]:
    """A gap as JSON."""
    members = {"reason": gap.reason, "since": _time(gap.since), "until": _time(gap.until), "count": gap.count}
    return {name: value for name, value in members.items() if value is not None}


def upstream_json(upstream: UpstreamStatus) -> dict[str, Json]:
    """The state of a connection as JSON."""
    state = {"state": str(upstream.state), "since": _time(upstream.since)}
    return {**state, "reason": without_secrets(sanitize(upstream.reason))} if upstream.reason else state


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def line(entry: dict[str, Json]) -> str:
    """An entry as a person reads it: where it came from if that is said, time, level, logger, message, stack."""
    origin = [entry[name] for name in ("machine", "part") if name in entry]
    words = [*(["/".join(origin)] if origin else ()), *(str(entry[name]) for name in _SHOWN if name in entry)]
    lines = [*" ".join(words).splitlines(), *entry.get("stack", "").splitlines()]
    return "\n    ".join(lines)


def as_lines(data: dict[str, Json]) -> str:
    """A result about log entries as a person reads it: a line for each entry or group, then what else there is."""
    lines = [line(entry) for entry in data["entries"]]
    lines += [
        f"{group['count']} x {group['level']} {group['logger_name']} {group['pattern']} "
        f"({group.get('first', '')} to {group.get('last', '')}; {', '.join(group['machines'])})"
        for group in data.get("groups", ())
    ]
    if not lines:
        lines.append("No entries.")
    lines += [f"{name}: {data[name]}" for name in ("next_cursor", "tail_cursor") if name in data]
    for gap in [*data.get("gaps", ()), *([data["gap"]] if "gap" in data else ())]:
        lines.append("gap: " + ", ".join(f"{name} {value}" for name, value in gap.items()))
    for upstream in [*data.get("upstreams", ()), *([data["upstream"]] if "upstream" in data else ())]:
        lines.append("upstream: " + ", ".join(f"{name} {value}" for name, value in upstream.items()))
    lines += [f"warning: {warning}" for warning in data.get("warnings", ())]
    return "\n".join(lines)


def entry_json(entry: LogEntry) -> dict[str, Json]:
    """An entry as JSON."""
    return encode(entry.proto)
