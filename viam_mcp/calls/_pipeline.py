"""The pipeline that every call goes through: validate the arguments, ask the policy, run the tool, shape the answer.

Calls over MCP and calls from the shell go through it alike.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from viam_mcp.app import AppError
from viam_mcp.calls._arguments import parse, unknown_tool
from viam_mcp.calls._concurrency import ConcurrencyLimiter, call_limiter
from viam_mcp.calls._confirm_operation import ConfirmOperation, token_text
from viam_mcp.calls._limits import Busy, Kind, Limits
from viam_mcp.calls._self_check import check
from viam_mcp.logs import Tails
from viam_mcp.policy import LOCAL, Answer, Call, ConfirmVia, QuestionAsked, Refused, Reply, Secrets, TokenAsker
from viam_mcp.tools import (
    Done,
    Effect,
    Environment,
    ListTool,
    ToolError,
    Whole,
    as_text,
    collect,
    fit,
    sanitize,
    without_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Mapping

    from grpclib.const import Status

    from viam_mcp.app import AppClient
    from viam_mcp.policy import Admission, Asker, Caller, Gate, Question
    from viam_mcp.tools import Files, Progress, Tool

logger = logging.getLogger("viam_mcp.server")

Json = Any

DEFAULT_RESULT_BYTES = 65_536
"""The default for the largest result, in bytes of compact JSON."""

Watch = Callable[[str, str, float], None]
"""Called when a call has ended, with the tool, the outcome (see `Result.outcome`) and the seconds that it took."""

_UNLIMITED = 1 << 40


@dataclass(frozen=True)
class Result:
    """The end of a call.

    Attributes:
        data: The structured answer; None for an error.
        text: The same as text, or what went wrong.
        question: The question that has to be answered before anything is done; None if there is none.
        outcome: The same in a word, for metrics: ok, asked, invalid, refused, busy, fault, or the status that the Viam
            app gave, such as NOT_FOUND.
        status: The status that the Viam app gave; None if it gave none, or the call was done.
    """

    data: dict[str, Json] | None
    text: str
    question: Question | None = None
    outcome: str = "ok"
    status: Status | None = None

    @property
    def is_error(self) -> bool:
        """Whether the call was not done."""
        return self.data is None


class Pipeline:
    """Runs calls against one fleet.

    Args:
        tools: The tools that may be called, by name.
        closed: The tools of the server that the caller's credential does not open.
        effects: What calls may do, as far as the caller's credential opens it.
        app: The fleet.
        gate: Decides which calls run.
        files: The folder that tools may use; None for none.
        max_result_bytes: How large a result may be, in bytes of compact JSON.
        tails: Follows the logs of the fleet; None for those that all pipelines with `app` share.
        limiter: Limits the calls that run at the same time, together with other pipelines; None for limits of its own.
        key: The id of the key that `app` uses, where callers bring their own: it stands beside the caller in the
            audit, and confirmations given with one key are good with no other.
        watch: Called when a call has ended.

    Attributes:
        active: How many calls are running.
        tails: Follows the logs of the fleet.
        asks: Whether any call may lead to a question.
        confirming: `confirm_operation`, for clients that cannot ask their user, if any call may lead to a question.
    """

    def __init__(
        self,
        tools: Mapping[str, type[Tool]],
        app: AppClient,
        gate: Gate,
        *,
        closed: Mapping[str, type[Tool]] | None = None,
        effects: Collection[Effect] = tuple(Effect),
        files: Files | None = None,
        max_result_bytes: int = DEFAULT_RESULT_BYTES,
        tails: Tails | None = None,
        limiter: ConcurrencyLimiter | None = None,
        key: str = "",
        watch: Watch | None = None,
    ) -> None:
        self.tools = tools
        self._closed = closed or {}
        self._gate = gate
        self._files = files
        self._budget = max_result_bytes
        self.tails = tails or Tails.shared(app)
        self._limiter = limiter or call_limiter(Limits())
        self._key = key
        self._watch = watch
        self.active = 0
        self.asks = any(gate.may_ask(tool, self._effects(tool, effects)) for tool in tools.values())
        tokens = gate.policy.confirm_via is ConfirmVia.TOKEN and self.asks
        self.confirming: dict[str, type[Tool]] = {ConfirmOperation.spec.name: ConfirmOperation} if tokens else {}

    def _effects(self, tool: type[Tool], opened: Collection[Effect]) -> list[Effect]:
        """Return what calls of a tool may do here. Without a folder for files, no call writes one."""
        may = tool.effects() if self._files is not None else (tool.spec.effect,)
        return [effect for effect in may if effect in opened]

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Json],
        progress: Progress,
        caller: Caller = LOCAL,
        asker: Asker | None = None,
    ) -> Result:
        """Run one call to its end. Whatever goes wrong comes back as an error result.

        Args:
            name: The tool.
            arguments: Its arguments, not validated yet.
            progress: Where the call says how far it has come.
            caller: Who calls.
            asker: How a question is asked; None for a client that cannot ask.
        """
        if self._key:
            caller = replace(caller, key=self._key)
        began, result = time.monotonic(), None
        self.active += 1
        try:
            result = await self._call(name, arguments, progress, caller, asker or TokenAsker())
            return result
        finally:
            self.active -= 1
            if self._watch is not None:
                known = name in self.tools or name in self._closed or name in self.confirming
                tool = name if known else "unknown"
                self._watch(tool, "cancelled" if result is None else result.outcome, time.monotonic() - began)

    async def question_text(self, operation: str, caller: Caller) -> str:
        """Return all that an open question shows, for the caller who was asked.

        Raises:
            Refused: There is none.
        """
        return await self._gate.question_text(operation, replace(caller, key=self._key) if self._key else caller)

    @property
    def is_scoped(self) -> bool:
        """Whether the policy limits calls to some organizations or locations."""
        return bool(self._gate.policy.scope)

    async def is_inside(self, name: str, arguments: Mapping[str, Json]) -> bool:
        """Return whether what a call reads is still in the scope. Where that cannot be read now, it is taken to be."""
        return await self._gate.is_inside(parse(self.tools[name], arguments))

    async def _call(
        self, name: str, arguments: Mapping[str, Json], progress: Progress, caller: Caller, asker: Asker
    ) -> Result:
        began = False
        try:
            tool = await self._parsed(name, arguments, caller)
            if isinstance(tool, ConfirmOperation):
                asker = TokenAsker(Answer(tool.operation_id, Reply.ACCEPTED, agreed=True))
                tool = await self._parsed(*await self._gate.pending_call(tool.operation_id, caller), caller)
            environment = Environment(files=self._files, progress=progress, tails=self.tails, budget=self._budget)
            call = Call(tool, caller, environment)
            take_slot = partial(self._limiter.take, caller.account, call.name)
            limited_asker = _LimitedAsker(asker, self._limiter.limits, caller.account)
            async with self._gate.admitted(call, limited_asker, take_slot) as admission:
                began = True
                data = await self._run(admission)
            if environment.notes:
                data["warnings"] = [*data.get("warnings", []), *environment.notes]
            check(tool.spec, data)
            return Result(data, as_text(tool.spec.returns, data))
        except QuestionAsked as asked:
            return Result(None, token_text(asked.question), asked.question, outcome="asked")
        except (ToolError, AppError, Refused) as error:
            status = error.status if isinstance(error, AppError) else None
            return Result(None, without_secrets(sanitize(str(error))), outcome=_outcome(error), status=status)
        except Exception:
            # The caller learns only that the server failed: the text of an unforeseen exception may hold anything.
            logger.exception("call of %s failed", name)
            done = "Whether anything was done is not known." if began else "Nothing was done."
            return Result(None, f"{name} failed inside this server, whose log says more. {done}", outcome="fault")

    async def _parsed(self, name: str, arguments: Mapping[str, Json], caller: Caller) -> Tool:
        kind = self.tools.get(name) or self.confirming.get(name)
        if kind is not None:
            return parse(kind, arguments)
        if name not in self._closed:
            raise unknown_tool(name, self.tools)
        # The gate refuses what the caller's credential does not open, and records it.
        try:
            return parse(self._closed[name], arguments)
        except ToolError:
            raise await self._gate.refusal_of_closed(name, caller) from None

    async def _run(self, admission: Admission) -> dict[str, Json]:
        """Return the tool's answer as JSON, with a credential in it given as the policy says."""
        async with admission.delivery() as delivery:
            shape = await self._answer(admission)
            if delivery is not None and (whole := await shape(True, _UNLIMITED)) != await shape(False, _UNLIMITED):
                admission.environment.notes.append(await delivery.write(whole))
            return await shape(admission.secrets is Secrets.REVEAL, self._budget)

    async def _answer(self, admission: Admission) -> Callable[[bool, int], Awaitable[dict[str, Json]]]:
        """Run the tool, and return what gives its answer as JSON: with credentials or without, in so many bytes."""
        tool, environment = admission.tool, admission.environment
        returns = tool.spec.returns
        # The name of a thing cannot be read any more when the thing is deleted.
        subject = await tool.subject(admission.app) if isinstance(returns, Done) else None
        value = await tool.execute(admission.app, environment)
        if isinstance(tool, ListTool):

            async def listed(reveal: bool, budget: int) -> dict[str, Json]:
                return await collect(tool, admission.app, reveal=reveal, budget=budget, environment=environment)

            return listed

        if not isinstance(returns, Whole):
            raise TypeError(f"{tool.spec.name} returns a list and is none")

        async def one(reveal: bool, budget: int) -> dict[str, Json]:
            data, warnings = fit(returns.encode(value if subject is None else subject, reveal=reveal), budget)
            if warnings:
                data["warnings"] = warnings
            return data

        return one


class _LimitedAsker:
    """An asker of a caller who may have only so many questions open.

    Args:
        asker: Asks.
        limits: The limits, which bound how many questions a caller has open.
        account: The name that the caller's questions count for.
    """

    def __init__(self, asker: Asker, limits: Limits, account: str) -> None:
        self.way = asker.way
        self.carries = asker.carries
        self.answer = asker.answer
        self._asker = asker
        self._limits = limits
        self._account = account

    async def ask(self, question: Question) -> Answer | None:
        """Ask, unless the caller has too many questions open.

        Raises:
            Busy: There are too many.
        """
        with self._limits.take(Kind.QUESTIONS, self._account):
            return await self._asker.ask(question)


def _outcome(error: ToolError | AppError | Refused) -> str:
    if isinstance(error, AppError):
        return str(error.status.name)
    if isinstance(error, Busy):
        return "busy"
    return "refused" if isinstance(error, Refused) else "invalid"
