from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.sandbox.client import named, refused
from viam_mcp.proto import app
from viam_mcp.proto.common import LogEntry
from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp

if TYPE_CHECKING:
    from tests.sandbox.client import Calls
    from viam_mcp.sandbox import Sandbox

NOW = int(time.time())
HOUR = 3600


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=seconds)


@pytest.fixture
def part(sandbox: Sandbox) -> str:
    """A part with 48 entries, one an hour, newest first "0 hours ago"; every third an error."""
    identifier = named(sandbox, "parts", "dock-counter-02-main")
    levels = ("error", "info", "warn")
    entries = [
        LogEntry(level=levels[age % 3], message=f"{age} hours ago", time=at(NOW - age * HOUR)) for age in range(48)
    ]
    sandbox.emit(identifier, *entries)
    return identifier


async def ages(call: Calls, part: str, **fields: Any) -> list[int]:
    response = await call("GetRobotPartLogs", id=part, **fields)
    return [int(entry.message.split()[0]) for entry in response.logs]


async def test_the_last_day_comes_newest_first(call: Calls, part: str) -> None:
    assert await ages(call, part) == list(range(24))


async def test_the_order_can_be_turned(call: Calls, part: str) -> None:
    assert await ages(call, part, order=app.LOG_ORDER_ASCENDING) == list(reversed(range(24)))
    assert await ages(call, part, order=app.LOG_ORDER_DESCENDING) == list(range(24))


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({"start": at(NOW - 40 * HOUR)}, range(41)),
        ({"end": at(NOW - 10 * HOUR)}, range(10, 35)),
        ({"start": at(NOW - 5 * HOUR), "end": at(NOW - 2 * HOUR)}, range(2, 6)),
        ({"range": "90m"}, range(2)),
        ({"range": "10h"}, range(10)),
        ({"range": "2d"}, range(48)),
        ({"range": "3h", "end": at(NOW - 10 * HOUR)}, range(10, 14)),
        ({"range": "3h", "start": at(NOW - 10 * HOUR)}, range(7, 11)),
        ({"start": at(NOW + HOUR)}, range(0)),
        ({"start": at(0)}, range(48)),
    ],
)
async def test_a_window_holds_what_was_logged_in_it(
    call: Calls, part: str, window: dict[str, Any], expected: range
) -> None:
    if "start" in window and window["start"].seconds > NOW:
        window["end"] = at(NOW + 2 * HOUR)
    assert await ages(call, part, **window) == list(expected)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"range": "10h", "start": at(NOW - HOUR), "end": at(NOW)}, "leave one of them out"),
        ({"range": "ten hours"}, "10m, 10h, 10d"),
        ({"range": "10s"}, "10m, 10h, 10d"),
        ({"range": "0h"}, "10m, 10h, 10d"),
        ({"range": "-3h"}, "10m, 10h, 10d"),
        ({"start": at(NOW), "end": at(NOW - HOUR)}, "start is after end"),
        ({"limit": -1}, "limit is -1"),
        ({"levels": ["info", "panic"]}, "'panic' is none of debug, info, warn, error"),
        ({"page_token": "nonsense"}, "page_token"),
        ({"page_token": "bnVsbA=="}, "page_token"),
        ({"page_token": "W10="}, "page_token"),
        ({"page_token": "ключ"}, "page_token"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    call: Calls, part: str, fields: dict[str, Any], words: str
) -> None:
    with refused(Status.INVALID_ARGUMENT, words):
        await call("GetRobotPartLogs", id=part, **fields)


async def test_times_that_no_clock_shows_are_no_accident(call: Calls, part: str) -> None:
    ever = {"start": Timestamp(seconds=-(2**62)), "end": Timestamp(seconds=2**62)}
    assert len(await ages(call, part, **ever)) == 48


async def test_levels_and_text_narrow_the_answer(call: Calls, part: str) -> None:
    assert await ages(call, part, levels=["error"]) == list(range(0, 24, 3))
    assert await ages(call, part, errors_only=True) == list(range(0, 24, 3))
    assert await ages(call, part, levels=["warn", "error"]) == [age for age in range(24) if age % 3 != 1]
    assert await ages(call, part, filter="2 hours") == [2, 12, 22]
    assert await ages(call, part, filter="%") == []
    assert await ages(call, part, filter="2 hours", levels=["info"]) == [22]


async def test_pages_hold_everything_once_and_the_last_has_no_token(call: Calls, part: str) -> None:
    for order in (app.LOG_ORDER_ASCENDING, app.LOG_ORDER_DESCENDING):
        fields: dict[str, Any] = {"id": part, "range": "3d", "order": order, "limit": 12}
        seen, pages, token = [], 0, ""
        while True:
            response = await call("GetRobotPartLogs", **fields, page_token=token)
            seen += [entry.message for entry in response.logs]
            pages += 1
            token = response.next_page_token
            if not token:
                break
        assert pages == 4
        assert len(seen) == len(set(seen)) == 48


async def test_entries_of_the_same_time_are_not_lost_between_pages(sandbox: Sandbox, call: Calls, part: str) -> None:
    sandbox.emit(part, *(LogEntry(level="debug", message=f"{n}", time=at(NOW)) for n in range(5)))
    seen, token = [], ""
    while True:
        page = await call("GetRobotPartLogs", id=part, levels=["debug"], limit=2, page_token=token)
        seen += [entry.message for entry in page.logs]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["4", "3", "2", "1", "0"]


async def test_what_is_logged_meanwhile_does_not_shift_the_pages(sandbox: Sandbox, call: Calls, part: str) -> None:
    first = await call("GetRobotPartLogs", id=part, limit=10)
    sandbox.emit(part, LogEntry(level="info", message="99 just now"))

    assert await ages(call, part, limit=10, page_token=first.next_page_token) == list(range(10, 20))


async def test_a_token_is_good_for_its_own_query_only(call: Calls, part: str) -> None:
    token = (await call("GetRobotPartLogs", id=part, limit=10)).next_page_token

    with refused(Status.INVALID_ARGUMENT, "other arguments"):
        await call("GetRobotPartLogs", id=part, limit=10, levels=["info"], page_token=token)


async def test_a_page_has_100_entries_unless_asked_and_1000_at_most(sandbox: Sandbox, call: Calls) -> None:
    noisy = named(sandbox, "parts", "picker-02-cameras")
    for limit, expected in ((None, 100), (0, 100), (7, 7), (1000, 1000), (10**9, 1000)):
        response = await call("GetRobotPartLogs", id=noisy, range="30d", limit=limit)
        assert len(response.logs) == expected
        assert response.next_page_token


async def test_entries_come_back_as_they_were_logged(sandbox: Sandbox, call: Calls, part: str) -> None:
    entry = LogEntry(
        host="h",
        level="error",
        logger_name="rdk",
        message="\x1b[2J boom",
        stack="at x",
        time=Timestamp(seconds=NOW, nanos=7),
    )
    entry.caller.update({"File": "x.go", "Line": 3})
    entry.fields.add().update({"Key": "k"})
    sandbox.emit(part, entry)

    (found,) = (await call("GetRobotPartLogs", id=part, filter="boom")).logs
    assert found == entry
