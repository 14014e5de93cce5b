"""What was read, sent back unchanged, is what is stored: whatever was hidden, cut, left out or cannot be seen."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from tests.tools.configs import stored
from tests.tools.corpus.harmless import component, configuration
from tests.tools.corpus.planted import planted
from viam_mcp.app import to_struct
from viam_mcp.proto import app as wire
from viam_mcp.tools import ToolError, fit
from viam_mcp.tools.results._encode import encode

if TYPE_CHECKING:
    from tests.fleet import Fleet

ODD = (
    "note with \u200c and \u200d", "⚠️ hot", "👩\u200d🔧 on duty", "line\r\nline\r\n", "soft\u00adhyphen",
    "a\x1b[31mred",     "\u202egpj.exe", "[redacted]", "… [12 more characters]", "[left out: 12 bytes]", "[left out]",
    "a\u0301\u0301\u0301\u0301\u0301\u0301",
    "\x00\x07\x7f", "", " ", "password=hunter2 \u200b", "pass\u200bword: hunter2", "日本語",
    "x" * 3_000, "token=" + "y" * 3_000,
)  # fmt: skip
KEYS = ("a", "password", "pass\u200bword", "k\r\n", "[left out]", "[redacted]", "⚠️", "name", "args", "token", "x" * 80)

texts = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | texts, inner, max_size=4),
    max_leaves=15,
)
configs = st.dictionaries(st.sampled_from(KEYS), values, max_size=5)


def read(config: dict[str, Any], budget: int) -> dict[str, Any]:
    """A configuration as a tool answers with it."""
    part = wire.RobotPart(id="i", name="n", robot_config=to_struct(config, "config"))
    data, _ = fit({"part": encode(part)}, budget)
    answer: dict[str, Any] = json.loads(to_json(data))["part"].get("robot_config", {})
    return answer


@given(configs, st.integers(700, 4_000))
def test_any_configuration_that_was_read_comes_back_as_it_is_stored(config: dict[str, Any], budget: int) -> None:
    before = stored(config)
    for answer in (read(config, 1 << 20), read(config, budget)):
        assert before.whole(answer, "config") == before.value


@pytest.mark.parametrize("budget", [2_000, 8_000, 30_000, 1 << 20])
def test_large_configurations_come_back_as_they_are_stored(budget: int) -> None:
    for number in range(12):
        rng = random.Random(number)
        config = configuration(rng)
        config["components"] += [component(rng) for _ in range(60)]
        config["planted"] = [each.value for each in rng.sample(planted(), 30)]
        config["notes"] = {f"note-{place}": text for place, text in enumerate(ODD)}
        config["many"] = {f"k{place}": place for place in range(400)}
        before = stored(config)
        answer = read(config, budget)
        assert len(to_json(answer)) <= budget
        assert before.whole(answer, "config") == before.value
        # An edit beside what is left out is made, and nothing else.
        answer["added"] = {"x": 1}
        assert before.whole(answer, "config") == {**before.value, "added": {"x": 1}}


def test_each_credential_that_is_planted_comes_back() -> None:
    for each in planted():
        before = stored({"value": each.value})
        assert before.whole(before.shown, "config") == before.value, each.kind


LARGE = {"components": [{"name": f"c{number}", "attributes": {"n": number}} for number in range(400)], "modules": [1]}


@pytest.mark.parametrize(
    "edit",
    [
        lambda answer: answer.update(components="[left out: 12 bytes]"),
        lambda answer: answer.update(services=answer["components"]),
        lambda answer: answer.update(components=[answer["components"]]),
        lambda answer: answer.update(components=answer["components"] + " and more"),
    ],
)
def test_a_mark_for_what_is_left_out_is_refused_anywhere_else_than_where_it_was_read(edit: Any) -> None:
    answer = read(LARGE, 2_000)
    assert answer == {"components": f"[left out: {len(to_json(LARGE['components'])):,} bytes]", "modules": [1]}
    edit(answer)
    with pytest.raises(ToolError, match="nothing was done"):
        stored(LARGE).whole(answer, "config")


def test_a_mark_for_many_small_members_is_refused_once_one_of_the_others_is_gone() -> None:
    config = {f"k{number}": number for number in range(2_000)}
    answer = read(config, 4_000)
    assert "members" in answer["[left out]"]
    assert stored(config).whole(answer, "config") == stored(config).value
    fewer = copy.deepcopy(answer)
    fewer.pop(next(key for key in answer if key != "[left out]"))
    with pytest.raises(ToolError, match="nothing was done"):
        stored(config).whole(fewer, "config")


def test_what_is_left_out_and_holds_a_credential_is_refused_where_it_would_show() -> None:
    before = stored({"env": {"name": "TOKEN", "value": "h" * 5_000}})
    answer = before.shown
    assert answer["env"]["value"] == "[redacted]"
    answer["env"]["name"] = "COLOUR"
    with pytest.raises(ToolError, match="nothing was done"):
        before.whole(answer, "config")


@pytest.mark.parametrize("argument", ["robot_config", "robot_config_json"])
async def test_a_large_part_that_is_read_and_sent_back_is_stored_as_it_was(fleet: Fleet, argument: str) -> None:
    part_id = fleet.id("parts", "picker-01-main")
    query = "SELECT config_json FROM parts WHERE id = ?"
    rng = random.Random(5)
    config = {**configuration(rng), "fragments": [], "notes": {f"n{place}": text for place, text in enumerate(ODD)}}
    config["components"] += [component(rng) for _ in range(200)]
    config["modules"][0]["env"]["TOKEN"] = "h7-Kq93fLw2"
    config["services"] = [{"name": "s", "attributes": {"password": "hunter2", "text": "y" * 5_000}}]
    await fleet.app.update_robot_part(part_id, "main", config)
    before = fleet.value(query, part_id)
    assert len(before) > 100_000
    answer = await fleet.call("get_robot_part", robot_part_id=part_id)
    read_config = answer["part"]["robot_config"]
    assert "[left out" in str(read_config)
    assert any("Left out" in warning for warning in answer["warnings"])
    sent = read_config if argument == "robot_config" else json.dumps(read_config)
    await fleet.call("update_robot_part", robot_part_id=part_id, name="main", **{argument: sent})
    assert json.loads(fleet.value(query, part_id)) == json.loads(before)
    if argument == "robot_config":
        assert sorted(fleet.value(query, part_id)) == sorted(before)


async def test_a_fragment_that_is_read_and_sent_back_is_stored_as_it_was(fleet: Fleet) -> None:
    fragment_id = fleet.id("fragments", "picker-base")
    rng = random.Random(6)
    config = {**configuration(rng), "fragments": [], "notes": [*ODD], "secret": "h7-Kq93fLw2"}
    config["components"] += [component(rng) for _ in range(200)]
    await fleet.app.update_fragment(fragment_id, "f", config)
    query = "SELECT config_json FROM fragments WHERE id = ?"
    before = json.loads(fleet.value(query, fragment_id))
    read_config = (await fleet.call("get_fragment", fragment_id=fragment_id))["fragment"]["fragment"]
    assert "[left out" in str(read_config)
    await fleet.call("update_fragment", fragment_id=fragment_id, name="f", config=read_config)
    assert json.loads(fleet.value(query, fragment_id)) == before
