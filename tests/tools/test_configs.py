"""A configuration that was read with its credentials hidden can be sent back without losing them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.tools import ToolError
from viam_mcp.tools._configs import whole_config

if TYPE_CHECKING:
    from tests.fleet import Fleet
    from viam_mcp.sandbox import Sandbox

STORED = {"cloud": {"secret": "s3cret"}, "modules": [{"name": "a", "env": {"TOKEN": "ta"}}, {"name": "b"}]}
SHOWN = {"cloud": {"secret": "[redacted]"}, "modules": [{"name": "a", "env": {"TOKEN": "[redacted]"}}, {"name": "b"}]}


def whole(sent: dict[str, Any]) -> dict[str, Any]:
    return whole_config(sent, STORED, SHOWN, "config")


def test_what_was_hidden_comes_back() -> None:
    assert whole(SHOWN) == STORED


def test_items_of_a_list_are_known_by_their_names() -> None:
    modules = [*reversed(SHOWN["modules"])]
    assert whole({"modules": modules})["modules"] == [*reversed(STORED["modules"])]


@pytest.mark.parametrize(
    "sent",
    [
        {"other": {"secret": "[redacted]"}},
        {"cloud": "[redacted]"},
        {"cloud": {"secret": "x [redacted]"}},
        {"cloud": {"secret": "[redacted 3]"}},
        {"modules": [{"name": "c", "env": {"TOKEN": "[redacted]"}}]},
        {"text": "begin… [1,234 more characters]"},
        {"[redacted]": 1},
    ],
    ids=json.dumps,
)
def test_a_mark_that_stands_for_nothing_stored_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="nothing was done"):
        whole(sent)


@pytest.mark.parametrize("argument", ["robot_config", "robot_config_json"])
async def test_a_part_that_is_read_changed_and_sent_back_keeps_its_credentials(
    fleet: Fleet, sandbox: Sandbox, argument: str
) -> None:
    stored = "SELECT config_json FROM parts WHERE name = 'picker-01-main'"
    part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-main'")
    before = json.loads(sandbox.store.value(stored))
    part = (await fleet.call("get_robot_part", robot_part_id=part_id))["part"]
    config = part["robot_config"]
    assert "[redacted]" in json.dumps(config)
    config["note"] = "changed"
    sent = config if argument == "robot_config" else json.dumps(config)
    await fleet.call("update_robot_part", robot_part_id=part_id, name=part["name"], **{argument: sent})
    assert json.loads(sandbox.store.value(stored)) == {**before, "note": "changed"}
