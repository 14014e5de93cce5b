"""The gate: the one place that decides whether a call runs.

A call comes in and is admitted, or refused, or there is a question to be answered first. Whoever asks the
question, in whatever way, brings the answer back here, and it is judged here.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from viam_mcp.app import AppError
from viam_mcp.policy._budget import Budget
from viam_mcp.policy._credentials import Delivery
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy._question import (
    Answer,
    Question,
    Reply,
    Seen,
    Way,
    is_typed,
    look,
    message,
    preview_text,
    typed_name,
)
from viam_mcp.policy._rules import Action, ConfirmVia, Decision, Policy, Secrets, canonical
from viam_mcp.policy._scope import Boundary
from viam_mcp.policy._shelf import FolderShelf, MemoryShelf
from viam_mcp.policy._shown import shown_arguments
from viam_mcp.policy._tokens import Claims, InvalidToken, Seal, digest
from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.policy._audit import Audit
    from viam_mcp.policy._shelf import Shelf
    from viam_mcp.tools import Environment, Tool

Json = Any


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        id: Who it is, as far as that is authenticated; "local" for this computer's own user.
        client: The program, as it names itself.
    """

    id: str = "local"
    client: str = ""


LOCAL = Caller()
"""The user of this computer, whose client did not say what it is."""


@dataclass(frozen=True)
class Admission:
    """A call that may run.

    Attributes:
        tool: The call, with what the gate has added to its arguments.
        decision: What admitted it.
        plain: Whether it neither changes anything nor gives a credential.
        caller: Who calls.
        fingerprint: The digest of what was shown before it was confirmed, if it was.
        question: What names the question that was answered, if there was one.
    """

    tool: Tool
    decision: Decision
    plain: bool
    caller: Caller
    fingerprint: str | None = None
    question: str | None = None


class Gate:
    """Decides about calls to one fleet.

    Args:
        policy: What the operator decided.
        app: The fleet.
        audit: Where decisions and changes are written.
        state: The folder for what outlasts a call: delivered credentials, answered questions.
        keys: What seals questions, shared by the processes that may get the answer; None for one process.
        read_only: Refuse everything that changes something.
        dry_run: Answer everything that changes something with its preview, and do nothing.
        clock: Seconds since 1970.

    Raises:
        PolicyError: A key is too short.
    """

    def __init__(
        self,
        policy: Policy,
        app: AppClient,
        *,
        audit: Audit,
        state: Path,
        keys: Sequence[bytes] | None = None,
        read_only: bool = False,
        dry_run: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.policy = policy
        self._app = app
        self._audit = audit
        self._state = state
        self._seal = Seal(keys)
        # Without shared keys no other process can open our tokens, so none has to know which were answered.
        self._shelf: Shelf = MemoryShelf(clock) if keys is None else FolderShelf(state / "spent", clock)
        self._read_only = read_only
        self._dry_run = dry_run
        self._clock = clock
        self._budget = Budget(policy.destructive_per_hour)
        self.boundary = Boundary(policy.scope, app)

    def may_ask(self, tool: type[Tool]) -> bool:
        """Whether there may be a question about calls of this tool."""
        if self.policy.confirm_via is ConfirmVia.DENY or (
            (self._read_only or self._dry_run) and tool.spec.effect is not Effect.READ
        ):
            return False
        settled = self.policy.settled(tool.spec)
        return settled is None or settled.action is Action.CONFIRM

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
            PolicyError: What a decision needs cannot be used, so it does not run.
        """
        spec = tool.spec
        decision = self.policy.settled(spec) or self.policy.decide(spec, tool.model_dump(mode="json"))
        plain = spec.effect is Effect.READ and decision.secrets is Secrets.REDACT
        if plain and decision.action is Action.ALLOW and not self.policy.scope:
            return Admission(tool, decision, plain, caller)
        admission = Admission(tool, decision, plain, caller)
        try:
            await self._check(admission, environment)
            if decision.action is Action.ALLOW:
                return admission
            self._check_way(admission, way)
            if answer is None:
                return await self._ask(admission, environment, way)
            return await self._judge(admission, environment, way, answer)
        except _Stopped as stopped:
            await self._record(stopped.admission or admission, stopped.outcome)
            raise Refused(str(stopped)) from None

    async def _check(self, admission: Admission, environment: Environment) -> None:
        """What no answer changes."""
        tool, decision = admission.tool, admission.decision
        changes = tool.spec.effect is not Effect.READ
        if changes and self._read_only:
            raise _Stopped("denied", f"This server is read-only: {tool.spec.name} changes something. Nothing was done.")
        if decision.action is Action.DENY:
            raise _Stopped("denied", f"{tool.spec.name} is denied: {decision.why}. Nothing was done.")
        try:
            await self.boundary.check(tool)
        except Refused as refused:
            raise _Stopped("out of scope", str(refused)) from None
        if changes and self._dry_run:
            shown = preview_text(tool, await look(tool, self._app, environment))
            asks = " A person would be asked first." if decision.action is Action.CONFIRM else ""
            raise _Stopped("dry run", f"Dry run: nothing was done. {tool.spec.name} would do this.{asks}\n{shown}")
        if tool.spec.effect is Effect.DESTRUCTIVE:
            try:
                self._budget.check()
            except Refused as refused:
                raise _Stopped("over budget", f"{refused} Nothing was done.") from None

    def _check_way(self, admission: Admission, way: Way) -> None:
        name, via = admission.tool.spec.name, self.policy.confirm_via
        needs = f"{name} needs a confirmation ({admission.decision.why})"
        if via is ConfirmVia.DENY:
            raise _Stopped("denied", f"{needs}, and the operator's policy has nobody asked. Nothing was done.")
        if way is Way.TOKEN and via is ConfirmVia.ELICIT:
            raise _Stopped(
                "denied",
                f"{needs}, and this client cannot ask its user (it has no elicitation). Nothing was done. Use a "
                "client that can, or viam-mcp call on a terminal.",
            )

    async def _ask(
        self,
        admission: Admission,
        environment: Environment,
        way: Way,
        *,
        changed: bool = False,
        seen: Seen | None = None,
    ) -> Question:
        """The question about a call, sealed."""
        tool = admission.tool
        seen = seen or await look(tool, self._app, environment)
        type_name = admission.decision.type_name or seen.preview.type_subject
        if type_name and typed_name(seen.preview) is None:
            raise _Stopped(
                "denied",
                f"{tool.spec.name} takes the name of what it touches, typed by a person, and that name could not be "
                f"read. Nothing was done.\n{preview_text(tool, seen)}",
            )
        if type_name and way is Way.TOKEN:
            raise _Stopped(
                "denied",
                f"{tool.spec.name} takes the name of what it touches, typed by a person, and this client cannot ask "
                f"its user (it has no elicitation). Nothing was done. Use a client that can, or viam-mcp call on a "
                f"terminal.\n{preview_text(tool, seen)}",
            )
        arguments = canonical(tool.model_dump(mode="json"))
        claims = Claims(
            way=way,
            tool=tool.spec.name,
            arguments=digest(arguments),
            caller=admission.caller.id,
            fingerprint=seen.fingerprint,
            expires=self._clock() + self.policy.confirm_seconds,
            nonce=secrets.token_hex(16),
        )
        if way is Way.TOKEN:
            # Arguments may be long, and a model has to repeat the token: so they stay here.
            call = json.dumps(tool.model_dump(mode="json", exclude_unset=True)).encode()
            sealed = self._seal.close(call, f"call {claims.nonce}")
            await anyio.to_thread.run_sync(self._shelf.put, f"call-{claims.nonce}", sealed, claims.expires)
        await self._record(replace(admission, fingerprint=seen.fingerprint, question=claims.nonce), "asked")
        text = message(tool, seen, admission.decision.why, changed=changed, type_name=type_name)
        return Question(tool.spec.name, text, self._seal.seal(claims), type_name, self.policy.confirm_seconds)

    async def _judge(
        self, admission: Admission, environment: Environment, way: Way, answer: Answer
    ) -> Admission | Question:
        """What an answer comes to. It is used up, whatever it says."""
        tool, name = admission.tool, admission.tool.spec.name
        claims = self._claims(answer.token, name, admission.caller)
        if claims.way != way or claims.tool != name:
            raise _Stopped("wrong answer", f"The confirmation is for another call, so {name} was not done.")
        if claims.arguments != digest(canonical(tool.model_dump(mode="json"))):
            raise _Stopped("wrong answer", f"The confirmation is for other arguments, so {name} was not done.")
        admission = replace(admission, fingerprint=claims.fingerprint, question=claims.nonce)
        # Not yet known to be unused, but whoever comes second is refused here.
        if not await anyio.to_thread.run_sync(self._shelf.put, f"spent-{claims.nonce}", b"", claims.expires):
            raise _Stopped(
                "wrong answer", f"The confirmation was used before, and is good for once. {name} was not done again."
            )
        if answer.reply is not Reply.ACCEPTED:
            raise _Stopped(answer.reply, f"{name} was not done: {_SAID[answer.reply]}.", admission)
        seen = await look(tool, self._app, environment)
        if seen.fingerprint != claims.fingerprint:
            await self._record(admission, "changed")
            return await self._ask(admission, environment, way, changed=True, seen=seen)
        if admission.decision.type_name or seen.preview.type_subject:
            expected = typed_name(seen.preview)
            if expected is None or not is_typed(answer.typed, expected):
                raise _Stopped("declined", f"{name} was not done: the name that was typed is not its name.", admission)
        update = seen.preview.last_known_update
        if update is not None and getattr(tool, "last_known_update", update) is None:
            # The service then refuses what we cannot see: an edit between this look and the call.
            admission = replace(admission, tool=tool.model_copy(update={"last_known_update": update}))
        return admission

    def _claims(self, token: str, name: str, caller: Caller) -> Claims:
        """The claims of a token, if it is this caller's and still good."""
        try:
            claims = self._seal.open(token)
        except InvalidToken as error:
            raise _Stopped("wrong answer", f"The confirmation is not valid: {error}. {name} was not done.") from None
        if claims.caller != caller.id:
            raise _Stopped("wrong answer", f"The confirmation was given to another caller. {name} was not done.")
        if claims.expires <= self._clock():
            raise _Stopped(
                "expired", f"The confirmation has expired. {name} was not done; ask for it again if it is still wanted."
            )
        return claims

    def waiting(self, token: str, caller: Caller) -> tuple[str, dict[str, Json]]:
        """The call that a token of `confirm_operation` stands for: its tool and arguments.

        Raises:
            Refused: It stands for none that this caller may confirm.
        """
        try:
            claims = self._claims(token, "The operation", caller)
            sealed = self._shelf.get(f"call-{claims.nonce}") if claims.way == Way.TOKEN else None
            if sealed is None:
                raise _Stopped("wrong answer", "The confirmation stands for no call that waits. Nothing was done.")
            return claims.tool, json.loads(self._seal.disclose(sealed, f"call {claims.nonce}"))
        except (_Stopped, InvalidToken) as error:
            raise Refused(str(error)) from None

    async def abandoned(self, tool: Tool, caller: Caller, question: Question) -> None:
        """Note that nobody will answer a question: whoever asked has gone. Its token is used up."""
        claims = self._seal.open(question.token)
        await anyio.to_thread.run_sync(self._shelf.put, f"spent-{claims.nonce}", b"", claims.expires)
        decision = self.policy.decide(tool.spec, tool.model_dump(mode="json"))
        admission = Admission(tool, decision, False, caller, claims.fingerprint, claims.nonce)
        await self._record(admission, Reply.LOST)

    @asynccontextmanager
    async def running(self, admission: Admission, notes: list[str]) -> AsyncIterator[None]:
        """Around the run of a call that was admitted: counts it, and writes down that it began and how it ended.

        Args:
            admission: The call.
            notes: Gets what the caller should know besides the result.

        Raises:
            Refused: The budget is used up by now; the block does not run.
            PolicyError: The audit cannot be written; the block does not run.
        """
        if admission.plain:
            yield
            return
        if admission.tool.spec.effect is Effect.DESTRUCTIVE:
            self._budget.take()
        call, began = secrets.token_hex(8), time.monotonic()
        await self._record(admission, "started", call=call)
        outcome = "unknown"
        try:
            yield
            outcome = "done"
        except AppError as error:
            outcome = "unknown" if error.outcome_unknown else "failed"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            milliseconds = round((time.monotonic() - began) * 1000, 1)
            # Also when the call was cancelled, which the audit is to tell.
            with anyio.CancelScope(shield=True):
                try:
                    await self._record(admission, outcome, call=call, duration_ms=milliseconds)
                except PolicyError as error:
                    notes.append(f"This is not in the audit, and nothing more is changed until it can be: {error}")

    def delivery(self, admission: Admission) -> Delivery | None:
        """The file that the answer's credential goes to; None if the answer gives it or has none.

        Raises:
            PolicyError: The file cannot be made.
        """
        if admission.decision.secrets is not Secrets.FILE:
            return None
        return Delivery(self._state / "secrets", admission.tool.spec.name)

    async def _record(self, admission: Admission, outcome: str, **more: Json) -> None:
        tool, decision, caller = admission.tool, admission.decision, admission.caller
        entry: dict[str, Json] = {
            "caller": caller.id,
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
        await anyio.to_thread.run_sync(
            self._audit.append, {name: value for name, value in entry.items() if value not in (None, "")}
        )


class _Stopped(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call does not run: how the audit names it, and what the caller is told."""

    def __init__(self, outcome: str, text: str, admission: Admission | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.admission = admission


_SAID = {
    Reply.DECLINED: "it was declined",
    Reply.CANCELLED: "the question was dismissed",
    Reply.TIMED_OUT: "nobody answered in time",
    Reply.LOST: "whoever was asked has gone",
}
