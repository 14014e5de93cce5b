"""Arguments that cannot be right: the caller learns which, what was expected and what came, and the server goes on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.pace import is_linear
from viam_mcp.calls._arguments import parse, unknown_tool
from viam_mcp.tools import FORMS, TOOLS, ToolError, input_schema

if TYPE_CHECKING:
    from tests.conftest import Mode
    from tests.fleet import Fleet, ToolCaller

ID = "2da16acb-273d-4352-956a-19397bd0aae9"


@pytest.fixture
def fleet(fleets: dict[Mode, Fleet], mode: Mode) -> Fleet:
    """One for all of these tests: nothing that is refused changes it."""
    return fleets[mode]


@pytest.mark.parametrize(
    ("tool", "arguments", "named", "expected", "came"),
    [
        ("get_robot", {"robot_id": ""}, "robot_id", "a UUID such as", 'the text ""'),
        ("get_robot", {"robot_id": "rover-1"}, "robot_id", "a UUID such as", 'the text "rover-1"'),
        ("get_robot", {"robot_id": f"{ID}\n"}, "robot_id", "a UUID such as", f'the text "{ID}\\n"'),
        ("get_robot", {"robot_id": f"{ID}' OR 1=1"}, "robot_id", "a UUID such as", "' OR 1=1"),
        ("get_robot", {"robot_id": 7}, "robot_id", "a UUID such as", "the number 7"),
        ("get_robot", {"robot_id": None}, "robot_id", "a UUID such as", "null"),
        ("get_robot", {"robot_id": [ID]}, "robot_id", "a UUID such as", "a list of 1"),
        ("get_robot", {"robot_id": {"id": ID}}, "robot_id", "a UUID such as", "an object of 1"),
        ("get_robot", {}, "robot_id", "a UUID such as", "(Machine id)"),
        ("get_robot", {"robot_id": ID, "verbose": True}, "verbose", "it takes robot_id", "not an argument"),
        ("get_robot", {"robotid": ID}, "robot_id", "did you mean robot_id?", "robotid is not an"),
        ("get_location", {"location_id": "UPPERCASE1"}, "location_id", "10 lowercase", '"UPPERCASE1"'),
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
        ("get_robot_part_logs", {"robot_part_id": ID, "range": "10 minutes"}, "range", "Such as 10m", '"10 minutes"'),
        ("get_robot_part_logs", {"robot_part_id": ID, "num_log_entries": -1}, "num_log_entries", "0", "the number -1"),
        ("get_robot_part_logs", {"robot_part_id": ID, "limit": "5"}, "limit", "a whole number", '"5"'),
        ("get_robot_part_logs", {"robot_part_id": ID, "limit": True}, "limit", "a whole number", "true"),
        ("get_robot_part_logs", {"robot_part_id": ID, "limit": 2.5}, "limit", "a whole number", "the number 2.5"),
        ("tail_robot_part_logs", {"robot_part_id": ID, "wait_seconds": 3_600}, "wait_seconds", "50", "the number 3600"),
        ("tail_robot_part_logs", {"robot_part_id": ID, "errors_only": "no"}, "errors_only", "true or false", '"no"'),
        ("create_fragment", {"org_id": ID, "name": ""}, "name", "text that is not empty", '""'),
        ("create_fragment", {"org_id": ID, "name": " "}, "name", "text that is not empty", '" "'),
        ("create_fragment", {"org_id": ID, "name": "\u2800\u200b"}, "name", "text that is not empty", "the text"),
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
        ("get_registry_item", {"item_id": "drive"}, "item_id", "a colon between them such as acme:drive", '"drive"'),
        (
            "update_location",
            {"location_id": "k3v9x0q2ab", "parent_location_id": "x"},
            "parent_location_id",
            'digits such as k3v9x0q2ab, or ""',
            'the text "x"',
        ),
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
    error = await call_tool.error("list_authorizations", org_id=ID, resource_ids=["x"] * 1_000)
    assert "resource_ids[4]" in error
    assert "resource_ids[5]" not in error
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not a JSON object that can be used"),
        ("[]", "not a JSON object"),
        ('{"modules": [], "modules": [1]}', "same key twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 40 + "1" + "}" * 40, "nested deeper than 30 levels"),
        ('{"a": NaN}', "JSON does not have NaN"),
        ('{"a": 1e400}', "the number 1e400 is too large"),
        ('{"a": 1' + "0" * 5_000 + "}", "is too large"),
        ('{"a": 9007199254740993}', "robot_config_json.a is 9007199254740993, which would not arrive exactly"),
        (r'{"a": ["\ud800"]}', "robot_config_json.a[0] holds half of a surrogate pair"),
        ('{"' + "x" * 10_000 + '": 9007199254740993}', "more characters"),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
async def test_a_configuration_as_text_is_held_to_the_same(fleet: Fleet, text: str, reason: str) -> None:
    part = fleet.id("parts", "picker-01-arm")
    before = fleet.sandbox.calls.copy()
    error = await fleet.call.error("update_robot_part", robot_part_id=part, name="arm", robot_config_json=text)
    assert "robot_config_json: " in error
    assert reason in error
    assert len(error) < 500
    assert fleet.sandbox.calls == before


async def test_an_id_in_capital_letters_is_the_same_id(fleet: Fleet) -> None:
    robot = fleet.id("robots", "rental-rover")
    answers = [await fleet.call("get_robot", robot_id=spelled) for spelled in (robot.upper(), robot)]
    for answer in answers:
        del answer["robot"]["seconds_since_online"]  # which go by
    assert answers[0] == answers[1]
    nobody: dict[str, list[str]] = {"types": [], "visibilities": [], "platforms": [], "statuses": []}
    owner = fleet.id("organizations", "Tidewater Robotics")
    items = await fleet.call("list_registry_items", organization_id=owner.upper(), **nobody)
    assert items["items"]
    assert items == await fleet.call("list_registry_items", organization_id=owner, **nobody)


async def test_a_number_without_a_fraction_is_a_whole_number_however_it_is_written(fleet: Fleet) -> None:
    part = fleet.id("parts", "picker-01-main")
    answer = await fleet.call("get_robot_part_logs", robot_part_id=part, limit=2.0)
    assert len(answer["entries"]) == 2


def patterns(schema: Any) -> set[str]:
    """Every pattern in a schema, however deep."""
    if isinstance(schema, list):
        return {found for item in schema for found in patterns(item)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
    return own | patterns([*schema.values()])


def test_every_form_that_an_argument_must_have_is_told_in_words() -> None:
    assert {found for tool in TOOLS.values() for found in patterns(input_schema(tool))} == {*FORMS}


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


def test_a_tool_that_the_server_leaves_out_is_told_from_one_that_does_not_exist() -> None:
    offered = {"get_robot": TOOLS["get_robot"]}
    left_out = str(unknown_tool("delete_robot", offered))
    assert left_out.startswith("delete_robot is a tool that this server does not offer")
    assert "--read-only" in left_out
    assert str(unknown_tool("get_robots", offered)) == "There is no tool 'get_robots' here. Did you mean get_robot?"


async def test_an_error_shows_no_escapes_of_what_came(call_tool: ToolCaller) -> None:
    hostile = "\x1b]0;owned\x07\u202e"
    for arguments in ({"robot_id": hostile}, {hostile: 1}, {"robot_id": ID, f"robot_id{hostile}": 1}):
        error = await call_tool.error("get_robot", **arguments)
        assert not {*error} & {*hostile} - {*"]0;owned"}


# What a client's JSON cannot say over this connection, but some other's can.
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "such as NaN"),
        (math.inf, "such as NaN"),
        ("\ud800", "half of a surrogate pair"),
        ({"a": ["\udfff"]}, "half of a surrogate pair"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        (10**5_000, "thousands of digits"),
    ],
    ids=["NaN", "infinity", "half of a pair", "half of a pair inside", "half of a pair as key", "5,000 digits"],
)
def test_what_is_no_json_is_refused_by_name_and_reason(value: Any, reason: str) -> None:
    with pytest.raises(ToolError, match=rf"^The arguments of create_fragment .* 'config': expected JSON.* {reason}"):
        parse(TOOLS["create_fragment"], {"org_id": ID, "name": "x", "config": value})


def test_an_endless_nesting_is_refused_by_name() -> None:
    config: Any = []
    for _ in range(100_000):
        config = [config]
    with pytest.raises(ToolError, match="'config': expected JSON"):
        parse(TOOLS["create_fragment"], {"org_id": ID, "name": "x", "config": config})


def test_a_refusal_takes_no_longer_than_reading_the_arguments() -> None:
    def refused(arguments: dict[str, Any]) -> None:
        with pytest.raises(ToolError):
            parse(TOOLS["get_robot"], arguments)

    assert is_linear(refused, lambda size: {f"x{number}": number for number in range(size)}, 50_000)
