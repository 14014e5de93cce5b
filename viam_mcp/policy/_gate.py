"""The gate: the one place that decides whether a call runs.

A call comes in and is admitted, or refused, or there is a question to be answered first. Whoever asks the
question, in whatever way, brings the answer back here, and it is judged here.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from viam_mcp.app import AppError
from viam_mcp.policy._admission import Admission, Stopped
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy._scope import Boundary
from viam_mcp.policy.confirm._confirmations import Confirmations
from viam_mcp.policy.confirm._question import Question, Reply, Way, is_typed, look, message, preview_text, typed_name
from viam_mcp.policy.record._credentials import Undelivered
from viam_mcp.policy.record._outcomes import Outcome
from viam_mcp.policy.record._shown import shown_arguments
from viam_mcp.policy.rules._rules import Action, ConfirmVia, Secrets
from viam_mcp.tools import Effect, ToolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable
    from contextlib import AbstractAsyncContextManager

    from viam_mcp.app import AppClient
    from viam_mcp.policy._admission import Caller
    from viam_mcp.policy.confirm._question import Answer, Seen
    from viam_mcp.policy.record._credentials import Delivery
    from viam_mcp.policy.record._ledger import Ledger
    from viam_mcp.policy.rules._rules import Decision, Policy
    from viam_mcp.tools import Environment, Spec, Tool

Json = Any

logger = logging.getLogger("viam_mcp.policy")

CONFIRM_OPERATION = "confirm_operation"
"""The tool by which a client that cannot ask its user brings a token back."""


class Gate:
    """Decides about calls to one fleet.

    Args:
        policy: What the operator decided.
        app: The fleet.
        ledger: The audit, and what else outlasts the gate.
        also_spends: Other policies whose budgets these calls count for as well.
        read_only: Refuse everything that changes something.
        dry_run: Answer everything that changes something with its preview, and do nothing.
    """

    def __init__(
        self,
        policy: Policy,
        app: AppClient,
        ledger: Ledger,
        *,
        also_spends: Iterable[Policy] = (),
        read_only: bool = False,
        dry_run: bool = False,
    ) -> None:
        self.policy = policy
        self._app = app
        self._ledger = ledger
        fleet = f"{app.session.target} {app.api_key_id}"
        self._confirmations = Confirmations(ledger.seal, ledger.shelf, policy.confirm_seconds, ledger.clock, fleet)
        self._boundary = Boundary(policy.scope, app)
        budgets = (ledger.budget(one) for one in (policy, *also_spends))
        self._budgets = [budget for budget in budgets if budget is not None]
        self._read_only = read_only
        self._dry_run = dry_run

    def may_ask(self, tool: type[Tool], effects: Collection[Effect]) -> bool:
        """Whether there may be a question about calls of a tool that have these effects."""
        if self.policy.confirm_via is ConfirmVia.DENY:
            return False
        idle = self._read_only or self._dry_run
        settled = [self.policy.settled(tool.spec, effect) for effect in effects if effect is Effect.READ or not idle]
        return any(decision is None or decision.action is Action.CONFIRM for decision in settled)

    async def visible(self, spec: Spec) -> Callable[[Any], bool] | None:
        """What says of an item of a tool's list whether it may be given; None if all of them may.

        Raises:
            Refused: It cannot be told now.
        """
        try:
            return await self._boundary.visible(spec)
        except Stopped as stopped:
            raise Refused(str(stopped)) from None

    async def admit(
        self, tool: Tool, caller: Caller, environment: Environment, way: Way, answer: Answer | None = None
    ) -> Admission | Question:
        """Decide about a call.

        Args:
            tool: The call.
            caller: Who calls.
            environment: What its preview may use.
            way: How a question would be asked.
            answer: The answer to the question that this call led to before.

        Returns:
            The admission, or what has to be answered first.

        Raises:
            Refused: It does not run.
        """
        effect = tool.effect
        decision = self.policy.settled(tool.spec, effect) or self._decide(tool)
        plain = effect is Effect.READ and decision.secrets is Secrets.REDACT
        admission = Admission(tool, caller, decision, plain)
        is_open = caller.opens is None or all(caller.opens(tool.spec.name, one) for one in {tool.spec.effect, effect})
        if is_open and plain and decision.action is Action.ALLOW and not self.policy.scope:
            return admission
        async with self._stopping(admission):
            if not is_open:
                raise Stopped(Outcome.DENIED, _CLOSED.format(tool.spec.name))
            await self._check(admission, environment)
            if decision.action is Action.ALLOW:
                return admission
            self._check_way(admission, way)
            if answer is not None:
                return await self._judge(admission, environment, way, answer)
            return await self._ask(admission, await look(tool, self._app, environment), way)

    async def closed(self, tool: str, caller: Caller) -> Refused:
        """The refusal of a call that a credential does not open, whose arguments say nothing. It is written down."""
        entry = {"caller": caller.name, "client": caller.client, "tool": tool, "outcome": Outcome.DENIED}
        try:
            await self._write({name: value for name, value in entry.items() if value})
        except PolicyError as error:
            return Refused(f"{tool} was not done: {error}.")
        return Refused(_CLOSED.format(tool))

    async def waiting(self, token: str, caller: Caller) -> tuple[str, dict[str, Json]]:
        """The call that a token of `confirm_operation` stands for: its tool and arguments.

        Raises:
            Refused: It stands for none that this caller may confirm.
        """
        try:
            try:
                return await self._confirmations.waiting(token, caller)
            except Stopped as stopped:
                await self._write({"caller": caller.name, "tool": CONFIRM_OPERATION, "outcome": stopped.outcome})
                raise Refused(str(stopped)) from None
        except PolicyError as error:
            raise Refused(f"Nothing was done: {error}.") from None

    async def abandoned(self, tool: Tool, caller: Caller, question: Question) -> None:
        """Note that nobody will answer a question, since whoever asked has gone. Its token is used up."""
        try:
            await self._confirmations.void(question.token, caller)
            await self._record(
                Admission(tool, caller, self._decide(tool), plain=False, question=question.id), Outcome.LOST
            )
        except PolicyError as error:
            # Nobody is left to tell, and nothing was done.
            logger.error("a question about %s was left open: %s", tool.spec.name, error)  # noqa: TRY400

    async def unheard(self, tool: Tool, caller: Caller, answer: Answer) -> None:
        """Note that an answer came while there was no room for the call. It is not used up."""
        question = self._confirmations.name_of(answer.token)
        try:
            await self._record(
                Admission(tool, caller, self._decide(tool), plain=False, question=question), Outcome.BUSY
            )
        except PolicyError as error:
            logger.error("that %s found no room is not in the audit: %s", tool.spec.name, error)  # noqa: TRY400

    def running(self, admission: Admission, notes: list[str]) -> AbstractAsyncContextManager[None]:
        """Around the run of a call that was admitted: counts it, and writes down that it began and how it ended.

        Args:
            admission: The call.
            notes: Gets what the caller should know besides the result.

        Raises:
            Refused: The budget is used up by now, or the audit cannot be written; the block does not run.
        """
        return nullcontext() if admission.plain else self._recorded(admission, notes)

    @asynccontextmanager
    async def _recorded(self, admission: Admission, notes: list[str]) -> AsyncIterator[None]:
        """Around the run of a call that is counted and written down."""
        call, began = secrets.token_hex(8), time.monotonic()
        async with self._stopping(admission), self._told_if_cancelled(admission):
            if admission.tool.effect is Effect.DESTRUCTIVE:
                for budget in self._budgets:
                    await anyio.to_thread.run_sync(budget.take)
            await self._record(admission, Outcome.STARTED, call=call)
        outcome = Outcome.UNKNOWN
        try:
            yield
            outcome = Outcome.DONE
        except AppError as error:
            outcome = Outcome.UNKNOWN if error.outcome_unknown else Outcome.FAILED
            raise
        except ToolError:
            outcome = Outcome.FAILED
            raise
        except Undelivered:
            outcome = Outcome.DONE
            raise
        except Refused:
            outcome = Outcome.FAILED
            raise
        finally:
            milliseconds = round((time.monotonic() - began) * 1000, 1)
            # Also when the call was cancelled, which the audit is to tell.
            with anyio.CancelScope(shield=True):
                try:
                    await self._record(admission, outcome, call=call, duration_ms=milliseconds)
                except PolicyError as error:
                    logger.error("call %s of %s ended (%s): %s", call, admission.tool.spec.name, outcome, error)  # noqa: TRY400
                    notes.append(f"This is not in the audit, and nothing more is changed until it can be: {error}.")

    def delivery(self, admission: Admission) -> Delivery | None:
        """The file that the answer's credential goes to; None if the answer gives it or has none.

        Raises:
            Refused: The file cannot be made, so none should be minted.
        """
        if admission.decision.secrets is not Secrets.FILE:
            return None
        try:
            return self._ledger.delivery(admission.tool.spec.name)
        except PolicyError as error:
            raise Refused(f"{admission.tool.spec.name} was not done: {error}.") from None

    async def _check(self, admission: Admission, environment: Environment) -> None:
        """What no answer changes."""
        tool, decision, name = admission.tool, admission.decision, admission.tool.spec.name
        effect = tool.effect
        changes = effect is not Effect.READ
        if changes and self._read_only:
            raise Stopped(Outcome.DENIED, f"This server is read-only, and {name} changes something. Nothing was done.")
        if decision.action is Action.DENY:
            raise Stopped(Outcome.DENIED, f"{name} is denied: {decision.why}. Nothing was done.")
        await self._boundary.check(tool)
        if changes and self._dry_run:
            shown = preview_text(await look(tool, self._app, environment))
            first = " after a confirmation" if decision.action is Action.CONFIRM else ""
            raise Stopped(Outcome.DRY_RUN, f"Dry run, nothing was done. {name} would do this{first}.\n{shown}")
        if effect is Effect.DESTRUCTIVE:
            for budget in self._budgets:
                await anyio.to_thread.run_sync(budget.check)

    def _check_way(self, admission: Admission, way: Way) -> None:
        needs = f"{admission.tool.spec.name} needs a confirmation ({admission.decision.why})"
        if self.policy.confirm_via is ConfirmVia.DENY:
            raise Stopped(Outcome.DENIED, f"{needs}, and the operator's policy has nobody asked. Nothing was done.")
        if way is Way.TOKEN and self.policy.confirm_via is ConfirmVia.ELICIT:
            raise Stopped(Outcome.DENIED, f"{needs}. {_CANNOT_ASK}")

    async def _ask(self, admission: Admission, seen: Seen, way: Way, *, changed: bool = False) -> Question:
        """The question about a call, sealed."""
        tool, why = admission.tool, admission.decision.why
        type_name = _takes_name(admission, seen)
        if type_name:
            needs = f"{tool.spec.name} takes the name of what it touches, typed by a person"
            if typed_name(seen.preview) is None:
                problem = f"{needs}, and there is no name that could be read. Nothing was done."
                raise Stopped(Outcome.DENIED, f"{problem}\n{preview_text(seen)}")
            if way is Way.TOKEN:
                raise Stopped(Outcome.DENIED, f"{needs}. {_CANNOT_ASK}\n{preview_text(seen)}")
        token, name = await self._confirmations.open(tool, admission.caller, way, seen.fingerprint)
        await self._record(replace(admission, fingerprint=seen.fingerprint, question=name), Outcome.ASKED)
        text = message(tool, seen, why, changed=changed, type_name=type_name)
        return Question(name, tool.spec.name, text, token, type_name, self._confirmations.seconds)

    async def _judge(
        self, admission: Admission, environment: Environment, way: Way, answer: Answer
    ) -> Admission | Question:
        """What an answer comes to. It is used up, whatever it says."""
        tool, name = admission.tool, admission.tool.spec.name
        no = answer.reply is not Reply.ACCEPTED
        claims = await self._confirmations.redeem(answer.token, tool, admission.caller, way, late=no)
        admission = replace(admission, fingerprint=claims.fingerprint, question=claims.nonce)
        if no:
            raise Stopped(Outcome(answer.reply), f"{name} was not done: {_SAID[answer.reply]}.", admission)
        async with self._told_if_cancelled(admission):
            seen = await look(tool, self._app, environment)
        if seen.fingerprint != claims.fingerprint:
            await self._record(admission, Outcome.CHANGED)
            return await self._ask(admission, seen, way, changed=True)
        if _takes_name(admission, seen):
            if not is_typed(answer.typed, typed_name(seen.preview)):
                raise Stopped(Outcome.DECLINED, f"{name} was not done: what was typed is not its name.", admission)
        elif not answer.agreed:
            raise Stopped(Outcome.DECLINED, f"{name} was not done: {_SAID[Reply.DECLINED]}.", admission)
        update = seen.preview.last_known_update
        if update is not None and "last_known_update" in type(tool).model_fields:
            # The service then refuses what we cannot see: an edit between this look and the call. What the
            # caller gave does not stand against it: a time in the future would let every edit pass.
            admission = replace(admission, tool=tool.model_copy(update={"last_known_update": update}))
        return replace(admission, file=seen.preview.file)

    @asynccontextmanager
    async def _told_if_cancelled(self, admission: Admission) -> AsyncIterator[None]:
        """Inside, a call that is cancelled before it began is written down, though nothing was done."""
        try:
            yield
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._record(admission, Outcome.CANCELLED)
            raise

    @asynccontextmanager
    async def _stopping(self, admission: Admission) -> AsyncIterator[None]:
        """Inside, whatever stops the call is written down and becomes a refusal."""
        try:
            try:
                yield
            except Stopped as stopped:
                await self._record(stopped.admission or admission, stopped.outcome)
                raise Refused(str(stopped)) from None
        except PolicyError as error:
            raise Refused(f"{admission.tool.spec.name} was not done: {error}.") from None

    async def _record(self, admission: Admission, outcome: Outcome, **more: Json) -> None:
        tool, decision, caller = admission.tool, admission.decision, admission.caller
        entry: dict[str, Json] = {
            "caller": caller.name,
            "client": caller.client,
            "tool": tool.spec.name,
            "arguments": shown_arguments(tool),
            "decision": decision.action,
            "rule": decision.rule,
            "question": admission.question,
            "preview": admission.fingerprint,
            "outcome": outcome,
            **more,
        }
        await self._write({name: value for name, value in entry.items() if value not in (None, "")})

    async def _write(self, entry: dict[str, Json]) -> None:
        await anyio.to_thread.run_sync(self._ledger.audit.append, entry)

    def _decide(self, tool: Tool) -> Decision:
        arguments = tool.meant()
        if arguments.get("location_id", "") is None:
            arguments["location_id"] = self._app.location_id
        return self.policy.decide(tool.spec, arguments, tool.effect)


def _takes_name(admission: Admission, seen: Seen) -> bool:
    return admission.decision.type_name or seen.preview.type_subject


_CLOSED = "{} is not open to your credential. Nothing was done."
_CANNOT_ASK = (
    "This client cannot ask its user (it has no elicitation), so nothing was done. Use a client that can, or "
    "viam-mcp call on a terminal."
)
_SAID = {
    Reply.DECLINED: "it was declined",
    Reply.CANCELLED: "the question was dismissed",
    Reply.TIMED_OUT: "nobody answered in time",
    Reply.LOST: "whoever was asked has gone",
}
