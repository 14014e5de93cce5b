"""Log entries: those that are stored, page by page, and those that parts log from now on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, invalid, nanoseconds, rpc
from viam_mcp.sandbox.rules import access
from viam_mcp.sandbox.rules.access import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = ["LEVELS", "LONGEST_PAGE", "PAGE", "LogRpcs", "append"]

LEVELS = ("debug", "info", "warn", "error")
PAGE = 100
LONGEST_PAGE = 1_000

_SECOND = 1_000_000_000
_RANGE = re.compile(r"([1-9][0-9]{0,8})([mhd])")
_UNITS = {"m": 60 * _SECOND, "h": 3_600 * _SECOND, "d": 86_400 * _SECOND}
# The service looks back 12 to 24 hours by default. `start` or `range` ask for more.
_WINDOW = 24 * _UNITS["h"]
_LATEST = 2**63 - 1  # what a column holds; a Timestamp can be later


def append(store: FleetStore, part_id: str, entry: LogEntry) -> None:
    """Add a log entry to a part's; its time and level are those of the message."""
    store.insert(
        "logs",
        part_id=part_id,
        time=nanoseconds(entry.time),
        level=entry.level,
        message=entry.message,
        entry=entry.SerializeToString(),
    )


class LogRpcs:
    """The rpcs about log entries. Owners read them, operators do not."""

    @rpc("GetRobotPartLogs")
    def get(self, call: IncomingCall, request: app.GetRobotPartLogsRequest) -> app.GetRobotPartLogsResponse:
        access.part(call, request.id, "owner")
        for unsupported in ("source", "user_facing_only"):
            if request.HasField(unsupported):
                raise Refusal(Status.UNIMPLEMENTED, f"the sandbox does not keep `{unsupported}` of logs: leave it out")
        ascending = request.order == app.LOG_ORDER_ASCENDING
        limit = _limit(request)
        position = _Position.read(request) if request.page_token else _Position(*_window(request, call.now))

        where = ["part_id = ?", "time >= ?", "time <= ?"]
        values: list[object] = [request.id, position.start, position.end]
        if position.after is not None:
            where.append(f"(time, seq) {'>' if ascending else '<'} (?, ?)")
            values += position.after
        if levels := _levels(request):
            where.append(f"level IN ({', '.join('?' * len(levels))})")
            values += levels
        if request.filter:
            where.append("instr(message, ?) > 0")
            values.append(request.filter)
        direction = "ASC" if ascending else "DESC"
        rows = call.store.all(
            f"SELECT time, seq, entry FROM logs WHERE {' AND '.join(where)}"  # noqa: S608 - values are bound
            f" ORDER BY time {direction}, seq {direction} LIMIT ?",
            *values,
            limit + 1,
        )
        page = rows[:limit]
        response = app.GetRobotPartLogsResponse(logs=[LogEntry.FromString(row["entry"]) for row in page])
        if len(rows) > limit:
            after = (page[-1]["time"], page[-1]["seq"])
            response.next_page_token = _Position(position.start, position.end, after).token(request)
        return response

    @rpc("TailRobotPartLogs")
    def tail(self, call: IncomingCall, request: app.TailRobotPartLogsRequest) -> Callable[[LogEntry], bool]:
        access.part(call, request.id, "owner")
        errors_only, text = request.errors_only, request.filter
        return lambda entry: (not errors_only or entry.level == "error") and text in entry.message


@dataclass(frozen=True)
class _Position:
    """Where a page begins. Entries that are logged meanwhile are outside the window, so they shift no page."""

    start: int
    end: int
    after: tuple[int, int] | None = None

    def token(self, request: app.GetRobotPartLogsRequest) -> str:
        content = [_fingerprint(request), self.start, self.end, *(self.after or ())]
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

    @classmethod
    def read(cls, request: app.GetRobotPartLogsRequest) -> _Position:
        try:
            fingerprint, *numbers = json.loads(base64.b64decode(request.page_token, altchars=b"-_", validate=True))
            start, end, time, seq = (_int64(number) for number in numbers)
        except (binascii.Error, ValueError, TypeError):
            raise invalid(f"page_token {quoted(request.page_token)} is malformed: send back what a page gave") from None
        if fingerprint != _fingerprint(request):
            raise invalid("page_token belongs to a query with other arguments: repeat those, or start without a token")
        return cls(start, end, (time, seq))


def _int64(number: object) -> int:
    if not isinstance(number, int) or abs(number) >= 2**63:
        raise ValueError(number)
    return number


def _fingerprint(request: app.GetRobotPartLogsRequest) -> str:
    query = app.GetRobotPartLogsRequest()
    query.CopyFrom(request)
    query.ClearField("page_token")
    query.ClearField("limit")
    return hashlib.sha256(query.SerializeToString(deterministic=True)).hexdigest()[:16]


def _limit(request: app.GetRobotPartLogsRequest) -> int:
    if request.limit < 0:
        raise invalid(f"limit is {request.limit}: give 1 to {LONGEST_PAGE}")
    return min(request.limit or PAGE, LONGEST_PAGE)


def _levels(request: app.GetRobotPartLogsRequest) -> list[str]:
    if unknown := [level for level in request.levels if level not in LEVELS]:
        raise invalid(f"levels: {quoted(unknown[0])} is none of {', '.join(LEVELS)}")
    # `errors_only` is the older form of `levels`.
    return ["error"] if request.errors_only and not request.levels else sorted(set(request.levels))


def _window(request: app.GetRobotPartLogsRequest, now: int) -> tuple[int, int]:
    """Return the first and last time of the entries asked for, in nanoseconds since 1970 UTC."""
    start = nanoseconds(request.start) if request.HasField("start") else None
    end = nanoseconds(request.end) if request.HasField("end") else None
    if start is not None and end is not None and start > end:
        raise invalid("start is after end: swap them")
    length = _WINDOW
    if request.range:
        if start is not None and end is not None:
            raise invalid("range, start and end are all given: leave one of them out")
        if not (match := _RANGE.fullmatch(request.range)):
            raise invalid(f"range {quoted(request.range)} is malformed: a number and m, h or d, such as 10m, 10h, 10d")
        length = int(match[1]) * _UNITS[match[2]]
        if start is not None:
            end = start + length
    end = now if end is None else end
    start = end - length if start is None else start
    return min(max(start, 0), _LATEST), min(max(end, 0), _LATEST)
