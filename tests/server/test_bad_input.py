"""Arguments that cannot be right: the caller learns which, what was expected and what came, and the server goes on."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.server._arguments import parse
from viam_mcp.tools import TOOLS, ToolError

if TYPE_CHECKING:
    from tests.fleet import Fleet, ToolCaller

ID = "2da16acb-273d-4352-956a-19397bd0aae9"


@pytest.mark.parametrize(
    ("tool", "arguments", "named", "expected", "came"),
    [
        ("get_robot", {"robot_id": ""}, "robot_id", "pattern", 'the text ""'),
        ("get_robot", {"robot_id": "rover-1"}, "robot_id", "pattern", 'the text "rover-1"'),
        ("get_robot", {"robot_id": f"{ID}\n"}, "robot_id", "pattern", f'the text "{ID}\\n"'),
        ("get_robot", {"robot_id": f"{ID}' OR 1=1"}, "robot_id", "pattern", "' OR 1=1"),
        ("get_robot", {"robot_id": 7}, "robot_id", "text", "the number 7"),
        ("get_robot", {"robot_id": None}, "robot_id", "text", "null"),
        ("get_robot", {"robot_id": [ID]}, "robot_id", "text", "a list of 1"),
        ("get_robot", {"robot_id": {"id": ID}}, "robot_id", "text", "an object of 1"),
        ("get_robot", {}, "robot_id", "expected text (Machine id)", "missing"),
        ("get_robot", {"robot_id": ID, "verbose": True}, "verbose", "it takes robot_id", "not an argument"),
        ("get_robot", {"robotid": ID}, "robot_id", "did you mean robot_id?", "robotid is not an"),
        ("get_location", {"location_id": "UPPERCASE1"}, "location_id", "pattern", '"UPPERCASE1"'),
        ("get_robot_part_logs", {"robot_part_id": ID, "log_levels": "error"}, "log_levels", "a list", '"error"'),
        (
            "get_robot_part_logs",
            {"robot_part_id": ID, "log_levels": ["error", "fatal"]},
            "log_levels[1]",
            "one of debug, info, warn, error",
            '"fatal"',
        ),
        ("get_robot_part_logs", {"robot_part_id": ID, "start": "yesterday"}, "start", "a time with its", '"yester'),
        ("get_robot_part_logs", {"robot_part_id": ID, "start": "2026-01-31T08:00:00"}, "start", "zone", '"2026-01-31T'),
        ("get_robot_part_logs", {"robot_part_id": ID, "start": 1_767_225_600}, "start", "zone", "number 1767225600"),
        ("get_robot_part_logs", {"robot_part_id": ID, "range": "10 minutes"}, "range", "pattern", '"10 minutes"'),
        ("get_robot_part_logs", {"robot_part_id": ID, "num_log_entries": -1}, "num_log_entries", "0", "the number -1"),
        ("get_robot_part_logs", {"robot_part_id": ID, "limit": "5"}, "limit", "a whole number", '"5"'),
        ("get_robot_part_logs", {"robot_part_id": ID, "limit": True}, "limit", "a whole number", "true"),
        ("get_robot_part_logs", {"robot_part_id": ID, "limit": 2.5}, "limit", "a whole number", "the number 2.5"),
        ("tail_robot_part_logs", {"robot_part_id": ID, "wait_seconds": 3_600}, "wait_seconds", "60", "the number 3600"),
        ("tail_robot_part_logs", {"robot_part_id": ID, "errors_only": "no"}, "errors_only", "true or false", '"no"'),
        ("create_fragment", {"org_id": ID, "name": " "}, "name", "must not be empty", '" "'),
        ("create_fragment", {"org_id": ID, "name": "x", "config": "{}"}, "config", "an object", '"{}"'),
        ("create_fragment", {"org_id": ID, "name": "x", "config": []}, "config", "an object", "a list of 0"),
        (
            "create_key",
            {"org_id": ID, "authorizations": [{"role": "admin", "resource_type": "robot", "resource_id": ID}]},
            "authorizations[0].role",
            "one of owner, operator",
            '"admin"',
        ),
        ("create_key", {"org_id": ID, "authorizations": [{}]}, "authorizations[0].role", "one of", "missing"),
        ("create_key", {"org_id": ID, "authorizations": []}, "authorizations", "at least 1", "a list of 0"),
    ],
)  # fmt: skip
async def test_the_error_names_the_argument_and_what_was_expected_and_what_came(
    fleet: Fleet, tool: str, arguments: dict[str, Any], named: str, expected: str, came: str
) -> None:
    before = fleet.sandbox.calls.copy()
    error = await fleet.call.error(tool, **arguments)
    assert error.startswith(f"The arguments of {tool} are not right, and nothing was done. {named}")
    assert expected in error
    assert came in error
    assert fleet.sandbox.calls == before
    await fleet.call("list_organizations")


async def test_a_text_of_ten_megabytes_is_refused_by_name_and_size(call_tool: ToolCaller) -> None:
    error = await call_tool.error("get_robot", robot_id="x" * 10_000_000)
    assert "'robot_id'" in error
    assert "10,000,002" in error
    assert "at most 1,048,576" in error
    assert len(error) < 300
    await call_tool("list_organizations")


async def test_a_long_text_that_does_not_fit_is_told_by_its_length(call_tool: ToolCaller) -> None:
    error = await call_tool.error("get_robot", robot_id="x" * 100_000)
    assert "got a text of 100,000 characters" in error
    assert len(error) < 300


async def test_an_argument_with_a_very_long_name_is_refused_in_few_words(call_tool: ToolCaller) -> None:
    error = await call_tool.error("list_organizations", **{"x" * 500_000: 1})
    assert "is not an argument of it" in error
    assert len(error) < 500


async def test_of_many_problems_the_first_are_named_and_the_others_counted(call_tool: ToolCaller) -> None:
    error = await call_tool.error("get_robot_part_logs", robot_part_id=ID, log_levels=["x"] * 1_000)
    assert "log_levels[4]" in error
    assert "log_levels[5]" not in error
    assert "There are 995 more such problems." in error


async def test_what_is_nested_too_deeply_is_refused_by_name(call_tool: ToolCaller) -> None:
    config: dict[str, Any] = {}
    for _ in range(220):
        config = {"a": config}
    error = await call_tool.error("create_fragment", org_id=ID, name="x", config=config)
    assert "'config': expected JSON" in error
    assert "nested too deeply" in error


async def test_a_configuration_that_would_not_arrive_as_it_is_is_refused(fleet: Fleet) -> None:
    for value in (2**53 + 1, -(2**60)):
        error = await fleet.call.error("create_fragment", org_id=ID, name="x", config={"a": [{"b": value}]})
        assert "config.a[0].b" in error
        assert str(value) in error
    nested: Any = 1
    for _ in range(60):
        nested = [nested]
    assert "nested deeper" in await fleet.call.error("create_fragment", org_id=ID, name="x", config={"a": nested})
    variables = {"fragment_id": ID, "fragment_variables": {"a": 2**53 + 1}}
    error = await fleet.call.error("update_organization", org_id=ID, default_fragments=[variables])
    assert "fragment_variables.a" in error
    assert fleet.sandbox.calls["CreateFragment"] == fleet.sandbox.calls["UpdateOrganization"] == 0


async def test_null_means_that_an_optional_argument_is_left_out(fleet: Fleet) -> None:
    location_id = fleet.id("locations", "Warehouse 1")
    arguments = {"location_id": location_id, "fields": ["id"]}
    answer = await fleet.call("list_robots", **arguments, limit=None, cursor=None)
    assert answer == await fleet.call("list_robots", **arguments)


async def test_a_tool_that_does_not_exist_is_named_with_those_that_are_like_it(call_tool: ToolCaller) -> None:
    error = await call_tool.error("delete_machine")
    assert "no tool 'delete_machine'" in error
    for name, shown in (("x" * 100_000, 300), ("a\x1b[31mb\n", 200), ("", 200)):
        error = await call_tool.error(name)
        assert len(error) < shown
        assert "\x1b" not in error
    await call_tool("list_organizations")


async def test_an_error_shows_no_escapes_of_what_came(call_tool: ToolCaller) -> None:
    hostile = "\x1b]0;owned\x07\u202e"
    for arguments in ({"robot_id": hostile}, {hostile: 1}, {"robot_id": ID, f"robot_id{hostile}": 1}):
        error = await call_tool.error("get_robot", **arguments)
        assert not {*error} & {*hostile} - {*"]0;owned"}


# What a client's JSON cannot say over this connection, but some other's can.
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, "\ud800", {"a": ["\udfff"]}, {"\ud800": 1}, 10**5_000],
    ids=["NaN", "infinity", "half of a pair", "half of a pair inside", "half of a pair as key", "5,000 digits"],
)
def test_what_is_no_json_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ToolError, match=r"^The arguments of create_fragment are not right.* 'config': expected JSON"):
        parse(TOOLS["create_fragment"], {"org_id": ID, "name": "x", "config": value})


def test_an_endless_nesting_is_refused_by_name() -> None:
    config: Any = []
    for _ in range(100_000):
        config = [config]
    with pytest.raises(ToolError, match="'config': expected JSON"):
        parse(TOOLS["create_fragment"], {"org_id": ID, "name": "x", "config": config})


def test_a_refusal_takes_no_longer_than_reading_the_arguments() -> None:
    begin = time.perf_counter()
    with pytest.raises(ToolError):
        parse(TOOLS["get_robot"], {f"x{number}": number for number in range(50_000)})
    assert time.perf_counter() - begin < 2
