"""Gates of several computers over one PostgreSQL server, and what goes on while it cannot be reached."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.policy.conftest import Clock, Desk
from tests.store.server import PostgresServer
from viam_mcp.assembly.options import SettingsError
from viam_mcp.calls import Pipeline
from viam_mcp.cli import _secret
from viam_mcp.policy import Admission, Gate, LazyStore, Policy, Refused, Way, parse
from viam_mcp.store import KEYS_VARIABLE, StateKeys, Store, Timeouts, parse_address
from viam_mcp.tools import TOOLS, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

KEY = "5a" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.url(server.new_database())


@pytest.fixture
def replica(app: AppClient, sandbox: Sandbox, tmp_path: Path, url: str) -> Iterator[Callable[..., Desk]]:
    """`replica(policy_text)`: the gate of another computer in front of the same fleet."""
    timeouts = Timeouts(connect=2.0, statement=2.0, transaction=3.0)
    with ExitStack() as stores:

        def make(text: str = "") -> Desk:
            store = LazyStore(lambda: Store(parse_address(url), StateKeys({KEYS_VARIABLE: KEY}), timeouts=timeouts))
            stores.callback(store.close)
            policy = parse(text, "policy.toml") if text else Policy()
            return Desk(Gate(policy, app, store), store, sandbox, tmp_path, Clock())

        yield make


def recorded(desk: Desk) -> list[str]:
    """What the audit says happened, in order. It has to be whole."""
    store = desk.store.get()
    assert store.read(lambda tx: tx.audit.verify()).findings == []
    return [str(line.entry["outcome"]) for line in store.read(lambda tx: list(tx.audit.oldest()))]


async def test_an_operation_that_is_asked_on_one_computer_is_answered_on_any_other_once(
    replica: Callable[..., Desk],
) -> None:
    desks = [replica() for _ in range(3)]
    tool = desks[0].tool("mark_part_for_restart", robot_part_id=desks[0].id("parts", "picker-01-arm"))
    question = await desks[0].ask(tool, Way.TOKEN)
    answers = (desk.answer(tool, question.id, Way.TOKEN) for desk in desks)
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(result, Admission) for result in results) == 1
    assert sum(isinstance(result, Refused) for result in results) == 2
    assert recorded(desks[1]) == ["asked", *recorded(desks[1])[1:]]
    assert sorted(recorded(desks[1])) == ["asked", "done", "started", "wrong answer", "wrong answer"]


async def test_all_computers_have_one_budget(replica: Callable[..., Desk]) -> None:
    text = '[budget]\ndestructive_per_hour = 2\n[[rules]]\naction = "allow"\ntools = ["mark_*"]\n'
    desks = [replica(text) for _ in range(3)]
    tool = desks[0].tool("mark_part_for_restart", robot_part_id=desks[0].id("parts", "picker-01-arm"))
    results = await asyncio.gather(*(desk.admit(tool) for desk in desks), return_exceptions=True)
    assert sum(isinstance(result, Admission) for result in results) == 2
    (refused,) = (result for result in results if isinstance(result, Refused))
    assert "The budget of 2 destructive calls an hour is used up" in str(refused)


def run_secret(*words: str) -> int:
    """Run `viam-mcp secret` without what only a process of its own should do."""
    parser = argparse.ArgumentParser()
    _secret.configure(parser)
    return _secret.run(parser.parse_args(words))


async def test_a_new_credential_waits_in_the_store_and_is_fetched_once(
    replica: Callable[..., Desk],
    app: AppClient,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = replica('[[rules]]\naction = "allow"\ntools = ["create_key"]\n')
    organization = desk.id("organizations", "Tidewater Robotics")
    role = {"role": "operator", "resource_type": "organization", "resource_id": organization}
    arguments = {"org_id": organization, "authorizations": [role]}
    result = await Pipeline(TOOLS, app, desk.gate).call("create_key", arguments, no_progress)
    assert result.data is not None
    assert result.data["api_key"] == "[redacted]"
    (warning,) = result.data["warnings"]
    command, _, secret = warning.rpartition(" ")
    assert command.endswith("viam-mcp secret take")
    assert not (desk.folder / "secrets").exists()
    monkeypatch.setenv("VIAM_MCP_STORE", url)
    monkeypatch.setenv(KEYS_VARIABLE, KEY)
    assert run_secret("list") == 0
    assert capsys.readouterr().out.split()[0] == secret
    assert run_secret("take", secret) == 0
    given = json.loads(capsys.readouterr().out)
    stored = desk.sandbox.store.value("SELECT key FROM api_keys WHERE id = ?", given["api_key_id"])
    assert given["api_key"] == stored
    with pytest.raises(SettingsError, match="was fetched before"):
        run_secret("take", secret)
    assert run_secret("list") == 0
    assert capsys.readouterr().out == ""
    assert recorded(desk) == ["started", "done", "taken"]


async def test_without_the_server_reads_go_on_and_nothing_is_changed_until_it_is_back(
    replica: Callable[..., Desk],
    app: AppClient,
    server: PostgresServer,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "viam_mcp.policy")
    desk = replica()
    calls = Pipeline(TOOLS, app, desk.gate)
    robot = {"robot_id": desk.id("robots", "picker-01")}
    new = {"name": "spare", "location_id": desk.id("locations", "Test Lab")}
    assert not (await calls.call("new_robot", new, no_progress)).is_error
    server.stop(signal.SIGINT)
    try:
        for _ in range(2):
            refused = await calls.call("new_robot", {**new, "name": "another"}, no_progress)
            assert (refused.is_error, refused.outcome) == (True, "refused")
            assert refused.text.startswith("new_robot was not done: ")
            assert (await calls.call("delete_robot", robot, no_progress)).text.startswith("delete_robot was not done: ")
            assert not (await calls.call("get_robot", robot, no_progress)).is_error
    finally:
        server.start()
    assert not sandbox.store.value("SELECT count(*) FROM robots WHERE name = 'another'")
    assert not (await calls.call("new_robot", {**new, "name": "later"}, no_progress)).is_error
    assert recorded(desk) == ["started", "done"] * 2
    # Each change is said once.
    said = [record.message.partition(":")[0] for record in caplog.records]
    assert said == [
        "nothing that changes something runs, since the store cannot be used",
        "the store can be used again",
    ]


async def test_the_end_of_a_call_that_the_server_did_not_hear_of_is_recorded_when_it_is_back(
    replica: Callable[..., Desk], server: PostgresServer
) -> None:
    desk = replica()
    tool = desk.tool("new_robot", name="spare", location_id=desk.id("locations", "Test Lab"))
    try:
        async with desk.admitted(tool) as admission:
            server.stop(signal.SIGINT)
    finally:
        server.start()
    (note,) = admission.environment.notes
    assert note.startswith("This is not in the audit yet")
    await desk.admit(tool)
    assert recorded(desk) == ["started", "done", "started", "done"]
