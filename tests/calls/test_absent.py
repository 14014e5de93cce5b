"""Arguments that a framework fills in for a model: null and empty count as left out, unless empty means something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.calls._absent import without_absent
from viam_mcp.calls._arguments import parse
from viam_mcp.tools import TOOLS, ToolError, input_schema

if TYPE_CHECKING:
    from tests.fleet import ToolCaller

ID = "2da16acb-273d-4352-956a-19397bd0aae9"
EMPTY = {"string": "", "array": [], "object": {}, "integer": 0, "number": 0}


def optional() -> list[tuple[str, str, dict[str, Any]]]:
    """Every argument of every tool that need not be given: tool, name, schema."""
    schemas = {name: input_schema(tool) for name, tool in TOOLS.items()}
    return [
        (tool, name, one)
        for tool, schema in schemas.items()
        for name, one in schema["properties"].items()
        if name not in schema.get("required", ())
    ]


def test_null_counts_as_left_out_for_every_optional_argument() -> None:
    assert [name for tool, name, _ in optional() if without_absent(TOOLS[tool], {name: None}) != {}] == []


def test_what_is_empty_counts_as_left_out_or_its_description_says_what_it_means() -> None:
    unsaid = [
        (tool, name)
        for tool, name, schema in optional()
        if schema["type"] in ("string", "array", "object")
        and without_absent(TOOLS[tool], {name: EMPTY[schema["type"]]}) != {}
        and "empt" not in schema.get("description", "").lower()
    ]
    assert unsaid == []


def test_an_empty_value_that_is_not_taken_counts_as_left_out() -> None:
    for tool, name, schema in optional():
        refused = schema.get("minLength", 0) or schema.get("minItems", 0) or schema.get("minimum", 0) > 0
        if schema["type"] in EMPTY and (refused or "enum" in schema or "format" in schema):
            assert without_absent(TOOLS[tool], {name: EMPTY[schema["type"]]}) == {}, (tool, name)


@pytest.mark.parametrize(
    ("tool", "kept"),
    [
        ("update_location", {"location_id": "k3v9x0q2ab", "parent_location_id": ""}),
        ("update_organization", {"org_id": ID, "cid": "", "default_fragments": []}),
        ("update_robot_part", {"robot_part_id": ID, "name": "x", "robot_config": {}}),
        ("get_robot_part_logs", {"robot_part_id": ID, "num_log_entries": 0, "overwrite": False}),
        ("tail_robot_part_logs", {"robot_part_id": ID, "wait_seconds": 0, "errors_only": False}),
    ],
)
def test_what_means_something_is_kept(tool: str, kept: dict[str, Any]) -> None:
    assert without_absent(TOOLS[tool], kept) == kept


def test_arguments_inside_of_arguments_are_treated_alike() -> None:
    fragment: dict[str, Any] = {"fragment_id": ID, "version": "", "prefix": None, "fragment_variables": {}}
    taken = parse(TOOLS["update_organization"], {"org_id": ID, "default_fragments": [fragment]})
    assert taken == parse(TOOLS["update_organization"], {"org_id": ID, "default_fragments": [{"fragment_id": ID}]})


def test_what_is_inside_of_a_configuration_stays() -> None:
    config = {"components": [], "name": "", "port": 0, "host": None}
    taken: Any = parse(TOOLS["update_robot_part"], {"robot_part_id": ID, "name": "x", "robot_config": config})
    assert taken.robot_config == config


@pytest.mark.parametrize("value", [None, ""])
def test_a_required_argument_is_still_missed(value: object) -> None:
    with pytest.raises(ToolError, match="robot_id"):
        parse(TOOLS["get_robot"], {"robot_id": value})


@pytest.mark.parametrize("empty", [False, True])
async def test_a_call_with_every_optional_argument_filled_in_is_the_call_without_them(
    call_tool: ToolCaller, empty: bool
) -> None:
    filled = {
        name: EMPTY.get(schema["type"]) if empty else None
        for tool, name, schema in optional()
        if tool == "list_fragments"
    }
    (organization, *_) = (await call_tool("list_organizations"))["organizations"]
    bare = await call_tool("list_fragments", org_id=organization["id"])
    assert await call_tool("list_fragments", org_id=organization["id"], **filled) == bare
