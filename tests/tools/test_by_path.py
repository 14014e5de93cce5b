"""A configuration that is larger than a result is read whole: by path, and in pages."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import to_json

from tests.fleet import connected_to
from tests.tools.corpus.harmless import component, configuration
from tests.tools.test_round_trips import ODD, configs
from viam_mcp.tools import ToolError
from viam_mcp.tools.redaction._marks import NOT_SHOWN
from viam_mcp.tools.results._by_path import at_path, page_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet import Fleet
    from viam_mcp.sandbox import Sandbox

VALUE = {"a": [{"b/c": 1}, {"~d": {"": 2}}], "e": "text", "0": 3}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/", VALUE), ("/a", VALUE["a"]), ("a", VALUE["a"]), ("/a/0/b~1c", 1), ("/a/1/~0d/", 2), ("/e", "text"),
        ("/0", 3),
    ],
)  # fmt: skip
def test_a_json_pointer_leads_to_its_value(path: str, value: Any) -> None:
    assert at_path(VALUE, path) == value


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/b", "'/' has no 'b'. There are: 'a', 'e', '0'."),
        ("/a/2", "'/a' has no '2'. It is a list of 2 items, from 0 on."),
        ("/a/-1", "a list of 2 items"),
        ("/a/x", "a list of 2 items"),
        ("/e/0", "'/e' has no '0'. It has no members."),
    ],
)
def test_a_path_that_leads_nowhere_says_what_there_is(path: str, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        at_path(VALUE, path)
    assert said in str(caught.value)


def joined(value: Any, budget: int) -> Any:
    """All pages of a value, put together."""
    pages, given = [], 0
    while True:
        page, following = page_of(value, given, budget)
        assert len(to_json(page)) <= max(budget, 60) or not isinstance(page, str | list | dict)
        pages.append(page)
        if following is None:
            break
        assert following > given
        given = following
    if isinstance(value, dict):
        return {name: item for page in pages for name, item in page.items()}
    if isinstance(value, list):
        return [item for page in pages for item in page]
    return "".join(pages) if isinstance(value, str) else pages[0]


@example({"a": 0, "x" * 64: ["y" * 200], "b": "z" * 60}, 200)  # the mark's name takes room too
@given(configs | st.lists(configs) | st.sampled_from(ODD), st.integers(200, 2_000))
def test_the_pages_of_a_value_are_the_value(value: Any, budget: int) -> None:
    whole = joined(value, budget)
    assert type(whole) is type(value) or isinstance(whole, dict)
    if isinstance(value, str):
        assert whole == value
    else:
        pairs = [(key, value[key], whole[key]) for key in (value if isinstance(value, dict) else range(len(value)))]
        for key, old, new in pairs:
            too_large = len(to_json({str(key): old})) > budget - 5
            assert new == old or (too_large and NOT_SHOWN.fullmatch(new))
        assert len(pairs) == len(whole)


@pytest.fixture
async def large(fleet: Fleet) -> dict[str, Any]:
    """A configuration that no result holds, stored in a part and in a fragment."""
    rng = random.Random(3)
    config = {**configuration(rng), "fragments": [], "notes": {f"n{place}": text for place, text in enumerate(ODD)}}
    config["components"] += [component(rng) for _ in range(250)]
    config["services"] = [{"name": "s", "attributes": {"password": "hunter2", "text": "y" * 200_000}}]
    await fleet.app.update_robot_part(fleet.id("parts", "picker-01-main"), "picker-01-main", config)
    await fleet.app.update_fragment(fleet.id("fragments", "picker-base"), "picker-base", config)
    return config


async def read_all(fleet: Fleet, tool: str, path: str, **arguments: Any) -> Any:
    """The value at a path, and whatever is left out of it by its own path."""
    pages: list[Any] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await fleet.call(tool, **arguments, path=path, **cursor)
        assert len(to_json(answer)) <= 65_536
        pages.append(answer["value_at_path"])
        if "next_cursor" not in answer:
            break
        cursor = {"cursor": answer["next_cursor"]}
    first = pages[0]
    if isinstance(first, str):
        return "".join(pages)
    value: Any = [item for page in pages for item in page]
    if isinstance(first, dict):
        value = {name: item for page in pages for name, item in page.items()}
    for key, item in [*(value.items() if isinstance(value, dict) else enumerate(value))]:
        if isinstance(item, str) and item.startswith("[left out: ") and item not in ODD:
            value[key] = await read_all(fleet, tool, f"{path.rstrip('/')}/{key}", **arguments)
    return value


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_robot_part", {"robot_part_id": ("parts", "picker-01-main")}),
        ("get_fragment", {"fragment_id": ("fragments", "picker-base")}),
    ],
)
async def test_a_large_configuration_is_read_whole_by_path(
    fleet: Fleet, large: dict[str, Any], tool: str, arguments: dict[str, Any]
) -> None:
    given = {key: fleet.id(*value) for key, value in arguments.items()}
    large["services"][0]["attributes"]["password"] = "[redacted]"
    large["notes"] = {key: text.replace("hunter2", "[redacted]") for key, text in large["notes"].items()}
    large["notes"] = {
        key: "token=[redacted]" if text.startswith("token=") else text for key, text in large["notes"].items()
    }
    whole = await read_all(fleet, tool, "/", **given)
    notes, wanted = whole.pop("notes"), large.pop("notes")
    assert whole == json.loads(json.dumps(large))
    assert notes.keys() == wanted.keys()
    one = await fleet.call(tool, **given, path="/components/7/name")
    assert one["value_at_path"] == large["components"][7]["name"]


async def test_a_cursor_is_of_one_path_and_of_what_was_stored_then(fleet: Fleet, large: dict[str, Any]) -> None:
    part_id = fleet.id("parts", "picker-01-main")
    answer = await fleet.call("get_robot_part", robot_part_id=part_id, path="/components")
    cursor = answer["next_cursor"]
    other = await fleet.call.error("get_robot_part", robot_part_id=part_id, path="/services", cursor=cursor)
    assert "another path" in other
    bad = await fleet.call.error("get_robot_part", robot_part_id=part_id, path="/components", cursor="x")
    assert bad.startswith("cursor: this is not one")
    await fleet.app.update_robot_part(part_id, "picker-01-main", {**large, "components": large["components"][1:]})
    changed = await fleet.call.error("get_robot_part", robot_part_id=part_id, path="/components", cursor=cursor)
    assert "changed since" in changed


async def test_pages_fit_into_small_results(sandbox: Sandbox, tmp_path: Path) -> None:
    async with connected_to(sandbox, mode="auto", folder=tmp_path, max_result_bytes=2_048) as fleet:
        part_id = fleet.id("parts", "picker-01-main")
        config = {"components": [{"name": f"c{number}", "attributes": {"n": [number] * 30}} for number in range(40)]}
        await fleet.app.update_robot_part(part_id, "picker-01-main", config)
        found: list[Any] = []
        cursor: dict[str, Any] = {}
        while True:
            answer = await fleet.call("get_robot_part", robot_part_id=part_id, path="/components", **cursor)
            assert len(to_json(answer)) <= 2_048
            found += answer["value_at_path"]
            if "next_cursor" not in answer:
                break
            cursor = {"cursor": answer["next_cursor"]}
        assert found == config["components"]
