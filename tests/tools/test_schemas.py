"""What clients see of the tools: inside what every client takes, small, and the same as `AppClient` has it."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from scripts import schemas
from scripts.schemas import LISTED
from viam_mcp.app import AppClient
from viam_mcp.calls import CORE
from viam_mcp.tools import TOOLS, TOOLSETS, Effect, ListTool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet import ToolCaller

FILES = {path.stem: json.loads(path.read_text()) for path in (schemas.ROOT / schemas.FOLDER).glob("*.json")}
MEMBERS = {"name", "title", "description", "inputSchema", "outputSchema", "annotations"}
# What a tool takes besides the arguments of the method: how much of a list and from where on, how long to wait for it,
# whether a file is replaced.
BESIDES = {"limit", "cursor", "fields", "overwrite", "wait_seconds", "backlog", "path"}
LONGEST_PREFIX = "mcp__viam-mcp__"

every_tool = pytest.mark.parametrize("name", LISTED)


def test_there_is_a_file_for_each_tool_and_no_other() -> None:
    assert FILES.keys() == LISTED.keys()


async def test_what_a_server_lists_is_what_the_files_say(call_tool: ToolCaller) -> None:
    listed = (await call_tool.client.list_tools()).tools
    assert {tool.name for tool in listed} >= TOOLS.keys()
    for tool in listed:
        told = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert told == {key: FILES[tool.name][key] for key in MEMBERS}


@every_tool
def test_a_file_says_what_a_client_and_a_reviewer_need(name: str) -> None:
    spec = LISTED[name].spec
    told = FILES[name]
    assert told.keys() == MEMBERS | {"toolset", "effect", "reveals_secret"}
    assert (told["name"], told["toolset"], told["effect"]) == (name, spec.toolset, spec.effect)
    assert told["reveals_secret"] is spec.reveals_secret
    assert told["annotations"]["readOnlyHint"] is (spec.effect is Effect.READ)
    assert told["annotations"]["destructiveHint"] is (spec.effect is Effect.DESTRUCTIVE)


@every_tool
def test_schemas_are_valid(name: str) -> None:
    for schema in (FILES[name]["inputSchema"], FILES[name]["outputSchema"]):
        Draft202012Validator.check_schema(schema)


@every_tool
def test_schemas_stay_inside_what_every_client_takes(name: str) -> None:
    for schema in (FILES[name]["inputSchema"], FILES[name]["outputSchema"]):
        assert schema["type"] == "object"
        assert set(schema.get("required", ())) <= schema["properties"].keys()
        for part in subschemas(schema):
            assert part.keys() <= {
                "type", "properties", "required", "additionalProperties", "items", "enum", "default", "description",
                "format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum",
            }  # fmt: skip
            assert isinstance(part.get("type", ""), str)
            assert part.get("format", "date-time") == "date-time"


@every_tool
def test_an_input_schema_refuses_unknown_arguments_and_has_no_empty_defaults(name: str) -> None:
    schema = FILES[name]["inputSchema"]
    assert schema["additionalProperties"] is False
    for argument in schema["properties"].values():
        assert argument.get("default", 0) not in (None, [], {})


@every_tool
def test_every_list_among_the_arguments_has_a_most(name: str) -> None:
    lists = [part for part in subschemas(FILES[name]["inputSchema"]) if part.get("type") == "array"]
    assert [part for part in lists if part.get("maxItems", 0) < 10] == []


@pytest.mark.parametrize(
    ("name", "argument", "item"),
    [("list_fragments", "fields", 1), ("create_key", "authorizations", {}), ("update_module", "models", {"x": 0})],
)
def test_a_list_that_is_too_long_is_one_problem_however_many_are_in_it(name: str, argument: str, item: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TOOLS[name].model_validate_json(json.dumps({argument: [item] * 50_000}))
    found = [error["type"] for error in caught.value.errors() if error["loc"] == (argument,)]
    assert found == ["too_long"]
    assert caught.value.error_count() < 10


@every_tool
def test_names_and_descriptions_fit_every_client(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]{1,64}", name)
    assert len(LONGEST_PREFIX + name) <= 60
    assert 0 < len(FILES[name]["description"]) < 1_024
    assert FILES[name]["description"].endswith(".")


# What does more than one rpc, such as following several parts at once, has no method of its own.
@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.spec.rpc is not None])
def test_arguments_are_those_of_the_method_with_its_defaults(name: str) -> None:
    parameters = dict(inspect.signature(getattr(AppClient, name)).parameters)
    del parameters["self"]
    for not_data in ("progress", "timeout"):  # the call's own stand in for them
        parameters.pop(not_data, None)
    fields = TOOLS[name].model_fields
    assert parameters.keys() <= fields.keys() <= parameters.keys() | BESIDES
    for field, parameter in parameters.items():
        default = inspect.Parameter.empty
        if not fields[field].is_required():
            default = fields[field].get_default(call_default_factory=True)
        # JSON has lists where Python has tuples.
        assert default == ([] if parameter.default == () else parameter.default), field


def test_every_tool_whose_answer_is_a_list_pages() -> None:
    for name, tool in LISTED.items():
        pages = FILES[name]["inputSchema"]["properties"].keys() >= {"limit", "cursor", "fields"}
        by_path = FILES[name]["inputSchema"]["properties"].keys() >= {"path", "cursor"}
        assert ("next_cursor" in FILES[name]["outputSchema"]["properties"]) is (pages or by_path)
        assert ("value_at_path" in FILES[name]["outputSchema"]["properties"]) is by_path
        assert pages or not issubclass(tool, ListTool)


def test_the_tools_are_small_enough_to_be_listed() -> None:
    sizes = {name: (size(told), size(told, "outputSchema")) for name, told in FILES.items()}
    whole, without = (sum(column) / len(sizes) for column in zip(*sizes.values(), strict=True))
    assert without <= 900
    assert whole <= 1_600


def test_core_fits_clients_that_take_few_tools() -> None:
    assert len(CORE) + 1 <= 40
    assert TOOLS.keys() >= CORE
    assert sum(size(FILES[name], "outputSchema") for name in (*CORE, "confirm_operation")) <= 34_000


def test_every_toolset_has_tools_and_says_what_it_is_about() -> None:
    assert {tool.spec.toolset for tool in TOOLS.values()} == TOOLSETS.keys()
    assert all(about.endswith(".") for about in TOOLSETS.values())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What is generated, to try changes on."""
    shutil.copytree(schemas.ROOT / schemas.FOLDER, tmp_path / schemas.FOLDER)
    shutil.copy(schemas.ROOT / schemas.README, tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(schemas.ROOT / schemas.DEPLOY, tmp_path / "docs")
    return tmp_path


def test_files_that_are_missing_changed_or_left_over_are_stale_until_they_are_written(copy: Path) -> None:
    (copy / schemas.FOLDER / "get_robot.json").unlink()
    (copy / schemas.FOLDER / "delete_robot.json").write_text("{}")
    (copy / schemas.FOLDER / "no_such_tool.json").write_text("{}")
    changed = [schemas.FOLDER / f"{name}.json" for name in ("delete_robot", "get_robot", "no_such_tool")]
    assert schemas.stale(copy) == changed
    assert schemas.write(copy) == changed
    assert schemas.stale(copy) == []


def test_only_the_table_between_the_markers_of_the_readme_is_written(copy: Path) -> None:
    readme = copy / schemas.README
    readme.write_text("# Before\n\n<!-- tools:begin -->\nold\n<!-- tools:end -->\n\n# After\n")
    assert schemas.stale(copy) == [schemas.README]
    schemas.write(copy)
    assert readme.read_text() == (
        f"# Before\n\n<!-- tools:begin -->\n{schemas.table()}\n<!-- tools:end -->\n\n# After\n"
    )


def test_a_readme_without_markers_gets_them_at_its_end(copy: Path) -> None:
    readme = copy / schemas.README
    readme.write_text("# Title\n")
    schemas.write(copy)
    assert readme.read_text().startswith("# Title\n\n<!-- tools:begin -->\n")
    assert schemas.stale(copy) == []


@every_tool
def test_the_table_has_a_row_for_the_tool(name: str) -> None:
    (row,) = [row for row in schemas.table().splitlines() if f"| `{name}` |" in row]
    assert row.count("|") == 5
    assert f"| {LISTED[name].spec.effect}" in row


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all that are in it."""
    yield schema
    for part in schema.get("properties", {}).values():
        yield from subschemas(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from subschemas(schema[key])


def size(told: dict[str, Any], *left_out: str) -> int:
    """Bytes of what `tools/list` says of a tool, in compact JSON."""
    listed = {key: told[key] for key in MEMBERS - {*left_out}}
    return len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode())
