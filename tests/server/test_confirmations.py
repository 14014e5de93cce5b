"""Questions through real clients of both eras of the protocol, that can ask their user and that cannot."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from tests.stores import outcomes, store_in
from viam_mcp.calls import Pipeline, choose
from viam_mcp.policy import Gate, Policy, parse
from viam_mcp.sandbox import Fault
from viam_mcp.server import build_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.conftest import Mode
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

YES: dict[str, Any] = {"confirm": True}
NOT_TICKED = "the form was sent without a tick in the box for yes"


class Person:
    """Somebody at a client: answers every form alike, and remembers what it said."""

    def __init__(self, action: Literal["accept", "decline", "cancel"] = "accept", content: Any = YES) -> None:
        self.action = action
        self.content = content if action == "accept" else None
        self.forms: list[types.ElicitRequestFormParams] = []

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult | types.ErrorData:
        self.forms.append(params)
        return types.ElicitResult(action=self.action, content=self.content)


Serve = "Callable[..., AbstractAsyncContextManager[Client]]"


@pytest.fixture
def serve(app: AppClient, mode: Mode, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Client]]:
    """`async with serve(person, policy="...") as client`; without a person the client cannot ask."""

    @asynccontextmanager
    async def open_client(person: Any = None, policy: str | Policy = "", **options: Any) -> AsyncIterator[Client]:
        rules = policy if isinstance(policy, Policy) else parse(policy, "policy.toml")
        kept = {name: options.pop(name) for name in ("database", "clock") if name in options}
        with store_in(tmp_path, **kept) as store:
            server = build_server(Pipeline(choose(), app, Gate(rules, app, store, **options))).mcp
            async with Client(server, mode=mode, elicitation_callback=person) as client:
                yield client

    return open_client


@pytest.fixture
def robot_id(sandbox: Sandbox) -> str:
    return str(sandbox.store.value("SELECT id FROM robots WHERE name = 'picker-01'"))


def exists(sandbox: Sandbox, name: str = "picker-01") -> bool:
    return bool(sandbox.store.value("SELECT count(*) FROM robots WHERE name = ?", name))


def text_of(result: Any) -> str:
    (content,) = result.content
    return str(content.text)


def operation_of(result: Any) -> str:
    assert result.is_error
    return text_of(result).splitlines()[-1]


async def test_a_person_who_says_yes_has_it_done(serve: Any, sandbox: Sandbox, robot_id: str, tmp_path: Path) -> None:
    person = Person()
    async with serve(person) as client:
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
    assert result.structured_content == {"done": f"Deleted machine 'picker-01' ({robot_id})."}
    assert not exists(sandbox)
    (form,) = person.forms
    assert "'picker-01'" in form.message
    assert form.requested_schema["properties"].keys() == {"confirm"}
    assert form.requested_schema["properties"]["confirm"]["type"] == "boolean"
    assert outcomes(tmp_path) == ["asked", "started", "done"]


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (Person("decline"), "it was declined"),
        (Person("cancel"), "the question was dismissed"),
        (Person(content={"confirm": False}), NOT_TICKED),
        (Person(content={"confirm": "true"}), NOT_TICKED),
        (Person(content={}), NOT_TICKED),
        (Person(content=None), NOT_TICKED),
        (Person(content={"name": "picker-01"}), NOT_TICKED),
    ],
)
async def test_whatever_is_not_a_yes_leaves_the_machine_alone(
    serve: Any, sandbox: Sandbox, robot_id: str, person: Person, said: str
) -> None:
    async with serve(person) as client:
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
    assert result.is_error
    assert text_of(result) == f"delete_robot was not done: {said}."
    assert exists(sandbox)


async def test_a_client_that_fails_to_ask_leaves_the_machine_alone(
    serve: Any, sandbox: Sandbox, robot_id: str, mode: Mode
) -> None:
    async def broken(context: Any, params: Any) -> types.ErrorData:
        return types.ErrorData(code=-1, message="no window")

    async with serve(broken) as client:
        if mode == "auto":
            with pytest.raises(MCPError):
                await client.call_tool("delete_robot", {"robot_id": robot_id})
        else:
            result = await client.call_tool("delete_robot", {"robot_id": robot_id})
            assert text_of(result) == "delete_robot was not done: the client that was asked has gone."
    assert exists(sandbox)


async def test_an_organization_takes_its_name_typed(serve: Any, sandbox: Sandbox) -> None:
    org_id = sandbox.store.value("SELECT id FROM organizations WHERE name = 'Kestrel Integration'")
    lookalike = Person(content={"name": "Kestrel Integr\u0430tion", "confirm": True})
    async with serve(lookalike) as client:
        result = await client.call_tool("delete_organization", {"org_id": org_id})
    assert "what was typed is not its name" in text_of(result)
    assert lookalike.forms[0].requested_schema["properties"].keys() == {"name"}
    async with serve(Person(content={"name": "Kestrel Integration"})) as client:
        result = await client.call_tool("delete_organization", {"org_id": org_id})
    # The service itself refuses, since it has locations: the question was passed.
    assert "FAILED_PRECONDITION" in text_of(result)


async def test_a_target_that_changes_under_the_question_is_asked_about_again(
    serve: Any, sandbox: Sandbox, robot_id: str, tmp_path: Path
) -> None:
    class Slow(Person):
        async def __call__(self, context: Any, params: Any) -> Any:
            if not self.forms:
                sandbox.store.run("UPDATE robots SET name = 'picker-99' WHERE id = ?", robot_id)
            return await super().__call__(context, params)

    person = Slow()
    async with serve(person) as client:
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
    assert not result.is_error
    first, second = person.forms
    assert "'picker-01'" in first.message
    assert "has changed since it was shown" in second.message
    assert "'picker-99'" in second.message
    assert outcomes(tmp_path) == ["asked", "changed", "asked", "started", "done"]


async def test_an_edit_between_the_answer_and_the_call_is_refused_by_the_service(
    serve: Any, sandbox: Sandbox, robot_id: str
) -> None:
    part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-arm'")
    hang = Fault(hang=True)

    async def edit() -> None:
        await hang.struck.wait()
        with sandbox.store.transaction():
            sandbox.store.run("UPDATE parts SET last_updated = last_updated + 1000000000 WHERE id = ?", part_id)
        hang.release.set()

    sandbox.faults.add("UpdateRobotPart", hang)
    async with serve(Person()) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(edit())
        arguments = {"robot_part_id": part_id, "name": "picker-01-arm", "robot_config": {}}
        result = await client.call_tool("update_robot_part", arguments)
    assert result.is_error
    assert "UpdateRobotPart" in text_of(result)


async def test_a_confirmed_configuration_is_saved(serve: Any, sandbox: Sandbox) -> None:
    part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-arm'")
    arguments = {"robot_part_id": part_id, "name": "picker-01-arm", "robot_config": {"components": []}}
    async with serve(Person()) as client:
        result = await client.call_tool("update_robot_part", arguments)
    assert not result.is_error, text_of(result)
    assert sandbox.store.value("SELECT config_json FROM parts WHERE id = ?", part_id) == '{"components": []}'


async def test_a_client_that_cannot_ask_gets_an_operation_id_that_does_it_once(
    serve: Any, sandbox: Sandbox, robot_id: str, tmp_path: Path
) -> None:
    async with serve() as client:
        shown = await client.call_tool("delete_robot", {"robot_id": robot_id})
        assert shown.is_error
        assert shown.structured_content is None
        assert "nothing was done" in text_of(shown)
        assert "'picker-01'" in text_of(shown)
        assert exists(sandbox)
        done = await client.call_tool("confirm_operation", {"operation_id": operation_of(shown)})
        assert done.structured_content == {"done": f"Deleted machine 'picker-01' ({robot_id})."}
        assert not exists(sandbox)
        again = await client.call_tool("confirm_operation", {"operation_id": operation_of(shown)})
        assert "used before" in text_of(again)
    assert outcomes(tmp_path) == ["asked", "started", "done", "wrong answer"]


async def test_a_question_can_be_read_whole_by_whom_it_is_asked_while_it_is_open(serve: Any, robot_id: str) -> None:
    read: list[Any] = []

    class Reader(Person):
        async def __call__(self, context: Any, params: Any) -> Any:
            read.append((await client.read_resource(params.message.rpartition(" ")[2])).contents[0])
            return await super().__call__(context, params)

    async with serve(Reader()) as client:
        await client.call_tool("delete_robot", {"robot_id": robot_id})
        templates = await client.list_resource_templates()
        with pytest.raises(MCPError, match="was used before"):
            await client.read_resource(read[0].uri)
        with pytest.raises(MCPError, match="There is no operation of that id here"):
            await client.read_resource("viam://confirmations/op-0000-0000")
    assert read[0].mime_type == "text/plain"
    assert read[0].text.startswith("| Delete robot: machine 'picker-01'\n")
    assert "viam://confirmations/{operation_id}{?cursor}" in [one.uri_template for one in templates.resource_templates]


async def test_a_large_question_is_read_page_by_page(serve: Any, sandbox: Sandbox) -> None:
    texts: list[str] = []

    class Reader(Person):
        async def __call__(self, context: Any, params: Any) -> Any:
            uri = params.message.rpartition(" ")[2]
            while not texts or uri.startswith("viam:"):
                texts.append((await client.read_resource(uri)).contents[0].text)
                uri = texts[-1].rpartition(" ")[2]
            return types.ElicitResult(action="decline")

    async with serve(Reader()) as client:
        await client.call_tool("update_robot_part", large_edit(sandbox))
    assert len(texts) == 3
    assert all(f"n{number}: " in "".join(texts) for number in range(800))


def large_edit(sandbox: Sandbox) -> dict[str, Any]:
    part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-arm'")
    config = {"notes": {f"n{number}": "x" * 96 for number in range(800)}}
    return {"robot_part_id": part_id, "name": "picker-01-arm", "robot_config": config}


async def test_a_person_is_shown_a_large_edit_in_several_forms_before_it_is_done(serve: Any, sandbox: Sandbox) -> None:
    person = Person()
    async with serve(person) as client:
        result = await client.call_tool("update_robot_part", large_edit(sandbox))
    assert not result.is_error, text_of(result)
    messages, titles = zip(
        *((form.message, form.requested_schema["properties"]["confirm"]["title"]) for form in person.forms), strict=True
    )
    assert len(messages) > 3
    assert all(f"n{number}: " in "".join(messages) for number in range(800))
    assert titles[0] == f"Show page 2 of {len(messages)}"
    assert titles[-1] == "Yes, do update_robot_part"
    assert all(len(message) <= 16_384 for message in messages)


async def test_a_client_that_cannot_ask_is_shown_a_large_edit_page_by_page_and_gets_the_id_with_the_last(
    serve: Any, sandbox: Sandbox
) -> None:
    async with serve() as client:
        answers = [await client.call_tool("update_robot_part", large_edit(sandbox))]
        while "only gives the next page" in text_of(answers[-1]):
            page = {"operation_id": operation_of(answers[-1])}
            answers.append(await client.call_tool("confirm_operation", page))
        assert len(answers) == 3
        assert all(f"n{number}: " in "".join(map(text_of, answers)) for number in range(800))
        assert sandbox.calls["UpdateRobotPart"] == 0
        done = await client.call_tool("confirm_operation", {"operation_id": operation_of(answers[-1])})
        assert not done.is_error, text_of(done)
    assert sandbox.calls["UpdateRobotPart"] == 1


async def test_one_id_several_times_at_once_does_it_once(serve: Any, sandbox: Sandbox) -> None:
    part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-arm'")
    async with serve() as client:
        operation = operation_of(await client.call_tool("mark_part_for_restart", {"robot_part_id": part_id}))
        results = await asyncio.gather(
            *(client.call_tool("confirm_operation", {"operation_id": operation}) for _ in range(5))
        )
    assert sorted(result.is_error for result in results) == [False, True, True, True, True]
    assert sandbox.calls["MarkPartForRestart"] == 1


async def test_confirm_operation_is_listed_as_destructive_only_for_clients_that_cannot_ask(serve: Any) -> None:
    async with serve() as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "confirm_operation"]
        assert tool.annotations.destructive_hint
        assert not tool.annotations.read_only_hint
    for options in ({"person": Person()}, {"policy": 'confirm_via = "elicit"'}, {"policy": 'confirm_via = "deny"'},
                    {"dry_run": True}):  # fmt: skip
        async with serve(**options) as client:
            assert "confirm_operation" not in {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize("via", ["elicit", "deny"])
async def test_a_client_that_cannot_ask_is_never_taken_for_a_yes(
    serve: Any, sandbox: Sandbox, robot_id: str, via: str
) -> None:
    async with serve(policy=f'confirm_via = "{via}"') as client:
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
        assert result.is_error
        assert "op-" not in text_of(result)
        result = await client.call_tool("confirm_operation", {"operation_id": "op-0000-0000"})
        assert "There is no tool" in text_of(result)
    assert exists(sandbox)


async def test_a_confirmation_that_is_claimed_in_the_arguments_is_no_argument(
    serve: Any, sandbox: Sandbox, robot_id: str
) -> None:
    async with serve() as client:
        for claim in (
            {"confirm": True},
            {"confirmed": "yes"},
            {"operation_id": "op-0000-0000"},
            {"_meta": {"confirm": True}},
        ):
            result = await client.call_tool("delete_robot", {"robot_id": robot_id, **claim})
            assert "is not an argument of it" in text_of(result)
        result = await client.call_tool("confirm_operation", {"operation_id": "op-0000-0000"})
        assert "There is no operation of that id" in text_of(result)
    assert exists(sandbox)


async def test_a_question_that_nobody_answers_in_time_leaves_the_machine_alone(
    serve: Any, sandbox: Sandbox, robot_id: str, mode: Mode, tmp_path: Path
) -> None:
    now = 1_700_000_000.0

    async def late(context: Any, params: Any) -> types.ElicitResult:
        nonlocal now
        now += 3_600
        if mode == "legacy":
            # The server waits for the answer, and does so by its own clock; a 2026 client brings it all the same.
            await anyio.sleep_forever()
        return types.ElicitResult(action="accept", content=YES)

    async with serve(late, policy=Policy(confirm_seconds=0.01), clock=lambda: now) as client:
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
    assert exists(sandbox)
    assert outcomes(tmp_path) == ["asked", "timed out" if mode == "legacy" else "expired"]
    assert "was not done" in text_of(result)


async def test_who_goes_away_while_asked_has_nothing_done(
    serve: Any, sandbox: Sandbox, robot_id: str, tmp_path: Path, mode: Mode
) -> None:
    asked = asyncio.Event()

    async def silent(context: Any, params: Any) -> Any:
        asked.set()
        await anyio.sleep_forever()

    async with serve(silent) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "delete_robot", {"robot_id": robot_id})
        await asked.wait()
        tasks.cancel_scope.cancel()
    assert exists(sandbox)
    assert outcomes(tmp_path) == (["asked", "lost"] if mode == "legacy" else ["asked"])


async def test_a_dry_run_answers_with_the_preview_and_does_nothing(serve: Any, sandbox: Sandbox, robot_id: str) -> None:
    person = Person()
    async with serve(person, dry_run=True) as client:
        result = await client.call_tool("delete_robot", {"robot_id": robot_id})
    assert text_of(result).startswith("Dry run, nothing was done.")
    assert "'picker-01'" in text_of(result)
    assert person.forms == []
    assert exists(sandbox)


async def test_a_minted_credential_is_in_a_file_and_nowhere_else(serve: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    row = sandbox.store.one("SELECT org_id, id FROM api_keys WHERE name = 'fleet-dashboard'")
    assert row
    org_id, key_id = row
    grant = {"role": "operator", "resource_type": "organization", "resource_id": org_id}
    for name, arguments in (
        ("rotate_key", {"id": key_id}),
        ("create_key_from_existing_key_authorizations", {"id": key_id}),
        ("create_key", {"org_id": org_id, "authorizations": [grant], "name": "new"}),
    ):
        async with serve(Person()) as client:
            result = await client.call_tool(name, arguments)
        assert not result.is_error, text_of(result)
        minted = result.structured_content["api_key_id"]
        secret = str(sandbox.store.value("SELECT key FROM api_keys WHERE id = ?", minted))
        (file,) = (tmp_path / "secrets").glob(f"{name}-2*")
        assert secret in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert secret not in text_of(result)
        assert result.structured_content["api_key"] == "[redacted]"
        assert str(file) in result.structured_content["warnings"][0]
        assert secret not in (tmp_path / "audit.jsonl").read_text()


async def test_a_credential_that_has_no_place_to_go_is_not_minted(serve: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secrets").touch()
    key_id = sandbox.store.value("SELECT id FROM api_keys WHERE name = 'fleet-dashboard'")
    async with serve(Person()) as client:
        result = await client.call_tool("rotate_key", {"id": key_id})
    assert "rotate_key was not done" in text_of(result)
    assert sandbox.calls["RotateKey"] == 0


async def test_reading_reveals_only_after_a_yes_and_where_the_policy_says_so(serve: Any, sandbox: Sandbox) -> None:
    location_id = sandbox.store.value("SELECT id FROM locations WHERE name = 'Warehouse 1'")
    secret = sandbox.store.value("SELECT secret FROM secrets WHERE location_id = ?", location_id)
    person = Person()
    async with serve(person) as client:
        result = await client.call_tool("location_auth", {"location_id": location_id})
    assert secret not in text_of(result)
    assert person.forms == []
    async with serve(person, policy='[secrets]\nread = "reveal"\n') as client:
        result = await client.call_tool("location_auth", {"location_id": location_id})
    assert secret in text_of(result)
    assert len(person.forms) == 1
    async with serve(Person("decline"), policy='[secrets]\nread = "reveal"\n') as client:
        result = await client.call_tool("location_auth", {"location_id": location_id})
    assert result.is_error


async def test_a_list_leaves_out_what_is_outside_of_the_scope(serve: Any, sandbox: Sandbox) -> None:
    org_id = sandbox.store.value("SELECT id FROM organizations WHERE name = 'Kestrel Integration'")
    async with serve(policy=f'[scope]\norganizations = ["{org_id}"]\n') as client:
        result = await client.call_tool("list_organizations", {})
    assert [item["name"] for item in result.structured_content["organizations"]] == ["Kestrel Integration"]


class TestModern:
    """What only a client of 2026-07-28 can try, which carries the question's state itself."""

    @pytest.fixture
    def mode(self) -> Mode:
        return "auto"

    @staticmethod
    async def call(client: Client, robot_id: str, **options: Any) -> Any:
        return await client.session.call_tool(
            "delete_robot", {"robot_id": robot_id}, allow_input_required=True, **options
        )

    async def test_an_answer_without_a_question_is_a_question(
        self, serve: Any, sandbox: Sandbox, robot_id: str
    ) -> None:
        yes = {"confirm": types.ElicitResult(action="accept", content=YES)}
        async with serve(Person()) as client:
            result = await self.call(client, robot_id, input_responses=yes)
        assert isinstance(result, types.InputRequiredResult)
        assert exists(sandbox)

    async def test_a_state_without_an_answer_is_a_no(self, serve: Any, sandbox: Sandbox, robot_id: str) -> None:
        async with serve(Person()) as client:
            asked = await self.call(client, robot_id)
            result = await self.call(client, robot_id, request_state=asked.request_state)
            assert "dismissed" in text_of(result)
        assert exists(sandbox)

    @pytest.mark.parametrize("forge", [lambda state: state[:-9], lambda state: "", lambda state: state.upper()])
    async def test_a_forged_state_is_refused(
        self, serve: Any, sandbox: Sandbox, robot_id: str, forge: Callable[[str], str]
    ) -> None:
        yes = {"confirm": types.ElicitResult(action="accept", content=YES)}
        async with serve(Person()) as client:
            asked = await self.call(client, robot_id)
            result = await self.call(client, robot_id, request_state=forge(asked.request_state), input_responses=yes)
            assert "There is no operation of that id" in text_of(result)
        assert exists(sandbox)

    async def test_a_state_is_for_its_store_and_its_arguments(
        self, serve: Any, sandbox: Sandbox, robot_id: str
    ) -> None:
        yes = {"confirm": types.ElicitResult(action="accept", content=YES)}
        other_id = str(sandbox.store.value("SELECT id FROM robots WHERE name = 'picker-02'"))
        async with serve(Person()) as client, serve(Person(), database="other.db") as other:
            asked = await self.call(client, robot_id)
            result = await self.call(other, robot_id, request_state=asked.request_state, input_responses=yes)
            assert "There is no operation of that id" in text_of(result)
            result = await self.call(client, other_id, request_state=asked.request_state, input_responses=yes)
            assert "other arguments" in text_of(result)
        assert exists(sandbox)
        assert exists(sandbox, "picker-02")

    async def test_a_state_is_good_once(self, serve: Any, sandbox: Sandbox) -> None:
        yes = {"confirm": types.ElicitResult(action="accept", content=YES)}
        part_id = sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-arm'")
        async with serve(Person()) as client:
            arguments = ("mark_part_for_restart", {"robot_part_id": part_id})
            asked = await client.session.call_tool(*arguments, allow_input_required=True)
            answers = [
                client.session.call_tool(
                    *arguments, request_state=asked.request_state, input_responses=yes, allow_input_required=True
                )
                for _ in range(4)
            ]
            results = await asyncio.gather(*answers)
        assert sorted(result.is_error for result in results) == [False, True, True, True]
        assert sandbox.calls["MarkPartForRestart"] == 1
