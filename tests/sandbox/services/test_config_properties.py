"""Single properties of a part's configuration, set by path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.client import Calls, named, signed_in
from viam_mcp.app import AppClient, InvalidArgument, NotFound, PermissionDenied
from viam_mcp.sandbox.rpc import Refusal
from viam_mcp.sandbox.rules.config_paths import assign, parse

if TYPE_CHECKING:
    from viam_mcp.sandbox import Sandbox

CONFIG = '{"z": 1, "components": [{"name": "arm", "attributes": {"speed": 1.5, "a.b": true}}], "a": {"n": null}}'


@pytest.fixture
async def part(sandbox: Sandbox, app: AppClient) -> str:
    part_id = named(sandbox, "parts", "dock-counter-02-main")
    await app.update_robot_part(part_id, "dock-counter-02-main", robot_config_json=CONFIG)
    return part_id


async def config(app: AppClient, part: str) -> dict[str, Any]:
    return dict((await app.get_robot_part(part)).robot_config or {})


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ["a"]),
        ("$.a.b", ["a", "b"]),
        ("$['a.b'][\"c\"]", ["a.b", "c"]),
        ("components[0].attributes.speed", ["components", 0, "attributes", "speed"]),
        ("components.0.x y", ["components", "0", "x y"]),
        ("$[3]", [3]),
    ],
)
def test_a_path_is_names_and_positions(path: str, steps: list[Any]) -> None:
    assert parse(path) == steps


@pytest.mark.parametrize("path", ["", "$", "$.", ".", "a.", "a..b", "a[", "a[x]", "a[-1]", "a]", "a['", "[0]b", "a[]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(Refusal, match="the path"):
        parse(path)


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        ("z", 2, {"z": 2}),
        ("components[0].attributes.speed", None, {"speed": None}),
        ("components.0.attributes['a.b']", "x", {"a.b": "x"}),
        ("components[1]", {"name": "base"}, [{"name": "base"}]),
        ("new.list[0].x", 1, {"list": [{"x": 1}]}),
        ("a.n.inner", 1, {"inner": 1}),
    ],
)
def test_what_is_missing_on_the_way_is_made(path: str, value: Any, after: Any) -> None:
    document = json.loads(CONFIG)
    assign(document, parse(path), value)
    if isinstance(after, list):
        assert document["components"][1:] == after
    else:
        assert after.items() <= {**document, **document["components"][0]["attributes"], **document["a"], **(
            document.get("new") or {}), **(document["a"]["n"] or {})}.items()  # fmt: skip


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("components[2]", "has 1 entries"),
        ("components.arm", "has 1 entries"),
        ("z.inner", "neither an object nor a list"),
        ("a[0]", "an object"),
    ],
)
def test_a_path_through_something_else_is_refused(path: str, complaint: str) -> None:
    with pytest.raises(Refusal, match=complaint):
        assign(json.loads(CONFIG), parse(path), 1)


async def test_properties_are_set_and_the_rest_keeps_its_value_and_order(app: AppClient, part: str) -> None:
    before = await app.get_robot_part(part)
    changes = {"components[0].attributes.speed": 2, "a.new": ["x", None, {"deep": 1.25}]}
    results = await app.set_config_property(part, changes)
    assert [(result.path, result.success, result.error) for result in results] == [(path, True, "") for path in changes]
    after = await app.get_robot_part(part)
    expected = json.loads(CONFIG)
    expected["components"][0]["attributes"]["speed"] = 2
    expected["a"]["new"] = ["x", None, {"deep": 1.25}]
    assert after.robot_config_json == json.dumps(expected)
    assert after.proto.last_updated.ToNanoseconds() > before.proto.last_updated.ToNanoseconds()


async def test_one_call_is_one_edit_and_the_history_has_what_was_before(app: AppClient, part: str) -> None:
    edits = len(await app.get_robot_part_history(part))
    await app.set_config_property(part, {"z": 5, "y": 6})
    history = await app.get_robot_part_history(part)
    assert len(history) == edits + 1
    assert history[0].old is not None
    assert history[0].old.robot_config == json.loads(CONFIG)


async def test_a_change_that_fails_says_why_and_the_others_are_made(app: AppClient, part: str) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    results = await app.set_config_property(part, {"z": 7, "z.x": 1, "..": 1, "fragments": [nobody], "y": 8})
    assert [result.success for result in results] == [True, False, False, False, True]
    assert "neither an object nor a list" in results[1].error
    assert "the path" in results[2].error
    assert nobody in results[3].error
    assert results[0].value.number_value == 7
    assert await config(app, part) == {**json.loads(CONFIG), "z": 7, "y": 8}


async def test_nothing_is_edited_when_every_change_fails(app: AppClient, part: str) -> None:
    before, edits = await app.get_robot_part(part), len(await app.get_robot_part_history(part))
    (result,) = await app.set_config_property(part, {"components[9]": 1})
    assert not result.success
    assert (await app.get_robot_part(part)).last_updated == before.last_updated
    assert len(await app.get_robot_part_history(part)) == edits


async def test_fragments_that_a_change_names_count_as_used(sandbox: Sandbox, app: AppClient, part: str) -> None:
    fragment = named(sandbox, "fragments", "fleet-telemetry")
    before = {usage.version: usage.machines for usage in await app.get_fragment_usage(fragment)}
    (result,) = await app.set_config_property(part, {"fragments": [{"id": fragment, "version": "stable"}]})
    assert result.success, result.error
    after = {usage.version: usage.machines for usage in await app.get_fragment_usage(fragment)}
    assert after == {**before, "stable": before.get("stable", 0) + 1}


async def test_a_value_that_is_missing_is_no_null(call: Calls, part: str) -> None:
    reply = await call("SetConfigProperty", robot_part_id=part, property_changes=[{"path": "z"}])
    assert "no value" in reply.property_changes[0].error


async def test_no_change_no_part_and_no_role_are_refused(sandbox: Sandbox, app: AppClient, part: str) -> None:
    with pytest.raises(InvalidArgument, match="property_changes is empty"):
        await app.set_config_property(part, {})
    with pytest.raises(NotFound):
        await app.set_config_property("00000000-0000-4000-8000-000000000000", {"a": 1})
    async with signed_in(sandbox, "fleet-dashboard") as operator:
        with pytest.raises(PermissionDenied):
            await operator.set_config_property(part, {"a": 1})


async def test_what_cannot_be_sent_is_refused_before_any_call(app: AppClient, part: str) -> None:
    with pytest.raises(InvalidArgument, match=r"property_changes\['a'\]\.b is of type set"):
        await app.set_config_property(part, {"a": {"b": {1}}})
