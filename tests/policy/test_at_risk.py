"""Calls that are allowed and put at risk what no rule names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from viam_mcp.policy import Admission, PolicyError, Question, Refused, parse
from viam_mcp.sandbox import Fault
from viam_mcp.tools import TOOLS, Effect, Risk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.policy.conftest import Desk
    from viam_mcp.tools import Tool

ALLOW = '[[rules]]\naction = "allow"\ntools = ["update_robot_part", "update_fragment"]\n'
NAMED = f'{ALLOW}risks = ["empties"]\n'


def part_edit(desk: Desk, **config: Any) -> Tool:
    part = {"robot_part_id": desk.id("parts", "picker-01-main"), "name": "picker-01-main"}
    return desk.tool("update_robot_part", **part, robot_config=config)


def fragment_edit(desk: Desk, **config: Any) -> Tool:
    fragment = {"fragment_id": desk.id("fragments", "fleet-telemetry"), "name": "fleet-telemetry"}
    return desk.tool("update_fragment", **fragment, config=config)


EDITS = pytest.mark.parametrize("edit", [part_edit, fragment_edit])


@EDITS
@pytest.mark.parametrize("policy", [ALLOW, '[defaults]\ndestructive = "allow"\n'])
async def test_an_update_that_removes_most_of_a_configuration_is_asked_about_where_updates_are_allowed(
    open_desk: Callable[..., Desk], edit: Callable[..., Tool], policy: str
) -> None:
    desk = open_desk(policy)
    tool = edit(desk)
    question = await desk.admit(tool)
    assert isinstance(question, Question)
    assert any("removes MOST OF IT" in line for line in question.message.splitlines()[:3])
    assert "because it removes most of a configuration, and " in question.message
    assert "without naming that." in question.message
    assert isinstance(await desk.answer(tool, question.id), Admission)


@EDITS
async def test_a_rule_that_names_it_lets_it_run(open_desk: Callable[..., Desk], edit: Callable[..., Tool]) -> None:
    desk = open_desk(NAMED)
    assert isinstance(await desk.admit(edit(desk)), Admission)


async def test_an_update_that_removes_little_runs_where_updates_are_allowed(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(ALLOW)
    part = await desk.gate._app.get_robot_part(desk.id("parts", "picker-01-arm"))
    config = {**(part.robot_config or {}), "notes": "new"}
    tool = desk.tool("update_robot_part", robot_part_id=part.id, name=part.name, robot_config=config)
    assert isinstance(await desk.admit(tool), Admission)
    assert isinstance(await desk.admit(desk.tool("update_robot_part", robot_part_id=part.id, name="arm")), Admission)


async def test_where_nobody_is_asked_it_does_not_run(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(f'confirm_via = "deny"\n{ALLOW}')
    with pytest.raises(Refused, match=r"removes most of a configuration, .* has nobody asked"):
        await desk.admit(part_edit(desk))


async def test_what_cannot_be_read_may_remove_everything(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(ALLOW)
    desk.sandbox.faults.add("GetRobotPart", Fault(times=None, status=Status.PERMISSION_DENIED))
    question = await desk.admit(part_edit(desk, components=[]))
    assert isinstance(question, Question)
    assert "because what it does cannot be read, and " in question.message


async def test_such_a_question_may_be_asked_of_a_tool_that_is_allowed(open_desk: Callable[..., Desk]) -> None:
    tool = TOOLS["update_robot_part"]
    assert open_desk(ALLOW).gate.may_ask(tool, [Effect.DESTRUCTIVE])
    assert not open_desk(NAMED).gate.may_ask(tool, [Effect.DESTRUCTIVE])
    restart = '[[rules]]\naction = "allow"\ntools = ["mark_part_for_restart"]\n'
    assert not open_desk(restart).gate.may_ask(TOOLS["mark_part_for_restart"], [Effect.DESTRUCTIVE])


def test_a_tool_declares_what_it_puts_at_risk() -> None:
    declared = {name: tool.spec.risks for name, tool in TOOLS.items() if tool.spec.risks}
    metadata = [f"update_{kind}_metadata" for kind in ("organization", "location", "robot", "robot_part")]
    replacing = ["update_fragment", "update_robot_part", "set_config_property", "set_fragment_tag", *metadata]
    assert declared == dict.fromkeys(replacing, frozenset({Risk.EMPTIES}))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('action = "confirm"\ntools = ["update_robot_part"]\nrisks = ["empties"]', r"p:4: rules\[1\].risks: goes with"),
        (
            'action = "allow"\ntools = ["get_robot"]\nrisks = ["empties"]',
            r"p:4: .* no tool of this rule asks because of",
        ),
        ('action = "allow"\ntools = ["update_robot_part"]\nrisks = ["code"]', "those that ask do for empties"),
        ('action = "allow"\ntools = ["update_robot_part"]\nrisks = ["everything"]', "p:4: .*input should be 'code'"),
    ],
)
def test_a_rule_that_names_what_nothing_asks_about_is_refused(rule: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse(f"[[rules]]\n{rule}\n", "p")
