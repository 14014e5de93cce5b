"""A call that waits for an answer and for a slot: it runs as it was shown, and an answer without a slot is recorded."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.stores import audit_lines, store_in
from viam_mcp.calls import Kind, Limits, Pipeline, call_limiter
from viam_mcp.policy import LOCAL, Answer, Gate, Policy, Reply, Way
from viam_mcp.tools import FORM_BYTES, TOOLS, Files, no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.policy import Question
    from viam_mcp.sandbox import Sandbox


class Person:
    """A person who says yes, after something else has happened."""

    way = Way.PERSON
    carries = FORM_BYTES
    answer = None

    def __init__(self, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        self._meanwhile = meanwhile

    async def ask(self, question: Question) -> Answer:
        if self._meanwhile is not None:
            await self._meanwhile()
        return Answer(question.id, Reply.ACCEPTED, agreed=True)


@pytest.fixture
def robot(sandbox: Sandbox) -> str:
    return str(sandbox.store.value("SELECT id FROM robots WHERE name = 'picker-01'"))


def exists(sandbox: Sandbox, robot: str) -> bool:
    return bool(sandbox.store.value("SELECT count(*) FROM robots WHERE id = ?", robot))


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    return audit_lines(tmp_path)


@pytest.fixture
def pipeline(app: AppClient, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """`pipeline(at_once=1, waiting=1)`: a pipeline with these limits."""
    (tmp_path / "files").mkdir()
    with store_in(tmp_path) as store:

        def make(at_once: int = 64, waiting: int = 256, questions: int = 100) -> Pipeline:
            limits = (
                Limits()
                .with_limit(Kind.CALLS, each=at_once, in_all=at_once)
                .with_limit(Kind.WAITING_CALLS, each=waiting, in_all=waiting)
                .with_limit(Kind.QUESTIONS, each=questions)
            )
            gate = Gate(Policy(), app, store)
            return Pipeline(TOOLS, app, gate, files=Files(tmp_path / "files"), limiter=call_limiter(limits))

        yield make


async def queued(calls: Pipeline) -> None:
    """Let others run until one of them waits for a slot."""
    for _ in range(1_000):
        if calls._limiter.waiting:
            return
        await asyncio.sleep(0)
    pytest.fail("nobody waits")


async def test_no_other_call_runs_between_the_last_preview_and_the_call(
    pipeline: Callable[..., Pipeline], robot: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = pipeline(at_once=1)
    admitted, others = calls._gate.admitted, list[asyncio.Task[Any]]()

    @asynccontextmanager
    async def admitted_with_another_in_the_queue(*arguments: Any) -> AsyncIterator[Any]:
        async with admitted(*arguments) as admission:
            renaming = {"robot_id": robot, "name": "renamed", "location_id": location}
            others.append(asyncio.create_task(calls.call("update_robot", renaming, no_progress, LOCAL, Person())))
            await queued(calls)
            yield admission

    location = str(sandbox.store.value("SELECT location_id FROM robots WHERE id = ?", robot))
    monkeypatch.setattr(calls._gate, "admitted", admitted_with_another_in_the_queue)
    result = await calls.call("delete_robot", {"robot_id": robot}, no_progress, LOCAL, Person())
    assert "'picker-01'" in result.text
    assert not exists(sandbox, robot)
    monkeypatch.undo()
    (other,) = await asyncio.gather(*others)
    assert other.is_error


@asynccontextmanager
async def full(calls: Pipeline) -> AsyncIterator[None]:
    """Inside, there is no slot for another call, and no room to wait for one."""
    with await calls._limiter.take("other", "get_robot"):
        waiting = asyncio.create_task(_wait(calls))
        await queued(calls)
        yield
    await waiting


async def _wait(calls: Pipeline) -> None:
    with await calls._limiter.take("another", "get_robot"):
        pass


async def test_an_answer_that_finds_no_slot_is_recorded_and_nothing_is_done(
    pipeline: Callable[..., Pipeline], robot: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    calls = pipeline(at_once=1, waiting=1)
    rooms = full(calls)
    person = Person(lambda: rooms.__aenter__())
    result = await calls.call("delete_robot", {"robot_id": robot}, no_progress, LOCAL, person)
    await rooms.__aexit__(None, None, None)
    assert (result.outcome, result.is_error) == ("busy", True)
    assert "Nothing was done; retry after" in result.text
    assert exists(sandbox, robot)
    asked, busy = lines(tmp_path)
    assert (asked["outcome"], busy["outcome"]) == ("asked", "busy")
    assert asked["operation"] == busy["operation"]


async def test_an_operation_that_found_no_slot_is_still_open(
    pipeline: Callable[..., Pipeline], robot: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    calls = pipeline(at_once=1, waiting=1)
    asked = await calls.call("delete_robot", {"robot_id": robot}, no_progress)
    assert asked.question is not None
    operation = {"operation_id": asked.question.id}
    async with full(calls):
        assert (await calls.call("confirm_operation", operation, no_progress)).outcome == "busy"
    assert not (await calls.call("confirm_operation", operation, no_progress)).is_error
    assert not exists(sandbox, robot)
    assert [line["outcome"] for line in lines(tmp_path)] == ["asked", "busy", "started", "done"]


SHOWN, OTHER = b"shown" * 500_000, b"other" * 500_000
UPLOAD = {
    "module_file_info": {"module_id": "tidewater:picking", "version": "9.0.0", "platform": "linux/amd64"},
    "file": "a.tar.gz",
}


@pytest.mark.parametrize("how", ["in its place", "over it", "longer", "shorter", "not at all"])
async def test_a_file_that_is_changed_after_the_yes_is_not_uploaded(
    pipeline: Callable[..., Pipeline], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    calls, file = pipeline(), tmp_path / "files" / "a.tar.gz"
    file.write_bytes(SHOWN)
    admitted = calls._gate.admitted

    @asynccontextmanager
    async def admitted_and_changed(*arguments: Any) -> AsyncIterator[Any]:
        async with admitted(*arguments) as admission:
            if how == "in its place":
                (tmp_path / "new").write_bytes(OTHER)
                (tmp_path / "new").rename(file)
            elif how != "not at all":
                file.write_bytes({"over it": OTHER, "longer": SHOWN + b"x", "shorter": SHOWN[:-1]}[how])
            yield admission

    monkeypatch.setattr(calls._gate, "admitted", admitted_and_changed)
    result = await calls.call("upload_module_file", UPLOAD, no_progress, LOCAL, Person())
    uploaded = int(sandbox.store.value("SELECT count(*) FROM registry_uploads WHERE version = '9.0.0'"))
    if how == "not at all":
        assert (result.is_error, uploaded) == (False, 1)
    else:
        assert "'a.tar.gz' has changed since it was shown. Nothing was uploaded" in result.text
        assert uploaded == 0
        assert lines(tmp_path)[-1]["outcome"] == "failed"


async def test_a_caller_has_only_so_many_questions_open(
    pipeline: Callable[..., Pipeline], robot: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    calls, asked, go = pipeline(questions=2), asyncio.Semaphore(0), asyncio.Event()

    async def wait() -> None:
        asked.release()
        await go.wait()

    arguments = {"robot_part_id": str(sandbox.store.value("SELECT id FROM parts WHERE name = 'picker-01-arm'"))}
    call = ("mark_part_for_restart", arguments, no_progress, LOCAL)
    open_ones = [asyncio.create_task(calls.call(*call, Person(wait))) for _ in range(2)]
    for _ in open_ones:
        await asked.acquire()
    third = await calls.call(*call, Person(wait))
    assert (third.outcome, third.is_error) == ("busy", True)
    assert "You have 2 questions open" in third.text
    go.set()
    assert not any(result.is_error for result in await asyncio.gather(*open_ones))
    assert not (await calls.call(*call, Person())).is_error
    assert [line["outcome"] for line in lines(tmp_path)].count("lost") == 1
