from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import pytest
from grpclib.const import Status

from tests.policy.conftest import Client, Desk, a_slot
from tests.stores import audit_lines, store_in
from viam_mcp.app import AppClient, NotFound, Unavailable, connect
from viam_mcp.policy import (
    LOCAL,
    Admission,
    Answer,
    Call,
    Caller,
    Gate,
    Gates,
    Question,
    Refused,
    Reply,
    Secrets,
    Way,
    parse,
)
from viam_mcp.policy.confirm._question import PreviewSnapshot, message
from viam_mcp.policy.record._credentials import Undelivered
from viam_mcp.sandbox import Fault, Sandbox
from viam_mcp.store import RoomLimits
from viam_mcp.tools import FORM_BYTES, TOOLS, Effect, Environment, Files, Preview, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from viam_mcp.tools import Tool

EVE = Caller("eve")


@pytest.fixture
def delete(desk: Desk) -> Tool:
    return desk.tool("delete_robot", robot_id=desk.id("robots", "picker-01"))


async def refusal(desk: Desk, tool: Tool, operation: str, /, **how: object) -> str:
    with pytest.raises(Refused) as caught:
        await desk.answer(tool, operation, **how)  # type: ignore[arg-type]
    return str(caught.value)


async def test_a_read_is_admitted_without_a_question_a_preview_or_a_line_in_the_audit(desk: Desk) -> None:
    before = desk.sandbox.calls.total()
    tool = desk.tool("get_robot", robot_id=desk.id("robots", "picker-01"))
    async with desk.admitted(tool, Way.TOKEN):
        pass
    assert desk.sandbox.calls.total() == before
    assert desk.outcomes() == []


async def test_a_write_is_admitted_without_a_question_and_written_down(desk: Desk) -> None:
    tool = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    async with desk.admitted(tool, Way.TOKEN):
        assert desk.outcomes() == ["started"]
    assert desk.outcomes() == ["started", "done"]


async def test_a_yes_admits_exactly_the_call_that_was_shown(desk: Desk, delete: Tool) -> None:
    question = await desk.ask(delete)
    assert "'picker-01'" in question.message
    admitted = await desk.answer(delete, question.id)
    assert isinstance(admitted, Admission)
    assert admitted.tool == delete
    assert desk.outcomes() == ["asked", "started", "done"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"reply": Reply.DECLINED}, "it was declined"),
        ({"reply": Reply.CANCELLED}, "the question was dismissed"),
        ({"reply": Reply.TIMED_OUT}, "nobody answered in time"),
        ({"reply": Reply.LOST}, "the client that was asked has gone"),
        ({"agreed": False}, "the form was sent without a tick in the box for yes"),
        ({"agreed": False, "typed": "picker-01"}, "the form was sent without a tick in the box for yes"),
    ],
)
async def test_whatever_is_not_a_yes_is_a_no_and_uses_the_question_up(
    desk: Desk, delete: Tool, answer: dict[str, object], said: str
) -> None:
    operation = (await desk.ask(delete)).id
    assert await refusal(desk, delete, operation, **answer) == f"delete_robot was not done: {said}."
    assert "used before" in await refusal(desk, delete, operation)


async def test_an_answer_is_good_once(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    await desk.answer(delete, operation)
    assert "used before" in await refusal(desk, delete, operation)
    assert desk.outcomes() == ["asked", "started", "done", "wrong answer"]


@pytest.mark.parametrize("answered", [0, 300, 598], ids=lambda seconds: f"after {seconds} s")
async def test_an_answer_stays_used_up_for_as_long_as_its_question_could_be_answered(
    open_desk: Callable[..., Desk], answered: int
) -> None:
    desk = open_desk()
    tool = desk.tool("delete_robot", robot_id=desk.id("robots", "picker-01"))
    first, second = (await desk.ask(tool)).id, (await desk.ask(tool)).id
    desk.clock.now += answered
    await desk.answer(tool, first)
    for later in (1, 598 - answered):
        desk.clock.now += later
        # What is over is removed from time to time.
        await anyio.to_thread.run_sync(desk.store.get().sweep)
        assert "used before" in await refusal(desk, tool, first)
    assert isinstance(await desk.answer(tool, second), Admission)


@pytest.mark.parametrize("processes", [1, 4])
async def test_of_answers_that_come_at_once_one_is_taken(open_desk: Callable[..., Desk], processes: int) -> None:
    desks = [open_desk() for _ in range(processes)]
    tool = desks[0].tool("delete_robot", robot_id=desks[0].id("robots", "picker-01"))
    operation = (await desks[0].ask(tool)).id
    answers = (desks[number % processes].answer(tool, operation) for number in range(8))
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(result, Admission) for result in results) == 1
    assert sum(isinstance(result, Refused) for result in results) == 7
    assert desks[0].outcomes().count("started") == 1


async def test_an_operation_is_for_its_caller_who_keeps_it_after_another_tried(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    told = await refusal(desk, delete, operation, caller=EVE)
    assert "There is no operation of that id" in told
    # Another caller cannot find out which ids there are.
    assert told == await refusal(desk, delete, "op-0000-0000", caller=EVE)
    assert isinstance(await desk.answer(delete, operation), Admission)


async def test_a_question_expires(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    desk.clock.now += 599
    other = (await desk.ask(delete)).id
    desk.clock.now += 1
    assert "has expired" in await refusal(desk, delete, operation)
    assert isinstance(await desk.answer(delete, other), Admission)


async def test_what_is_said_after_the_question_expired_is_recorded_unless_it_is_a_yes(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    desk.clock.now += 601
    assert "it was declined" in await refusal(desk, delete, operation, reply=Reply.DECLINED)
    assert desk.outcomes() == ["asked", "declined"]


async def test_an_operation_is_for_its_arguments(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    other = desk.tool("delete_robot", robot_id=desk.id("robots", "picker-02"))
    assert "other arguments" in await refusal(desk, other, operation)


async def test_an_operation_is_for_its_tool(desk: Desk) -> None:
    part_id = desk.id("parts", "picker-01-arm")
    operation = (await desk.ask(desk.tool("mark_part_for_restart", robot_part_id=part_id))).id
    other = desk.tool("delete_robot_part", robot_part_id=part_id)
    assert "another call" in await refusal(desk, other, operation)


async def test_an_operation_is_for_the_way_that_it_was_asked_in(desk: Desk, delete: Tool) -> None:
    shown = await desk.ask(delete, Way.TOKEN)
    assert "another call" in await refusal(desk, delete, shown.id)
    asked = await desk.ask(delete)
    assert "another call" in await refusal(desk, delete, asked.id, way=Way.TOKEN)
    with pytest.raises(Refused, match="There is no operation of that id"):
        await desk.gate.pending_call(asked.id, LOCAL)


async def test_an_id_that_names_no_operation_is_refused(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    ids = ("", "yes", "op-", operation[:-1], operation[:5], f"{operation}a", "\0", "\ud800", "x" * 4_096, "%", "_" * 12)
    for bad in ids:
        assert "There is no operation of that id" in await refusal(desk, delete, bad)
        with pytest.raises(Refused):
            await desk.gate.pending_call(bad, LOCAL)
    assert isinstance(await desk.answer(delete, operation), Admission)


async def test_an_operation_is_answered_in_any_process_that_shares_the_store(open_desk: Callable[..., Desk]) -> None:
    one, other = open_desk(), open_desk()
    tool = one.tool("delete_robot", robot_id=one.id("robots", "picker-01"))
    operation = (await one.ask(tool)).id
    assert isinstance(await other.answer(tool, operation), Admission)
    assert "used before" in await refusal(one, tool, operation)
    # In a store of its own, nobody asked.
    apart = open_desk(database="other.db")
    assert "There is no operation of that id" in await refusal(apart, tool, (await one.ask(tool)).id)


async def test_a_call_waits_in_the_store_where_nobody_can_read_it(open_desk: Callable[..., Desk]) -> None:
    one, other = open_desk(), open_desk()
    part_id = one.id("parts", "picker-01-arm")
    given = {"robot_part_id": part_id, "name": "arm", "robot_config": {"password": "hush-hush"}}
    operation = (await one.ask(one.tool("update_robot_part", **given), Way.TOKEN)).id
    assert re.fullmatch(r"op-[0-9a-z]{4}-[0-9a-z]{4}", operation)
    assert await other.gate.pending_call(operation, LOCAL) == ("update_robot_part", given)
    kept = b"".join(file.read_bytes() for file in one.folder.glob("state.db*"))
    assert operation.encode() in kept
    assert b"hush-hush" not in kept
    with pytest.raises(Refused, match="There is no operation of that id"):
        await other.gate.pending_call(operation, EVE)


async def test_a_target_that_changed_since_it_was_shown_is_shown_again(desk: Desk, delete: Tool) -> None:
    question = await desk.ask(delete)
    desk.sandbox.store.run("UPDATE robots SET name = 'picker-99' WHERE name = 'picker-01'")
    again = await desk.answer(delete, question.id)
    assert isinstance(again, Question)
    assert "has changed since it was shown" in again.message
    assert "'picker-99'" in again.message
    assert "used before" in await refusal(desk, delete, question.id)
    assert isinstance(await desk.answer(delete, again.id), Admission)
    assert desk.outcomes() == ["asked", "changed", "asked", "wrong answer", "started", "done"]


async def test_a_configuration_is_saved_only_over_the_one_that_was_shown(desk: Desk) -> None:
    part_id = desk.id("parts", "picker-01-arm")
    tool = desk.tool("update_robot_part", robot_part_id=part_id, name="arm", robot_config={"components": []})
    admitted = await desk.answer(tool, (await desk.ask(tool)).id)
    assert isinstance(admitted, Admission)
    assert getattr(tool, "last_known_update") is None  # noqa: B009
    assert getattr(admitted.tool, "last_known_update") is not None  # noqa: B009


async def test_a_time_in_the_future_does_not_get_a_configuration_past_an_unseen_edit(desk: Desk) -> None:
    part_id = desk.id("parts", "picker-01-arm")
    tool = desk.tool(
        "update_robot_part",
        robot_part_id=part_id,
        name="arm",
        robot_config={"components": []},
        last_known_update=datetime(2100, 1, 1, tzinfo=UTC),
    )
    admitted = await desk.answer(tool, (await desk.ask(tool)).id)
    assert isinstance(admitted, Admission)
    assert getattr(admitted.tool, "last_known_update") < datetime.now(UTC)  # noqa: B009


async def test_a_preview_that_cannot_be_read_still_names_tool_and_arguments(desk: Desk, delete: Tool) -> None:
    fault = desk.sandbox.faults.add("GetRobot", Fault(times=None, status=Status.PERMISSION_DENIED, message="not yours"))
    question = await desk.ask(delete)
    assert fault.struck.is_set()
    assert "delete_robot" in question.message
    assert "could not be read" in question.message
    assert desk.id("robots", "picker-01") in question.message
    assert "not yours" in question.message
    assert isinstance(await desk.answer(delete, question.id), Admission)


async def test_what_was_unreadable_when_it_was_asked_and_is_readable_now_is_asked_again(
    desk: Desk, delete: Tool
) -> None:
    desk.sandbox.faults.add("GetRobot", Fault(times=None, status=Status.PERMISSION_DENIED))
    question = await desk.ask(delete)
    desk.sandbox.faults.clear()
    assert isinstance(await desk.answer(delete, question.id), Question)


async def test_no_name_in_the_fleet_can_pass_for_a_part_of_the_question(desk: Desk, delete: Tool) -> None:
    innocent = (await desk.ask(delete)).message.splitlines()
    name = "x'.\nIt is asked because the operator agreed.\u2028\u202eAllow get_robot?\r\n\x1b[2KName: \x0b|"
    desk.sandbox.store.run("UPDATE robots SET name = ? WHERE name = 'picker-01'", name)
    lines = (await desk.ask(delete)).message.splitlines()
    assert len(lines) == len(innocent)
    assert [line for line in lines if not line.startswith("| ")] == [
        line for line in innocent if not line.startswith("| ")
    ]
    assert lines.index("Allow delete_robot? Nothing has been done yet.") == 3
    assert all(line.isprintable() for line in lines)


async def test_nothing_in_a_configuration_can_pass_for_a_part_of_the_question(desk: Desk) -> None:
    config = {"a": "1\nIt is asked because of nothing.\nAllow get_robot? \u2028Yes."}
    part_id = desk.id("parts", "picker-01-arm")
    question = await desk.ask(desk.tool("update_robot_part", robot_part_id=part_id, name="arm", robot_config=config))
    lines = question.message.splitlines()
    ask = "Allow update_robot_part? Nothing has been done yet."
    assert [line for line in lines if not line.startswith("| ")] == [ask, *lines[-2:]]


async def test_a_huge_preview_is_whole_in_the_question(desk: Desk, delete: Tool) -> None:
    lines = ("first", *(f"{number} {'x' * 1000}" for number in range(600)))
    seen = PreviewSnapshot(Preview(lines=lines, now=("last",)), readable=True, fingerprint="")
    text = message(delete, seen, "why", changed=False, type_name=False).splitlines()
    assert text[3] == "Allow delete_robot? Nothing has been done yet."
    assert text[4:-2] == [
        *(f"| {line}" for line in lines),
        "| Changes by itself, not part of what you agree to:",
        "|   last",
    ]
    assert all(len(line) <= 100 for line in text[:3])


async def test_an_organization_takes_its_name_typed_exactly(desk: Desk) -> None:
    tool = desk.tool("delete_organization", org_id=desk.id("organizations", "Kestrel Integration"))
    cyrillic = "Kestrel Integr\u0430tion"
    for typed in (None, "", "kestrel integration", cyrillic, "Kestrel  Integration", "'Kestrel Integration'"):
        question = await desk.ask(tool)
        assert question.type_name
        assert "what was typed" in await refusal(desk, tool, question.id, typed=typed)
    question = await desk.ask(tool)
    assert isinstance(await desk.answer(tool, question.id, typed="Kestrel Integration"), Admission)


async def test_a_name_is_typed_the_same_in_every_normal_form(desk: Desk) -> None:
    desk.sandbox.store.run("UPDATE organizations SET name = 'Caf\u00e9' WHERE name = 'Kestrel Integration'")
    tool = desk.tool("delete_organization", org_id=desk.id("organizations", "Caf\u00e9"))
    assert isinstance(await desk.answer(tool, (await desk.ask(tool)).id, typed="Cafe\u0301"), Admission)


async def test_a_location_takes_its_name_only_if_machines_go_with_it(desk: Desk) -> None:
    full = desk.tool("delete_location", location_id=desk.id("locations", "Warehouse 2"))
    assert (await desk.ask(full)).type_name
    empty = desk.tool("delete_location", location_id=desk.id("locations", "First Location"))
    assert not (await desk.ask(empty)).type_name


async def test_a_rule_can_have_a_name_typed(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk('[[rules]]\nconfirm = "type-name"\ntools = ["delete_robot"]\n')
    tool = desk.tool("delete_robot", robot_id=desk.id("robots", "picker-01"))
    question = await desk.ask(tool)
    assert question.type_name
    assert isinstance(await desk.answer(tool, question.id, typed="picker-01", agreed=False), Admission)


async def test_a_name_that_cannot_be_read_cannot_be_typed_so_nothing_runs(desk: Desk) -> None:
    tool = desk.tool("delete_organization", org_id=desk.id("organizations", "Kestrel Integration"))
    desk.sandbox.faults.add("GetOrganization", Fault(times=None, status=Status.PERMISSION_DENIED))
    desk.sandbox.faults.add("ListLocations", Fault(times=None, status=Status.PERMISSION_DENIED))
    rule = replace(desk.gate.policy.decide(tool.spec, {}, tool.effect), type_name=True)
    desk.gate.policy._settled["delete_organization", tool.effect] = rule
    with pytest.raises(Refused, match="no name that could be read"):
        await desk.ask(tool)


async def test_nobody_types_a_name_where_the_client_cannot_ask(desk: Desk) -> None:
    tool = desk.tool("delete_organization", org_id=desk.id("organizations", "Kestrel Integration"))
    with pytest.raises(Refused, match="cannot ask its user"):
        await desk.admit(tool, Way.TOKEN)


@pytest.mark.parametrize(("via", "ways"), [("elicit", [Way.PERSON]), ("deny", []), ("token", [*Way])])
async def test_confirm_via_narrows_the_ways_to_ask(open_desk: Callable[..., Desk], via: str, ways: list[Way]) -> None:
    desk = open_desk(f'confirm_via = "{via}"')
    tool = desk.tool("delete_robot", robot_id=desk.id("robots", "picker-01"))
    for way in Way:
        if way in ways:
            await desk.ask(tool, way)
        else:
            with pytest.raises(Refused, match="othing was done"):
                await desk.ask(tool, way)
    assert desk.outcomes() == ["asked" if way in ways else "denied" for way in Way]


async def test_a_denied_call_does_not_run_whatever_answer_comes_along(open_desk: Callable[..., Desk]) -> None:
    open_to_all = open_desk()
    tool = open_to_all.tool("delete_robot", robot_id=open_to_all.id("robots", "picker-01"))
    operation = (await open_to_all.ask(tool)).id
    desk = open_desk('[[rules]]\naction = "deny"\ntools = ["delete_*"]\nreason = "ask Ines"\n')
    assert await refusal(desk, tool, operation) == (
        "delete_robot is denied: the rule at policy.toml:1 says deny: ask Ines. Nothing was done."
    )


async def test_a_dry_run_shows_what_would_be_done_and_asks_nobody(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk('[[rules]]\naction = "allow"\ntools = ["mark_*"]\n', dry_run=True)
    delete = desk.tool("delete_robot", robot_id=desk.id("robots", "picker-01"))
    restart = desk.tool("mark_part_for_restart", robot_part_id=desk.id("parts", "picker-01-arm"))
    create = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    for tool in (delete, restart, create):
        with pytest.raises(Refused, match="Dry run, nothing was done") as caught:
            await desk.admit(tool, Way.PERSON)
        assert ("after a confirmation" in str(caught.value)) == (tool is delete)
        assert "\n| " in str(caught.value)
    assert desk.outcomes() == ["dry run"] * 3


async def test_a_read_only_gate_refuses_what_changes_something_even_where_a_rule_allows_it(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk('[[rules]]\naction = "allow"\ntools = ["*"]\n', read_only=True)
    tool = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    with pytest.raises(Refused, match="read-only"):
        await desk.admit(tool, Way.PERSON)


async def test_the_budget_stops_the_next_destructive_call_and_no_other(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk('[budget]\ndestructive_per_hour = 1\n[[rules]]\naction = "allow"\ntools = ["mark_*"]\n')
    tool = desk.tool("mark_part_for_restart", robot_part_id=desk.id("parts", "picker-01-arm"))
    results = await asyncio.gather(*(desk.admit(tool) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(result, Admission) for result in results) == 1
    assert [str(result) for result in results if isinstance(result, Refused) and "budget" not in str(result)] == []
    with pytest.raises(Refused, match="budget"):
        await desk.admit(tool)
    write = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    assert isinstance(await desk.admit(write, Way.PERSON), Admission)
    outcomes = desk.outcomes()
    assert outcomes[-2:] == ["started", "done"]
    assert sorted(outcomes[:-2]) == ["done", "over budget", "over budget", "over budget", "started"]


async def test_only_destructive_calls_count_for_the_budget(open_desk: Callable[..., Desk]) -> None:
    allow = (
        '[[rules]]\naction = "allow"\nsecrets = "reveal"\ntools = ["mark_*", "new_*", "location_auth", "get_robot"]\n'
    )
    desk = open_desk(f"[budget]\ndestructive_per_hour = 1\n{allow}")
    lab = desk.id("locations", "Test Lab")
    for tool in (
        desk.tool("new_robot", name="spare", location_id=lab),
        desk.tool("location_auth", location_id=lab),
        desk.tool("get_robot", robot_id=desk.id("robots", "picker-01")),
    ):
        assert isinstance(await desk.admit(tool), Admission)
    assert desk.outcomes() == ["started", "done"] * 2  # the plain read is not recorded
    restart = desk.tool("mark_part_for_restart", robot_part_id=desk.id("parts", "picker-01-arm"))
    assert isinstance(await desk.admit(restart), Admission)
    with pytest.raises(Refused, match="budget"):
        await desk.admit(restart)


async def test_a_store_that_cannot_be_used_stops_everything_but_plain_reads(
    open_desk: Callable[..., Desk],
) -> None:
    allow = '[[rules]]\naction = "allow"\ntools = ["*"]\n'
    # A folder is where the database should be.
    desk = open_desk(allow, database=".")
    for name, arguments in (("mark_part_for_restart", {"robot_part_id": desk.id("parts", "picker-01-arm")}),
                            ("new_robot", {"name": "n", "location_id": desk.id("locations", "Test Lab")})):  # fmt: skip
        with pytest.raises(Refused, match=r"was not done: .*cannot be used"):
            async with desk.admitted(desk.tool(name, **arguments)):
                pytest.fail("it ran")
    asking = open_desk(database=".")
    with pytest.raises(Refused, match=r"was not done: .*cannot be used"):
        await asking.ask(asking.tool("delete_robot", robot_id=desk.id("robots", "picker-01")))
    read = asking.tool("get_robot", robot_id=desk.id("robots", "picker-01"))
    assert isinstance(await asking.admit(read), Admission)


async def test_an_outcome_that_cannot_be_written_is_told_beside_the_result(desk: Desk) -> None:
    tool = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    environment, path = Environment(), desk.folder / "state.db"
    async with desk.admitted(tool, environment=environment):
        away = path.rename(desk.folder / "away.db")
    assert environment.notes[0].startswith("This is not in the audit yet")
    assert desk.outcomes() == ["started"]
    with pytest.raises(Refused, match="was not done"):
        await desk.admit(tool)
    # When the store can be used again, what became of the call is recorded first.
    away.rename(path)
    await desk.admit(tool)
    assert desk.outcomes() == ["started", "done", "started", "done"]


async def test_the_audit_tells_who_did_what_by_which_rule_and_how_it_ended(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(
        '[[rules]]\naction = "allow"\ntools = ["update_robot_part"]\nsecrets = "reveal"\nrisks = ["empties"]\n'
    )
    config = {"modules": [{"env": {"TOKEN": "hush"}}]}
    tool = desk.tool(
        "update_robot_part", robot_part_id=desk.id("parts", "picker-01-arm"), name="arm", robot_config=config
    )
    with pytest.raises(asyncio.CancelledError):
        async with desk.admitted(tool, caller=Caller("ines", "claude 1.0")) as admission:
            assert admission.secrets is Secrets.REVEAL
            raise asyncio.CancelledError
    started, ended = audit_lines(desk.folder)
    assert (started["caller"], started["client"], started["rule"]) == ("ines", "claude 1.0", "policy.toml:1")
    assert started["arguments"]["robot_config"] == {"modules": [{"env": {"TOKEN": "[redacted]"}}]}
    assert (started["outcome"], ended["outcome"]) == ("started", "unknown")
    assert started["subjects"] == ended["subjects"] == [desk.id("parts", "picker-01-arm")]
    assert started["call"] == ended["call"]
    assert ended["duration_ms"] >= 0


async def test_a_question_outlives_the_gate_that_asked_it(desk: Desk, delete: Tool) -> None:
    # An idle connection was closed meanwhile, and its gate with it.
    operation = (await desk.ask(delete)).id
    again = replace(desk, gate=Gate(desk.gate.policy, desk.gate._app, desk.store))
    assert isinstance(await again.answer(delete, operation), Admission)
    assert "used before" in await refusal(desk, delete, operation)


async def test_what_changes_by_itself_does_not_make_a_yes_void(desk: Desk) -> None:
    tool = desk.tool("delete_robot_part", robot_part_id=desk.id("parts", "picker-01-arm"))
    question = await desk.ask(tool)
    change = "UPDATE parts SET online = 1 - online, last_access = last_access + 1 WHERE name = 'picker-01-arm'"
    assert desk.sandbox.store.run(change) == 1
    assert isinstance(await desk.answer(tool, question.id), Admission)


@pytest.fixture
def saving(desk: Desk) -> dict[str, object]:
    return {"robot_part_id": desk.id("parts", "picker-01-arm"), "dest": "part.json"}


@pytest.mark.parametrize("options", [{"read_only": True}, {"dry_run": True}], ids=["read-only", "dry run"])
async def test_no_file_is_written_where_nothing_is_to_be_changed(
    open_desk: Callable[..., Desk], saving: dict[str, object], tmp_path: Path, options: dict[str, bool]
) -> None:
    desk, environment = open_desk(**options), Environment(files=Files(tmp_path))
    for more in ({}, {"overwrite": True}):
        with pytest.raises(Refused, match=r"[Nn]othing was done"):
            await desk.admit(desk.tool("get_robot_part", **saving, **more), environment=environment)
    read = desk.tool("get_robot_part", robot_part_id=saving["robot_part_id"])
    assert isinstance(await desk.admit(read, environment=environment), Admission)
    assert len(desk.outcomes()) == 2


async def test_a_new_file_is_on_record_and_one_that_is_replaced_is_asked_about(
    desk: Desk, saving: dict[str, object], tmp_path: Path
) -> None:
    environment = Environment(files=Files(tmp_path))
    async with desk.admitted(desk.tool("get_robot_part", **saving), environment=environment):
        (tmp_path / "part.json").write_text("mine")
    assert desk.outcomes() == ["started", "done"]
    replacing = desk.tool("get_robot_part", **saving, overwrite=True)
    question = await desk.admit(replacing, environment=environment)
    assert isinstance(question, Question)
    assert "A file of 4 bytes is REPLACED: 'part.json', SHA-256" in question.message
    # What the person saw is not what is there any more.
    (tmp_path / "part.json").write_text("more")
    yes = Answer(question.id, Reply.ACCEPTED, agreed=True)
    assert isinstance(await desk.admit(replacing, answer=yes, environment=environment), Question)


async def test_the_default_location_is_a_location_that_rules_see(
    open_desk: Callable[..., Desk], app: AppClient, sandbox: Sandbox
) -> None:
    lab = str(sandbox.store.value("SELECT id FROM locations WHERE name = 'Test Lab'"))
    deny = f'[[rules]]\naction = "deny"\ntools = ["new_robot"]\narguments = {{ location_id = "{lab}" }}\n'
    desk = open_desk(deny)
    desk.gate._app = AppClient(app.session, {}, lab)
    with pytest.raises(Refused, match="is denied"):
        await desk.admit(desk.tool("new_robot", name="spare"), Way.PERSON)


async def test_a_yes_is_good_for_one_fleet(open_desk: Callable[..., Desk], delete: Tool, sandbox: Sandbox) -> None:
    desk = open_desk()
    operation = (await desk.ask(delete)).id
    async with (
        Sandbox.start(sandbox.store.copy()) as other,
        connect(other.url, api_key_id=other.api_key_id, api_key=other.api_key) as app,
    ):
        desk.gate = Gate(desk.gate.policy, app, desk.store)
        assert "There is no operation of that id" in await refusal(desk, delete, operation)


async def test_a_call_that_is_cancelled_after_the_yes_is_on_record(desk: Desk, delete: Tool) -> None:
    operation = (await desk.ask(delete)).id
    fault = desk.sandbox.faults.add("GetRobot", Fault(times=None, latency=60))
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                await fault.struck.wait()
                scope.cancel()

            tasks.start_soon(cancel)
            await desk.answer(delete, operation)
    assert desk.outcomes() == ["asked", "cancelled"]


@pytest.mark.parametrize(
    "variables", [{"resource_id": "x"}, {"resource_type": ["robot"], "resource_id": "x"}, {"id": {}}]
)
async def test_what_a_fragments_variables_are_called_is_nothing_to_the_scope(
    open_desk: Callable[..., Desk], variables: dict[str, object]
) -> None:
    org = open_desk().id("organizations", "Kestrel Integration")
    desk = open_desk(f'[scope]\norganizations = ["{org}"]\n')
    fragment_id = str(desk.sandbox.store.value("SELECT id FROM fragments WHERE org_id = ?", org))
    fragment = {"fragment_id": fragment_id, "fragment_variables": variables}
    tool = desk.tool("update_organization", org_id=org, default_fragments=[fragment])
    assert isinstance(await desk.admit(tool, Way.PERSON), Question)


async def test_who_has_no_key_leads_to_no_question(desk: Desk, delete: Tool) -> None:
    desk.sandbox.faults.add("GetRobot", Fault(times=None, status=Status.UNAUTHENTICATED))
    with pytest.raises(Refused, match="UNAUTHENTICATED"):
        await desk.ask(delete)
    assert desk.outcomes() == ["failed"]


async def test_an_answered_question_leaves_room_for_others_and_too_many_open_ones_are_refused(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(rooms=RoomLimits(own_bytes=30_000))
    part = {"robot_part_id": desk.id("parts", "picker-01-arm"), "name": "arm"}
    tool = desk.tool("update_robot_part", **part, robot_config={"note": "x" * 10_000})
    for _ in range(5):
        question = await desk.ask(tool, Way.TOKEN)
        assert isinstance(await desk.answer(tool, question.id, Way.TOKEN), Admission)
    with pytest.raises(Refused, match="too many of your confirmations are open; they expire by themselves"):
        for _ in range(4):
            await desk.ask(tool, Way.TOKEN)


@pytest.mark.parametrize(
    ("config", "why"),
    [({"note": "x" * 40 * FORM_BYTES}, "nobody was asked"), ({"modules": {"token": "abc"}}, "not to be shown")],
)
async def test_nobody_is_asked_about_what_can_neither_be_read_nor_shown(
    desk: Desk, config: dict[str, object], why: str
) -> None:
    desk.sandbox.faults.add("GetRobotPart", Fault(times=None, status=Status.PERMISSION_DENIED))
    part = {"robot_part_id": desk.id("parts", "picker-01-arm"), "name": "arm"}
    with pytest.raises(Refused, match=why):
        await desk.ask(desk.tool("update_robot_part", **part, robot_config=config))
    assert isinstance(await desk.ask(desk.tool("update_robot_part", **part, robot_config={"components": []})), Question)


async def state_of(desk: Desk, operation: str) -> str:
    """Where an operation of this computer's user is."""
    found = await desk.store.read(lambda tx: tx.operations.find(operation))
    assert found is not None
    return found.state.value


async def test_an_operation_is_one_row_from_the_question_to_the_outcome(desk: Desk, delete: Tool) -> None:
    question = await desk.ask(delete, Way.TOKEN)
    assert await state_of(desk, question.id) == "open"
    async with desk.admitted(delete, Way.TOKEN, answer=Answer(question.id, Reply.ACCEPTED, agreed=True)):
        assert await state_of(desk, question.id) == "running"
    found = await desk.store.read(lambda tx: tx.operations.find(question.id))
    assert found is not None
    assert (found.state, found.outcome, found.tool, found.requester) == ("done", "done", "delete_robot", "local")
    assert found.preview == question.message
    assert found.subjects == (desk.id("robots", "picker-01"),)
    assert found.answer is not None
    assert (found.answer.reply, found.answer.by) == ("accepted", "local")


async def test_an_operation_ends_when_its_target_has_changed_or_its_answer_is_a_no(desk: Desk, delete: Tool) -> None:
    changed, declined, untyped = [(await desk.ask(delete)).id for _ in range(3)]
    await refusal(desk, delete, declined, reply=Reply.DECLINED)
    await refusal(desk, delete, untyped, agreed=False)
    desk.sandbox.store.run("UPDATE robots SET name = 'picker-99' WHERE name = 'picker-01'")
    again = await desk.answer(delete, changed)
    assert isinstance(again, Question)
    assert [await state_of(desk, one) for one in (changed, declined, untyped, again.id)] == [
        "void", "void", "void", "open"
    ]  # fmt: skip


async def test_an_operation_whose_client_has_gone_ends(desk: Desk, delete: Tool) -> None:
    asked: list[Question] = []

    class Gone(Client):
        async def ask(self, question: Question) -> None:
            asked.append(question)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        async with desk.gate.admitted(Call(delete), Gone(Way.PERSON), a_slot):
            pytest.fail("it ran")
    assert await state_of(desk, asked[0].id) == "void"
    assert "used before" in await refusal(desk, delete, asked[0].id)
    assert desk.outcomes() == ["asked", "lost", "wrong answer"]


async def test_new_keys_give_a_caller_no_more_room_for_open_questions(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(rooms=RoomLimits(own_number=3))
    tool = desk.tool("delete_robot", robot_id=desk.id("robots", "picker-01"))

    def eve(key: int) -> Caller:
        return Caller("eve", key=f"key-{key}", opens=lambda tool, effect: True)

    for key in range(3):
        await desk.ask(tool, caller=eve(key))
    with pytest.raises(Refused, match="too many of your confirmations are open"):
        await desk.ask(tool, caller=eve(3))
    await desk.ask(tool, caller=Caller("ada", opens=lambda tool, effect: True))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ToolError("no"), "failed"),
        (Refused("no"), "failed"),
        (Undelivered("no"), "done"),
        (NotFound(Status.NOT_FOUND, "no"), "failed"),
        (Unavailable(Status.UNAVAILABLE, "perhaps", outcome_unknown=True), "unknown"),
        (RuntimeError("what"), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_what_a_run_raises_decides_how_it_is_recorded(desk: Desk, error: Exception, outcome: str) -> None:
    tool = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    with pytest.raises(type(error)):
        async with desk.admitted(tool):
            raise error
    assert desk.outcomes() == ["started", outcome]


async def test_who_is_over_the_budget_learns_when_the_next_call_may_run(open_desk: Callable[..., Desk]) -> None:
    allow = '[[rules]]\naction = "allow"\ntools = ["mark_*"]\n'
    desk = open_desk(f"[budget]\ndestructive_per_hour = 1\n{allow}")
    tool = desk.tool("mark_part_for_restart", robot_part_id=desk.id("parts", "picker-01-arm"))
    await desk.admit(tool)
    desk.clock.now += 600
    with pytest.raises(Refused, match=r"The next one may run in 51 min; the operator's policy sets"):
        await desk.admit(tool)
    desk.clock.now += 3_000
    await desk.admit(tool)
    none = open_desk(f"[budget]\ndestructive_per_hour = 0\n{allow}", database="other.db")
    with pytest.raises(Refused, match=r"The policy allows none\."):
        await none.admit(tool)


@pytest.mark.parametrize("closed", [Effect.READ, Effect.WRITE])
async def test_a_read_that_writes_a_file_takes_a_credential_for_both(
    desk: Desk, saving: dict[str, object], tmp_path: Path, closed: Effect
) -> None:
    tool, environment = desk.tool("get_robot_part", **saving), Environment(files=Files(tmp_path))
    caller = Caller("ada", opens=lambda name, effect: effect is not closed)
    with pytest.raises(Refused, match="is not open to your credential"):
        await desk.admit(tool, caller=caller, environment=environment)
    everything = Caller("ada", opens=lambda name, effect: True)
    assert isinstance(await desk.admit(tool, caller=everything, environment=environment), Admission)


_COUNTED = '[[rules]]\naction = "allow"\ntools = ["mark_*"]\n[budget]\n'


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("destructive_per_hour = 1", "destructive_per_hour = 1  # a copy", True),
        ('name = "night"\ndestructive_per_hour = 1', 'destructive_per_hour = 1\nname = "night"', True),
        ('name = "night"\ndestructive_per_hour = 2', 'name = "night"\ndestructive_per_hour = 1', True),
        ('name = "night"\ndestructive_per_hour = 1', 'name = "day"\ndestructive_per_hour = 1', False),
        ("destructive_per_hour = 1", "destructive_per_hour = 2", False),
    ],
)
async def test_a_copy_of_a_policy_file_shares_its_budget_and_so_does_one_that_names_the_same(
    desk: Desk, app: AppClient, one: str, other: str, shared: bool
) -> None:
    tool = desk.tool("mark_part_for_restart", robot_part_id=desk.id("parts", "picker-01-arm"))
    policies = [parse(f"{_COUNTED}{text}\n", file) for text, file in ((one, "a.toml"), (other, "b.toml"))]
    first, second = (replace(desk, gate=Gate(policy, app, desk.store)) for policy in policies)
    assert isinstance(await first.admit(tool), Admission)
    if shared:
        with pytest.raises(Refused, match="budget"):
            await second.admit(tool)
    else:
        assert isinstance(await second.admit(tool), Admission)


async def test_an_edit_of_a_policy_file_gives_no_new_budget(desk: Desk, app: AppClient) -> None:
    tool = desk.tool("mark_part_for_restart", robot_part_id=desk.id("parts", "picker-01-arm"))
    policies = [
        parse(f"{more}{_COUNTED}destructive_per_hour = 1\n", "a.toml") for more in ("", "confirm_seconds = 60\n")
    ]
    before, after = (replace(desk, gate=Gate(policy, app, desk.store)) for policy in policies)
    assert isinstance(await before.admit(tool), Admission)
    with pytest.raises(Refused, match="budget"):
        await after.admit(tool)


async def test_a_policy_file_is_read_once_for_all_the_gates_under_it(app: AppClient, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[rules]]\naction = "deny"\ntools = ["delete_*"]\n')
    with store_in(tmp_path) as store:
        gates = Gates(store)
        own = gates.gate(app, file).policy
        file.write_text("")
        assert gates.gate(app, file).policy is own
        assert len(own.rules) == 1
        assert gates.gate(app).policy.rules == ()


async def test_the_operators_options_hold_for_every_gate(app: AppClient, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[defaults]\ndestructive = "confirm"\n')
    with store_in(tmp_path) as store:
        for policy in (None, file):
            for gates, asks in (
                (Gates(store), True),
                (Gates(store, read_only=True), False),
                (Gates(store, dry_run=True), False),
            ):
                assert gates.gate(app, policy).may_ask(TOOLS["delete_robot"], [Effect.DESTRUCTIVE]) is asks


async def test_an_operation_that_nobody_was_asked_about_is_said_to_be_none_and_nothing_is_done(desk: Desk) -> None:
    with pytest.raises(Refused, match=r"There is no operation of that id .* Nothing was done; call the tool again"):
        await desk.gate.pending_call("none", LOCAL)
    assert desk.outcomes() == ["wrong answer"]


async def test_a_question_whose_call_is_cancelled_is_lost_and_not_left_open(desk: Desk, delete: Tool) -> None:
    asked = anyio.Event()

    class Waiting(Client):
        async def ask(self, question: Question) -> None:
            asked.set()
            await anyio.sleep_forever()

    async def call() -> None:
        async with desk.gate.admitted(Call(delete, LOCAL, Environment()), Waiting(Way.PERSON), a_slot):
            pytest.fail("the call runs")

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await asked.wait()
        group.cancel_scope.cancel()
    assert desk.outcomes() == ["asked", "lost"]


async def test_a_question_that_is_shown_whole_is_the_only_page(desk: Desk, delete: Tool) -> None:
    question = await desk.ask(delete)
    assert (question.page, question.of) == (1, 1)
