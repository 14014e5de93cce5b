"""The gate: the one place that decides whether a call runs.

`Gate.admitted` is the only way to run a call. It decides, has a question answered where the policy asks for a
confirmation, judges the answer, counts the call, and records what becomes of it.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from viam_mcp.policy._admission import Admission
from viam_mcp.policy._at_risk import unless_at_risk
from viam_mcp.policy._call import DecidedCall, Stopped
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy._refusals import CANNOT_ASK, CLOSED, NOT_TICKED, SAID
from viam_mcp.policy.confirm._asker import QuestionAsked
from viam_mcp.policy.confirm._confirmations import Confirmations, Wording
from viam_mcp.policy.confirm._paging import page_for, question_with
from viam_mcp.policy.confirm._question import (
    Question,
    Reply,
    Way,
    is_typed,
    message,
    preview_text,
    read_preview,
    takes_name,
    typed_name,
)
from viam_mcp.policy.record._credentials import deliveries_of
from viam_mcp.policy.record._recorder import Recorder, budgets_of
from viam_mcp.policy.rules._rules import Action, ConfirmVia, Secrets
from viam_mcp.policy.scope._boundary import Boundary
from viam_mcp.tools import Effect, ToolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from viam_mcp.app import AppClient
    from viam_mcp.policy._call import Call, Caller
    from viam_mcp.policy.confirm._asker import Asker
    from viam_mcp.policy.confirm._question import Answer, PreviewSnapshot
    from viam_mcp.policy.record._credentials import Delivery
    from viam_mcp.policy.record._store import LazyStore
    from viam_mcp.policy.rules._rules import Decision, Policy
    from viam_mcp.policy.scope._boundary import ScopedFleet
    from viam_mcp.tools import Tool

    TakeSlot = Callable[[], Awaitable[AbstractContextManager[object]]]

Json = Any

logger = logging.getLogger("viam_mcp.policy")

CONFIRM_OPERATION = "confirm_operation"
"""The tool by which a client that cannot ask its user brings an answer."""

_MAX_QUESTIONS = 3  # about one call: each because the target changed since the question before


class Gate:
    """Decides about calls to one fleet.

    Args:
        policy: What the operator decided.
        app: The fleet.
        store: Where everything is kept that outlasts a call.
        also_spends: Other policies whose budgets these calls count for as well.
        read_only: Refuse everything that changes something.
        dry_run: Answer everything that changes something with its preview, and do nothing.
    """

    def __init__(
        self,
        policy: Policy,
        app: AppClient,
        store: LazyStore,
        *,
        also_spends: Iterable[Policy] = (),
        read_only: bool = False,
        dry_run: bool = False,
    ) -> None:
        self.policy = policy
        self._app = app
        self._store = store
        fleet = f"{app.session.target} {app.api_key_id}"
        self._confirmations = Confirmations(store, policy.confirm_seconds, fleet)
        self._boundary = Boundary(policy.scope, app)
        self._recorder = Recorder(store, budgets_of((policy, *also_spends)), fleet)
        self._read_only = read_only
        self._dry_run = dry_run

    def may_ask(self, tool: type[Tool], effects: Collection[Effect]) -> bool:
        """Return whether calls of a tool that have these effects may lead to a question."""
        if self.policy.confirm_via is ConfirmVia.DENY:
            return False
        idle = self._read_only or self._dry_run
        settled = [self.policy.settled(tool.spec, effect) for effect in effects if effect is Effect.READ or not idle]
        return any(
            decision is None or decision.action is Action.CONFIRM or decision.unnamed(tool.spec) for decision in settled
        )

    @asynccontextmanager
    async def admitted(self, call: Call, asker: Asker, take_slot: TakeSlot) -> AsyncIterator[Admission]:
        """Decide about a call, and run the block if the call may run. The block is the run.

        The decision and the run share one concurrency slot: nothing that was read for the decision grows old while
        the call waits for a slot. The call has no slot while a person is asked. The beginning and the end of the
        block are recorded, unless the call is a plain read.

        Args:
            call: The call.
            asker: How a question is asked.
            take_slot: Waits for a concurrency slot, which is given back when its context is left. A ToolError says
                that there is none.

        Raises:
            Refused: The call does not run.
            QuestionAsked: The answer comes with another call.
            ToolError: There is no slot, or there are too many questions.
        """
        answer, questions = asker.answer, 0
        while questions < _MAX_QUESTIONS:
            with await self._slot(call, answer, take_slot):
                fleet = self._boundary.open()
                decided = await self._decide(call, fleet, asker, answer)
                if isinstance(decided, DecidedCall):
                    async with self._held_inside(decided), self._running(call, decided):
                        yield self._admission(call, decided, fleet)
                    return
            answer = await self._asked(call, decided, asker)
            questions += decided.page == 1
        raise Refused(f"{call.name} was not done: what it would touch changes as fast as it is shown.")

    async def is_inside(self, tool: Tool) -> bool:
        """Return whether what a call reads is still in the scope. Where that cannot be read now, it is taken to be."""
        return await self._boundary.is_inside(tool)

    async def refusal_of_closed(self, tool: str, caller: Caller) -> Refused:
        """Record a call that the caller's credential does not open and whose arguments are not valid.

        Returns:
            The refusal, for the caller.
        """
        try:
            await self._recorder.write_line(
                caller=caller.name, client=caller.client, tool=tool, outcome=Outcome.DENIED.value
            )
        except PolicyError as error:
            return Refused(f"{tool} was not done: {error}.")
        return Refused(CLOSED.format(tool))

    async def pending_call(self, operation: str, caller: Caller) -> tuple[str, dict[str, Json]]:
        """Return the call that an operation is about: its tool and arguments.

        Raises:
            Refused: There is none that this caller may confirm with `confirm_operation`.
        """
        try:
            try:
                return await self._confirmations.pending(operation.partition("/")[0], caller)
            except Stopped as stopped:
                await self._recorder.write_line(
                    caller=caller.name, tool=CONFIRM_OPERATION, outcome=stopped.outcome.value
                )
                raise Refused(str(stopped)) from None
        except PolicyError as error:
            raise Refused(f"Nothing was done: {error}.") from None

    async def question_text(self, operation: str, caller: Caller) -> str:
        """Return all that an open question shows.

        Raises:
            Refused: There is none that this caller was asked.
        """
        try:
            return (await self._confirmations.text(operation, caller)).text
        except Stopped as stopped:
            raise Refused(str(stopped)) from None
        except PolicyError as error:
            raise Refused(f"It cannot be read: {error}.") from None

    async def _slot(self, call: Call, answer: Answer | None, take_slot: TakeSlot) -> AbstractContextManager[object]:
        """Wait for a concurrency slot. An answer that finds none is recorded."""
        try:
            return await take_slot()
        except ToolError:
            if answer is not None:
                await self._record_busy(call, answer)
            raise

    async def _asked(self, call: Call, question: Question, asker: Asker) -> Answer:
        """Return the answer to a question.

        Raises:
            QuestionAsked: The answer comes with another call.
        """
        try:
            answer = await asker.ask(question)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._record_lost(call, question)
            raise
        if answer is None:
            raise QuestionAsked(question)
        return answer

    async def _record_lost(self, call: Call, question: Question) -> None:
        """Record that nobody will answer a question."""
        decided = DecidedCall(call.tool, call.caller, self._decision(call.tool))
        try:
            await self._confirmations.record_lost(decided, question.operation)
        except PolicyError as error:
            # Nobody is left to tell, and nothing was done.
            logger.error("a question about %s was left open: %s", call.name, error)  # noqa: TRY400

    async def _record_busy(self, call: Call, answer: Answer) -> None:
        """Record that an answer found no concurrency slot. The answer can be given again."""
        decided = DecidedCall(call.tool, call.caller, self._decision(call.tool))
        try:
            await self._confirmations.record_busy(decided, answer)
        except PolicyError as error:
            logger.error("that %s found no slot is not in the audit: %s", call.name, error)  # noqa: TRY400

    def _running(self, call: Call, decided: DecidedCall) -> AbstractAsyncContextManager[None]:
        return nullcontext() if decided.is_plain_read else self._recorder.running(decided, call.environment.notes)

    @asynccontextmanager
    async def _held_inside(self, decided: DecidedCall) -> AsyncIterator[None]:
        """End a read that goes on when what it reads leaves the scope."""
        async with self._recorder.refusing(decided), self._boundary.holding(decided.tool):
            yield

    def _admission(self, call: Call, decided: DecidedCall, fleet: ScopedFleet) -> Admission:
        environment = call.environment
        if decided.file is not None:
            environment = replace(environment, file=decided.file)
        return Admission(
            decided.tool,
            environment,
            decided.decision.secrets,
            app=fleet.app,
            delivery=partial(self._delivery, decided),
        )

    @asynccontextmanager
    async def _delivery(self, decided: DecidedCall) -> AsyncIterator[Delivery | None]:
        if decided.decision.secrets is not Secrets.FILE:
            yield None
            return
        spec = decided.tool.spec
        async with AsyncExitStack() as stack:
            try:
                new = deliveries_of(self._store).new(spec, decided.caller)
                delivery = await stack.enter_async_context(new)
            except PolicyError as error:
                raise Refused(f"{spec.name} was not done: {error}.") from None
            yield delivery

    async def _decide(
        self, call: Call, fleet: ScopedFleet, asker: Asker, answer: Answer | None
    ) -> DecidedCall | Question:
        """Return the call if it may run, or else the question that has to be answered first.

        Raises:
            Refused: It does not run.
        """
        tool, caller = call.tool, call.caller
        decided = DecidedCall(tool, caller, self._decision(tool))
        allowed = decided.decision.action is Action.ALLOW
        is_open = caller.opens is None or all(caller.opens(call.name, one) for one in {tool.spec.effect, tool.effect})
        if is_open and decided.is_plain_read and allowed and not self.policy.scope:
            return decided
        async with self._recorder.refusing(decided):
            if not is_open:
                raise Stopped(Outcome.DENIED, CLOSED.format(call.name))
            await self._check_unconditional(call, fleet, decided.decision)
            if allowed:
                decided = replace(decided, decision=await unless_at_risk(call, decided.decision, fleet.app))
                if decided.decision.action is Action.ALLOW:
                    return decided
            self._check_way(call, decided.decision, asker.way)
            if answer is not None and answer.turns:
                return await self._turn(call, fleet, decided, asker, answer)
            if answer is not None:
                return await self._judge(call, fleet, decided, asker, answer)
            return await self._ask(decided, await read_preview(tool, fleet.app, call.environment), asker)

    async def _check_unconditional(self, call: Call, fleet: ScopedFleet, decision: Decision) -> None:
        """Check what a confirmation cannot override.

        Raises:
            Stopped: The call does not run.
        """
        tool, name, effect = call.tool, call.name, call.tool.effect
        changes = effect is not Effect.READ
        if changes and self._read_only:
            raise Stopped(Outcome.DENIED, f"This server is read-only, and {name} changes something. Nothing was done.")
        if decision.action is Action.DENY:
            raise Stopped(Outcome.DENIED, f"{name} is denied: {decision.why}. Nothing was done.")
        await fleet.check(tool)
        if changes and self._dry_run:
            shown = preview_text(await read_preview(tool, fleet.app, call.environment))
            first = " after a confirmation" if decision.action is Action.CONFIRM else ""
            raise Stopped(Outcome.DRY_RUN, f"Dry run, nothing was done. {name} would do this{first}.\n{shown}")
        if effect is Effect.DESTRUCTIVE:
            await self._recorder.check_budgets()

    def _check_way(self, call: Call, decision: Decision, way: Way) -> None:
        """Check that a question may be asked this way.

        Raises:
            Stopped: It may not.
        """
        needs = f"{call.name} needs a confirmation ({decision.why})"
        if self.policy.confirm_via is ConfirmVia.DENY:
            raise Stopped(Outcome.DENIED, f"{needs}, and the operator's policy has nobody asked. Nothing was done.")
        if way is Way.TOKEN and self.policy.confirm_via is ConfirmVia.ELICIT:
            raise Stopped(Outcome.DENIED, f"{needs}. {CANNOT_ASK}")

    async def _ask(self, decided: DecidedCall, seen: PreviewSnapshot, asker: Asker) -> Question:
        """Open a question about a call, in place of the operation that the call carries out, if there is one.

        Raises:
            Stopped: The question cannot be asked this way.
        """
        tool, decision = decided.tool, decided.decision
        type_name = takes_name(decision, seen)
        if type_name:
            needs = f"{tool.spec.name} takes the name of what it touches, typed by a person"
            if typed_name(seen.preview) is None:
                problem = f"{needs}, and there is no name that could be read. Nothing was done."
                raise Stopped(Outcome.DENIED, f"{problem}\n{preview_text(seen)}")
            if asker.way is Way.TOKEN:
                raise Stopped(Outcome.DENIED, f"{needs}. {CANNOT_ASK}\n{preview_text(seen)}")
        text = message(tool, seen, decision.why, changed=decided.operation is not None, type_name=type_name)
        first = page_for(asker, text, None, decided)
        operation = await self._confirmations.ask(decided, Wording(text, seen.fingerprint, asker.way))
        return question_with(first, operation, tool, self._confirmations.seconds, type_name=type_name)

    async def _turn(
        self, call: Call, fleet: ScopedFleet, decided: DecidedCall, asker: Asker, answer: Answer
    ) -> Question:
        """Return the question with the page that an answer asks for, or another one if the target has changed.

        Raises:
            Stopped: There is no such page.
        """
        asked = await self._confirmations.text(answer.operation, call.caller, asker.way)
        seen = await read_preview(call.tool, fleet.app, call.environment)
        if seen.fingerprint != asked.fingerprint:
            return await self._ask(replace(decided, operation=answer.operation), seen, asker)
        page = page_for(asker, asked.text, answer.page, decided)
        type_name = takes_name(decided.decision, seen)
        return question_with(page, answer.operation, call.tool, self._confirmations.seconds, type_name=type_name)

    async def _judge(
        self, call: Call, fleet: ScopedFleet, decided: DecidedCall, asker: Asker, answer: Answer
    ) -> DecidedCall | Question:
        """Judge an answer, which is used up by that.

        Returns:
            The call if the answer is a yes to what would be done now; another question if the target has changed.

        Raises:
            Refused: The answer is not a yes.
            Stopped: The answer is not good for this call.
        """
        tool, name = call.tool, call.name
        decided = await self._confirmations.answer(decided, answer, asker)
        if answer.reply is not Reply.ACCEPTED:
            raise Refused(f"{name} was not done: {SAID[answer.reply]}.")
        async with self._recorder.recording_cancellation(decided):
            seen = await read_preview(tool, fleet.app, call.environment)
        if seen.fingerprint != decided.fingerprint:
            return await self._ask(decided, seen, asker)
        if takes_name(decided.decision, seen):
            if not is_typed(answer.typed, typed_name(seen.preview)):
                raise Stopped(Outcome.DECLINED, f"{name} was not done: what was typed is not its name.", decided)
        elif not answer.agreed:
            raise Stopped(Outcome.NOT_TICKED, f"{name} was not done: {NOT_TICKED}.", decided)
        update = seen.preview.last_known_update
        if update is not None and "last_known_update" in type(tool).model_fields:
            # The service then refuses to overwrite an edit that is made between this preview and the call. The
            # caller's own value is replaced: a time in the future would let every edit pass.
            decided = replace(decided, tool=tool.model_copy(update={"last_known_update": update}))
        return replace(decided, file=seen.preview.file)

    def _decision(self, tool: Tool) -> Decision:
        """Return the policy's decision about a call."""
        settled = self.policy.settled(tool.spec, tool.effect)
        if settled is not None:
            return settled
        return self.policy.decide(tool.spec, tool.meant(self._app.location_id), tool.effect)
