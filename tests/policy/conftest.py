"""A gate in front of the demo fleet, under the policy that a test says."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.stores import outcomes, store_in
from viam_mcp.policy import (
    LOCAL,
    Admission,
    Answer,
    Call,
    Gate,
    Question,
    QuestionAsked,
    Reply,
    Way,
    parse,
)
from viam_mcp.policy import Policy as PolicyOf
from viam_mcp.tools import FORM_BYTES, TOKEN_BYTES, TOOLS, Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.policy import Caller, LazyStore
    from viam_mcp.sandbox import Sandbox
    from viam_mcp.store import RoomLimits
    from viam_mcp.tools import Tool


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """A client whose answers come with another call.

    Attributes:
        way: How it asks.
        answer: The answer that its call brings along.
        carries: How many bytes of a preview it can show.
    """

    way: Way
    answer: Answer | None = None
    carries: int = FORM_BYTES

    async def ask(self, question: Question) -> None:
        """Return None: the answer comes with another call."""


async def a_slot() -> AbstractContextManager[None]:
    """Take a concurrency slot where there are any number of them."""
    return nullcontext()


@dataclass
class Desk:
    """A gate with what a test needs to go through it.

    Attributes:
        gate: The gate.
        store: Its store.
        sandbox: The fleet behind it.
        folder: Its state folder.
        clock: Its clock.
        questions: What it asked, in order.
    """

    gate: Gate
    store: LazyStore
    sandbox: Sandbox
    folder: Path
    clock: Clock
    questions: list[Question] = field(default_factory=list)

    def id(self, table: str, name: str) -> str:
        """The id of a row by its name."""
        return str(self.sandbox.store.value(f"SELECT id FROM {table} WHERE name = ?", name))

    def tool(self, name: str, /, **arguments: Any) -> Tool:
        """A call."""
        return TOOLS[name].model_validate(arguments)

    def admitted(
        self,
        tool: Tool,
        way: Way = Way.PERSON,
        caller: Caller = LOCAL,
        answer: Answer | None = None,
        environment: Environment | None = None,
        carries: int | None = None,
    ) -> AbstractAsyncContextManager[Admission]:
        """The entry into the gate, for a test that is the call's run."""
        client = Client(way, answer, carries or (FORM_BYTES if way is Way.PERSON else TOKEN_BYTES))
        return self.gate.admitted(Call(tool, caller, environment or Environment()), client, a_slot)

    async def admit(self, tool: Tool, *how: Any, **more: Any) -> Admission | Question:
        """What a call leads to: the question about it, or its admission, with which it did nothing."""
        try:
            async with self.admitted(tool, *how, **more) as admission:
                return admission
        except QuestionAsked as asked:
            return asked.question

    async def ask(self, tool: Tool, way: Way = Way.PERSON, caller: Caller = LOCAL) -> Question:
        """The question that a call leads to."""
        question = await self.admit(tool, way, caller)
        assert isinstance(question, Question)
        self.questions.append(question)
        return question

    async def answer(
        self, tool: Tool, operation: str, way: Way = Way.PERSON, caller: Caller = LOCAL, **answer: Any
    ) -> Admission | Question:
        """What comes of answering; a yes unless something else is said."""
        return await self.admit(
            tool, way, caller, Answer(operation, **{"reply": Reply.ACCEPTED, "agreed": True, **answer})
        )

    def outcomes(self) -> list[str]:
        """What the audit says happened, in order."""
        return outcomes(self.folder)


OpenDesk = "Callable[..., Desk]"


@pytest.fixture
def open_desk(app: AppClient, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """`open_desk(policy_text, database="state.db", rooms=None, **options)`, the latter those of `Gate`.

    Each is as in a process of its own. Those that name the same database share what outlasts a process.
    """
    clock = Clock()
    with ExitStack() as stores:

        def make(text: str = "", database: str = "state.db", rooms: RoomLimits | None = None, **options: Any) -> Desk:
            policy = parse(text, "policy.toml") if text else PolicyOf()
            store = stores.enter_context(store_in(tmp_path, database=database, clock=clock, rooms=rooms))
            return Desk(Gate(policy, app, store, **options), store, sandbox, tmp_path, clock)

        yield make


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """A gate under the default policy."""
    return open_desk()
