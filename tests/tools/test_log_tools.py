"""The tools that read and follow logs, through a real client, over the demo fleet."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.fleet import connected_to
from tests.pace import PATIENCE, is_linear
from viam_mcp.proto.common import LogEntry
from viam_mcp.sandbox import Fault
from viam_mcp.sandbox.rpc import Refusal
from viam_mcp.tools.results._patterns import fold, pattern

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mode
    from tests.fleet import Fleet
    from viam_mcp.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
WAIT = 50
"""Seconds, the most that a tail waits: on a busy machine the default may be over before the log was read."""


@pytest.fixture
def part(fleet: Fleet) -> str:
    return fleet.id("parts", "picker-01-main")


def logged(*messages: str, level: str = "error") -> list[LogEntry]:
    return [LogEntry(level=level, logger_name="rdk", message=message) for message in messages]


def messages(result: dict[str, Any]) -> list[str]:
    return [entry["message"] for entry in result["entries"]]


async def test_a_tail_returns_as_soon_as_there_is_something_new(fleet: Fleet, part: str) -> None:
    first = await fleet.call("tail_robot_part_logs", robot_part_id=part, wait_seconds=0)
    assert first["entries"] == []
    waiting = asyncio.create_task(
        fleet.call("tail_robot_part_logs", robot_part_id=part, cursor=first["next_cursor"], wait_seconds=WAIT)
    )
    async with asyncio.timeout(PATIENCE):
        await fleet.sandbox.hub.until(1)
        fleet.sandbox.emit(part, *logged("fine", level="info"), *logged("broken"))
        assert messages(await waiting) == ["broken"]


async def test_what_was_logged_between_two_calls_comes_with_the_next(fleet: Fleet, part: str) -> None:
    cursor = (await fleet.call("tail_robot_part_logs", robot_part_id=part, wait_seconds=0))["next_cursor"]
    await fleet.sandbox.hub.until(1)
    fleet.sandbox.emit(part, *logged(*map(str, range(30))))
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < 30:
            result = await fleet.call(
                "tail_robot_part_logs", robot_part_id=part, cursor=cursor, limit=7, wait_seconds=WAIT
            )
            found += messages(result)
            cursor = result["next_cursor"]
    assert found == [str(n) for n in range(30)]
    assert result["upstream"]["state"] == "live"


async def test_a_tail_goes_on_from_what_get_robot_part_logs_gave(fleet: Fleet, part: str) -> None:
    for levels, errors_only in (([], False), (["error"], True)):
        read = await fleet.call("get_robot_part_logs", robot_part_id=part, log_levels=levels, num_log_entries=5)
        fleet.sandbox.emit(part, *logged("new"))
        result = await fleet.call(
            "tail_robot_part_logs", robot_part_id=part, errors_only=errors_only, cursor=read["tail_cursor"]
        )
        assert messages(result) == ["new"]


@pytest.mark.parametrize(
    "selection",
    [{"order": "ascending"}, {"log_levels": ["warn", "error"]}, {"end": "2026-01-01T00:00:00Z"}],
    ids=lambda selection: next(iter(selection)),
)
async def test_what_is_not_the_end_of_what_a_tail_follows_gives_no_cursor_for_one(
    fleet: Fleet, part: str, selection: dict[str, Any]
) -> None:
    assert "tail_cursor" not in await fleet.call("get_robot_part_logs", robot_part_id=part, **selection)


async def test_an_empty_answer_says_how_far_it_looked_back(fleet: Fleet, part: str) -> None:
    nothing = {"robot_part_id": part, "filter": "nobody says this"}
    (said,) = (await fleet.call("get_robot_part_logs", **nothing))["warnings"]
    assert "about a day" in said
    assert "60d" in said
    for further in ({"range": "60d"}, {"start": "2026-01-01T00:00:00Z"}):
        assert "warnings" not in await fleet.call("get_robot_part_logs", **nothing, **further)
    assert "warnings" not in await fleet.call("get_robot_part_logs", robot_part_id=part, limit=1)


async def test_a_batch_goes_out_as_progress(fleet: Fleet, part: str) -> None:
    fleet.sandbox.emit(part, *logged("one", "two"))
    heard: list[tuple[float, str]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, message or ""))

    arguments = {"robot_part_id": part, "backlog": 2, "wait_seconds": WAIT}
    await fleet.call.result("tail_robot_part_logs", arguments, progress_callback=progress)
    ((done, text),) = heard
    assert done == 2
    assert re.search(r"error rdk one\n.* error rdk two", text)


async def test_cancelling_a_wait_ends_it_and_its_upstream(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> None:
    async with connected_to(sandbox, mode=mode, folder=tmp_path) as fleet:
        arguments = {"robot_part_id": fleet.id("parts", "picker-01-main"), "wait_seconds": WAIT}
        waiting = asyncio.create_task(fleet.call.result("tail_robot_part_logs", arguments))
        async with asyncio.timeout(PATIENCE):
            await sandbox.hub.until(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            # The call is over: another can be made, and its answer is its own.
            assert (await fleet.call("tail_robot_part_logs", **{**arguments, "wait_seconds": 0}))["entries"] == []


async def test_a_break_of_the_connection_loses_and_doubles_nothing(fleet: Fleet, part: str) -> None:
    cursor = (await fleet.call("tail_robot_part_logs", robot_part_id=part, wait_seconds=0))["next_cursor"]
    await fleet.sandbox.hub.until(1)
    fleet.sandbox.faults.add("TailRobotPartLogs", Fault(status=Status.UNAVAILABLE))
    fleet.sandbox.emit(part, *logged("before"))
    for tail in list(fleet.sandbox.hub._tails):
        tail.end(Refusal(Status.UNAVAILABLE, "going down"))
    fleet.sandbox.emit(part, *logged("during"))
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while "during" not in found:
            result = await fleet.call("tail_robot_part_logs", robot_part_id=part, cursor=cursor, wait_seconds=WAIT)
            found += messages(result)
            cursor = result["next_cursor"]
        await fleet.sandbox.hub.until(1)
        fleet.sandbox.emit(part, *logged("after"))
        found += messages(
            await fleet.call("tail_robot_part_logs", robot_part_id=part, cursor=cursor, wait_seconds=WAIT)
        )
    assert found == ["before", "during", "after"]


async def test_the_text_is_what_a_person_reads(fleet: Fleet, part: str) -> None:
    trace = LogEntry(level="error", logger_name="rdk", message="two\nlines", stack="main()\nrun()")
    fleet.sandbox.emit(part, trace)
    result = await fleet.call("tail_robot_part_logs", robot_part_id=part, backlog=1, wait_seconds=WAIT)
    lines = fleet.call.answers[-1].splitlines()
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z error rdk two", lines[0])
    assert lines[1:4] == ["    lines", "    main()", "    run()"]
    assert lines[4] == f"next_cursor: {result['next_cursor']}"
    assert lines[5].startswith("upstream: state live, since ")


async def test_an_entry_larger_than_a_result_is_shortened(fleet: Fleet, part: str) -> None:
    fleet.sandbox.emit(part, *logged("x" * 4_194_304, "after"))
    result = await fleet.call("tail_robot_part_logs", robot_part_id=part, backlog=2, wait_seconds=WAIT)
    long, after = messages(result)
    assert long.endswith("more characters]")
    assert after == "after"
    assert result["warnings"] == ["Texts of over 2,000 characters were shortened to fit."]


async def test_a_full_result_ends_between_two_entries_and_the_next_call_goes_on(fleet: Fleet, part: str) -> None:
    sent = [f"{number} {'x' * 3_000}" for number in range(40)]
    fleet.sandbox.emit(part, *logged(*sent))
    result = await fleet.call("tail_robot_part_logs", robot_part_id=part, backlog=40, wait_seconds=WAIT)
    found = messages(result)
    assert 0 < len(found) < 40
    assert "go on with next_cursor" in result["warnings"][0]
    while len(found) < 40:
        result = await fleet.call(
            "tail_robot_part_logs", robot_part_id=part, cursor=result["next_cursor"], wait_seconds=WAIT
        )
        found += messages(result)
    assert found == sent


async def test_only_the_fields_that_are_asked_for_are_given(fleet: Fleet, part: str) -> None:
    fleet.sandbox.emit(part, *logged("short"))
    result = await fleet.call(
        "tail_robot_part_logs", robot_part_id=part, backlog=1, fields=["message"], wait_seconds=WAIT
    )
    assert result["entries"] == [{"message": "short"}]
    assert "fields: 'nothing' is no field" in await fleet.call.error(
        "tail_robot_part_logs", robot_part_id=part, fields=["nothing"]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"robot_part_id": NOBODY}, "NOT_FOUND"),
        ({"cursor": "nonsense"}, "cursor: this is not one"),
        ({"wait_seconds": -1}, "wait_seconds: expected a number"),
        ({"wait_seconds": 51}, "wait_seconds: expected a number"),
        ({"filter": "x" * 1_048_000}, "filter: expected text"),
        ({"limit": -1}, "limit: expected a whole number"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_bad_input_is_named(fleet: Fleet, part: str, arguments: dict[str, Any], said: str) -> None:
    assert said in await fleet.call.error("tail_robot_part_logs", **{"robot_part_id": part, **arguments})


async def test_a_cursor_of_another_part_is_refused(fleet: Fleet, part: str) -> None:
    other = fleet.id("parts", "picker-01-arm")
    cursor = (await fleet.call("tail_robot_part_logs", robot_part_id=other, wait_seconds=0))["next_cursor"]
    error = await fleet.call.error("tail_robot_part_logs", robot_part_id=part, cursor=cursor)
    assert "it belongs to another part, or to other conditions" in error


async def test_several_parts_come_by_time_each_entry_with_its_machine_and_part(fleet: Fleet, part: str) -> None:
    other = fleet.id("parts", "picker-02-main")
    for number in range(4):
        fleet.sandbox.emit(other if number % 2 else part, *logged(str(number)))
    result = await fleet.call("tail_logs", robot_part_ids=[other, part], backlog=2, limit=3, wait_seconds=WAIT)
    assert [(e["machine"], e["part"], e["robot_part_id"], e["message"]) for e in result["entries"]] == [
        ("picker-01", "picker-01-main", part, "0"),
        ("picker-02", "picker-02-main", other, "1"),
        ("picker-01", "picker-01-main", part, "2"),
    ]
    cursor = result["next_cursor"]
    assert messages(await fleet.call("tail_logs", robot_part_ids=[part, other], cursor=cursor, wait_seconds=WAIT)) == [
        "3"
    ]
    assert result["upstreams"] == []


async def test_a_location_stands_for_the_parts_of_its_machines(fleet: Fleet, part: str) -> None:
    location = fleet.value("SELECT location_id FROM robots WHERE name = 'picker-01'")
    fleet.sandbox.emit(part, *logged("the latest"))
    result = await fleet.call("tail_logs", location_id=location, backlog=1, wait_seconds=0)
    assert messages(result)[-1] == "the latest"
    assert len(fleet.sandbox.hub._tails) > 1


async def test_entries_that_say_the_same_come_as_one_with_their_number(fleet: Fleet, part: str) -> None:
    other = fleet.id("parts", "picker-02-main")
    fleet.sandbox.emit(part, *logged("motor 1 draws 2.5 A", "motor 2 draws 7.25 A", "stopped"))
    fleet.sandbox.emit(other, *logged("motor 3 draws 1 A"))
    result = await fleet.call(
        "tail_logs", robot_part_ids=[part, other], backlog=3, group=True, filter="o", wait_seconds=WAIT
    )
    assert result["entries"] == []
    first = next(group for group in result["groups"] if group["pattern"] == "motor <n> draws <n> A")
    assert (first["count"], first["machines"], first["example"]) == (
        3, ["picker-01", "picker-02"], "motor 1 draws 2.5 A",
    )  # fmt: skip
    assert first["first"] < first["last"]
    assert first["numbers"] == [{"least": 1, "most": 3, "last": 3}, {"least": 1, "most": 7.25, "last": 1}]
    assert "3 x error rdk motor <n> draws <n> A" in fleet.call.answers[-1]


async def test_a_connection_that_is_not_live_is_said(fleet: Fleet, part: str) -> None:
    fleet.sandbox.emit(part, *logged("here"))
    result = await fleet.call("tail_logs", robot_part_ids=[part, NOBODY], backlog=1, wait_seconds=WAIT)
    assert messages(result) == ["here"]
    (upstream,) = result["upstreams"]
    assert (upstream["robot_part_id"], upstream["state"]) == (NOBODY, "failed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "either robot_part_ids or location_id"),
        ({"robot_part_ids": [NOBODY], "location_id": "abcdefghij"}, "either robot_part_ids or location_id"),
        ({"robot_part_ids": []}, "either robot_part_ids or location_id"),
        ({"robot_part_ids": [f"{n:08}-0000-4000-8000-000000000000" for n in range(17)]}, "at most 16 parts"),
        ({"robot_part_ids": [NOBODY]}, "NOT_FOUND"),
        ({"location_id": "abcdefghij"}, "NOT_FOUND"),
    ],
    ids=["nothing", "both", "empty", "many", "no part", "no location"],
)
async def test_parts_that_cannot_be_followed_together_are_refused(
    fleet: Fleet, arguments: dict[str, Any], said: str
) -> None:
    assert said in await fleet.call.error("tail_logs", **arguments)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("motor 3 at 12.5 rpm", "motor <n> at <n> rpm"),
        ("part 5923251e-0d69-4b1a-9f97-83f934e1793f is gone", "part <uuid> is gone"),
        ("at 2026-11-22T22:45:00.123Z: retry", "at <time>: retry"),
        ("address 0x7fff5e, digest deadbeef00", "address <hex>, digest <hex>"),
        ("v2 of utf8 stays, as does facade", "v2 of utf8 stays, as does facade"),
        ("10.0.4.31:8080", "<ip>:<n>"),
        ("took 1m15.25s, then 350ms and 2h", "took <duration>, then <duration> and <duration>"),
        ("from fe80::1ff:fe23:4567:890a by ::1 to 2001:db8:0:1:1:1:1:1", "from <ip> by <ip> to <ip>"),
        ("aa:bb:cc:dd:ee:0f joined", "<mac> joined"),
        ("cannot open /tmp/viam-abc123/x.log", "cannot open <tmp>"),
        ("job 7f3k2j9x1q ended", "job <id> ended"),
        ("camera12 at 12.5V, 83%", "camera<n> at <n>V, <n>%"),
    ],
)
def test_a_pattern_leaves_what_differs_between_messages_of_one_kind(message: str, expected: str) -> None:
    assert pattern(message) == expected


@pytest.mark.parametrize("hostile", ["1", "a1", "0x", "1.1,", "deadbeef-", "1:", "::", "a:", "/tmp/", "1h", "1."])
def test_patterns_of_hostile_messages_take_no_longer_than_their_length(hostile: str) -> None:
    assert is_linear(pattern, lambda size: hostile * size, 1_000_000 // len(hostile))
    assert len(pattern(hostile * 100_000)) <= 300


def test_what_stands_alone_is_folded_to_itself() -> None:
    assert fold([{"message": "x", "machine": "m"}])[0]["count"] == 1


async def test_a_credential_in_what_is_attached_to_an_entry_is_hidden_in_every_log_tool(
    fleet: Fleet, part: str
) -> None:
    entry = LogEntry(level="error", logger_name="rdk", message="refused")
    # One is remembered with what it says, one is too large for that.
    for padding in ("", "x" * 1_000):
        entry.fields.add().update({"api_key": "hunter2hunter2", "note": padding})
    entry.caller.update({"File": "a.go", "password": "hunter2hunter2"})
    fleet.sandbox.emit(part, entry)
    answers = [
        await fleet.call("tail_robot_part_logs", robot_part_id=part, backlog=1, wait_seconds=WAIT),
        await fleet.call("tail_logs", robot_part_ids=[part], backlog=1, wait_seconds=WAIT),
        await fleet.call("get_robot_part_logs", robot_part_id=part, num_log_entries=1),
    ]
    for answer in answers:
        (shown,) = answer["entries"]
        assert [attached["api_key"] for attached in shown["fields"]] == ["[redacted]"] * 2
        assert shown["caller"]["password"] == "[redacted]"
    assert not any("hunter2" in text for text in fleet.call.answers)


async def test_a_wait_says_every_few_seconds_that_it_goes_on(
    fleet: Fleet, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viam_mcp.tools.sets.logs._TICK_SECONDS", 0.01)
    heard: list[float] = []
    often = asyncio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append(done)
        if len(heard) == 3:
            often.set()

    arguments = {"robot_part_id": part, "wait_seconds": WAIT}
    waiting = asyncio.create_task(fleet.call.result("tail_robot_part_logs", arguments, progress_callback=progress))
    async with asyncio.timeout(PATIENCE):
        await often.wait()
        fleet.sandbox.emit(part, *logged("at last"))
        await waiting
    assert heard == sorted(heard)
    assert heard[-1] == 1


async def test_names_of_parts_are_asked_for_once(fleet: Fleet, part: str) -> None:
    location = fleet.value("SELECT location_id FROM robots WHERE name = 'picker-01'")
    calls = fleet.sandbox.calls
    for number in range(3):
        for parts in ({"robot_part_ids": [part]}, {"location_id": location}):
            fleet.sandbox.emit(part, *logged(f"entry {number}"))
            result = await fleet.call("tail_logs", **parts, backlog=1, wait_seconds=WAIT)
            assert result["entries"][-1]["machine"] == "picker-01"
        if not number:
            before = {rpc: calls[rpc] for rpc in ("GetRobotPart", "GetRobot", "ListRobots", "GetRobotParts")}
    assert {rpc: calls[rpc] for rpc in before} == before
    assert before["ListRobots"] == 1


async def test_times_that_no_clock_should_show_are_still_dates(fleet: Fleet, part: str) -> None:
    cursor = (await fleet.call("tail_robot_part_logs", robot_part_id=part, wait_seconds=WAIT, backlog=1))["next_cursor"]
    odd = logged("year 10000", "far", "nanoseconds", "negative")
    for entry, (seconds, nanos) in zip(odd, [(2**38, 0), (2**62, 0), (1, 2**31 - 1), (1, -5)], strict=True):
        entry.time.seconds, entry.time.nanos = seconds, nanos
    await fleet.sandbox.hub.until(1)
    fleet.sandbox.emit(part, *odd)
    result = await fleet.call("tail_robot_part_logs", robot_part_id=part, cursor=cursor, wait_seconds=WAIT)
    assert messages(result) == ["year 10000", "far", "nanoseconds", "negative"]
