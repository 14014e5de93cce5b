"""Reading logs and histories page by page, and files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.app.service import Behaviour, Service, reply
from viam_mcp.app import AppClient, InvalidArgument, Page
from viam_mcp.proto import app as wire
from viam_mcp.proto import common

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(numbers: Sequence[int], token: str = "") -> Behaviour:
    return reply(wire.GetRobotPartLogsResponse(logs=[{"message": str(n)} for n in numbers], next_page_token=token))


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def asked(service: Service) -> list[tuple[str, int]]:
    return [(call.request.page_token, call.request.limit) for call in service.received("GetRobotPartLogs")]


async def test_as_many_entries_are_asked_for_as_are_wanted(service: Service, client: AppClient) -> None:
    service.on("GetRobotPartLogs", page(range(100), "more"))
    assert len(await client.get_robot_part_logs("p")) == 100
    assert asked(service) == [("", 100)]


async def test_pages_are_followed_until_there_is_enough(service: Service, client: AppClient) -> None:
    service.on("GetRobotPartLogs", page(range(1000), "a"), page(range(1000, 1700), "b"), page(range(1700, 2400), "c"))
    entries = await client.get_robot_part_logs("p", num_log_entries=2100)
    assert [entry.message for entry in entries] == [str(number) for number in range(2100)]
    assert asked(service) == [("", 1000), ("a", 1000), ("b", 400)]


async def test_zero_reads_everything_and_stops_at_the_last_page(service: Service, client: AppClient) -> None:
    service.on("GetRobotPartLogs", page(range(3), "a"), page([], "b"), page([3]))
    assert len(await client.get_robot_part_logs("p", num_log_entries=0)) == 4
    assert asked(service) == [("", 1000), ("a", 1000), ("b", 1000)]


async def test_a_token_that_comes_again_ends_the_reading(service: Service, client: AppClient) -> None:
    service.on("GetRobotPartLogs", page([1], "a"), page([], "b"), page([], "a"))
    assert [entry.message for entry in await client.get_robot_part_logs("p", num_log_entries=0)] == ["1"]
    assert len(asked(service)) == 3


async def test_conditions_are_sent_with_every_page(service: Service, client: AppClient) -> None:
    service.on("GetRobotPartLogs", page([1], "a"), page([2]))
    await client.get_robot_part_logs(
        "p",
        "needle",
        log_levels=["error", "warn"],
        num_log_entries=0,
        end=NOON,
        order=wire.LOG_ORDER_ASCENDING,
        range="10m",
    )
    common_fields: dict[str, Any] = {
        "id": "p", "filter": "needle", "levels": ["error", "warn"], "limit": 1000,
        "end": {"seconds": int(NOON.timestamp())}, "order": wire.LOG_ORDER_ASCENDING, "range": "10m",
    }  # fmt: skip
    assert [call.request for call in service.received("GetRobotPartLogs")] == [
        wire.GetRobotPartLogsRequest(**common_fields),
        wire.GetRobotPartLogsRequest(**common_fields, page_token="a"),
    ]


async def test_a_page_knows_how_to_go_on(service: Service, client: AppClient) -> None:
    service.on("GetRobotPartLogs", page([1, 2], "next"))
    entries = await client.robot_part_logs_page("p", limit=2, page_token="here")
    assert isinstance(entries, Page)
    assert ([entry.message for entry in entries], entries.next_page_token) == (["1", "2"], "next")
    assert asked(service) == [("here", 2)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"range": "10m", "start": NOON, "end": NOON}, "range was given together with both start and end"),
        ({"start": datetime(2026, 3, 1)}, "start has no time zone"),  # noqa: DTZ001
        ({"end": datetime(2026, 3, 1)}, "end has no time zone"),  # noqa: DTZ001
        ({"num_log_entries": -1}, "negative"),
    ],
)
async def test_what_cannot_be_right_is_refused_before_any_call(
    service: Service, client: AppClient, arguments: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint) as refused:
        await client.get_robot_part_logs("p", **arguments)  # type: ignore[arg-type]
    assert isinstance(refused.value, ValueError)
    assert str(refused.value).startswith("GetRobotPartLogs failed (INVALID_ARGUMENT)")
    assert not service.received("GetRobotPartLogs")


async def test_any_zone_is_the_same_point_in_time(service: Service, client: AppClient) -> None:
    await client.get_robot_part_logs("p", start=NOON.astimezone(timezone(timedelta(hours=-7))))
    assert service.received("GetRobotPartLogs")[0].request.start.ToDatetime(UTC) == NOON


async def test_logs_are_written_one_a_line(service: Service, client: AppClient, tmp_path: Path) -> None:
    caller = {"File": "a/b.go", "Line": 12}
    first = common.LogEntry(
        level="error", logger_name="rdk", message="two\nlines", stack="main()\nrun()", caller=caller,
        time={"seconds": int(NOON.timestamp())},
    )  # fmt: skip
    service.on("GetRobotPartLogs", reply(wire.GetRobotPartLogsResponse(logs=[first, {"message": "bare"}])))
    dest = tmp_path / "part.log"
    dest.write_text("what was there before")
    await client.get_robot_part_logs("p", dest=str(dest))
    assert dest.read_text() == (
        "2026-03-01T12:00:00+00:00\terror\trdk\ta/b.go:12\ttwo\n\tlines\n\tmain()\n\trun()\n\t\t\t\tbare\n"
    )
    assert dest.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["part.log"]


async def test_a_configuration_is_written_with_its_keys_in_order(
    service: Service, client: AppClient, tmp_path: Path
) -> None:
    config = '{"z": 1, "a": {"big": 9007199254740993}, "é": null}'
    service.on("GetRobotPart", reply(wire.GetRobotPartResponse(part={"id": "p"}, config_json=config)))
    dest = tmp_path / "part.json"
    part = await client.get_robot_part("p", dest=str(dest), indent=2)
    assert part.id == "p"
    assert dest.read_text() == ('{\n  "z": 1,\n  "a": {\n    "big": 9007199254740993\n  },\n  "é": null\n}\n')


@pytest.mark.parametrize(
    ("part", "written"),
    [
        ({"robot_config_json": '{"b": 1}', "robot_config": {"c": True}}, {"b": 1}),
        ({"robot_config": {"c": True}}, {"c": True}),
        ({}, {}),
    ],
)
async def test_a_configuration_is_written_from_whatever_the_server_sent(
    service: Service, client: AppClient, tmp_path: Path, part: dict[str, object], written: dict[str, object]
) -> None:
    service.on("GetRobotPart", reply(wire.GetRobotPartResponse(part=part)))
    dest = tmp_path / "part.json"
    await client.get_robot_part("p", dest=str(dest))
    assert json.loads(dest.read_text()) == written


async def test_a_file_that_cannot_be_written_leaves_nothing_behind(client: AppClient, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        await client.get_robot_part("p", dest=str(tmp_path / "folder"))
    with pytest.raises(FileNotFoundError):
        await client.get_robot_part("p", dest=str(tmp_path / "missing" / "part.json"))
    assert names(tmp_path) == ["folder"]


async def test_histories_say_how_to_go_on(service: Service, client: AppClient) -> None:
    part = {"part": "p", "edited_by": {"value": "ada"}, "old": {"id": "p", "name": "before"}}
    service.on("GetRobotPartHistory", reply(wire.GetRobotPartHistoryResponse(history=[part], next_page_token="n")))
    history = await client.get_robot_part_history("p", start=NOON, page_limit=5)
    entry = history[0]
    assert (history.next_page_token, entry.edited_by.value, entry.old and entry.old.name) == ("n", "ada", "before")
    await client.robot_part_history_page("p", page_token=history.next_page_token)
    assert service.received("GetRobotPartHistory")[1].request.page_token == "n"

    fragment = {"fragment": "f", "revision": "r1", "old": {"name": "before"}}
    service.on("GetFragmentHistory", reply(wire.GetFragmentHistoryResponse(history=[fragment], next_page_token="m")))
    edits = await client.get_fragment_history("f")
    assert (edits.next_page_token, edits[0].revision, edits[0].old and edits[0].old.name) == ("m", "r1", "before")
