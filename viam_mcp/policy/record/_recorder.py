"""Writes calls into the audit: what was decided, that a call began, and how it ended."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from viam_mcp.app import AppError
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.record._credentials import Undelivered
from viam_mcp.policy.record._shown import shown_arguments
from viam_mcp.tools import Effect, ToolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from viam_mcp.policy._call import DecidedCall
    from viam_mcp.policy.record._audit import Audit
    from viam_mcp.policy.record._budget import Budget

Json = Any

logger = logging.getLogger("viam_mcp.policy")


class Recorder:
    """The record of calls: the audit, and the budgets that calls count for.

    Args:
        audit: Where entries are written.
        budgets: The budgets that every destructive call counts for.
    """

    def __init__(self, audit: Audit, budgets: Sequence[Budget]) -> None:
        self._audit = audit
        self._budgets = budgets

    async def write(self, **entry: Json) -> None:
        """Write an entry. Members without a value are left out.

        Raises:
            PolicyError: It cannot be written.
        """
        await anyio.to_thread.run_sync(
            self._audit.append, {name: value for name, value in entry.items() if value not in (None, "")}
        )

    async def record(self, call: DecidedCall, outcome: Outcome, /, **more: Json) -> None:
        """Write an entry about a call.

        Raises:
            PolicyError: It cannot be written.
        """
        tool, decision, caller = call.tool, call.decision, call.caller
        await self.write(
            caller=caller.name,
            client=caller.client,
            tool=tool.spec.name,
            arguments=shown_arguments(tool),
            decision=decision.action,
            rule=decision.rule,
            question=call.question,
            preview=call.fingerprint,
            outcome=outcome,
            **more,
        )

    async def check_budgets(self) -> None:
        """Return if one more destructive call may run.

        Raises:
            Stopped: A budget is used up.
            PolicyError: A budget cannot be read.
        """
        for budget in self._budgets:
            await anyio.to_thread.run_sync(budget.check)

    @asynccontextmanager
    async def refusing(self, call: DecidedCall) -> AsyncIterator[None]:
        """Inside, whatever stops the call is recorded and becomes a refusal."""
        try:
            try:
                yield
            except Stopped as stopped:
                await self.record(stopped.decided or call, stopped.outcome)
                raise Refused(str(stopped)) from None
        except PolicyError as error:
            raise Refused(f"{call.tool.spec.name} was not done: {error}.") from None

    @asynccontextmanager
    async def recording_cancellation(self, call: DecidedCall) -> AsyncIterator[None]:
        """Inside, a cancellation is recorded: somebody agreed to the call, and it was not begun."""
        try:
            yield
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                try:
                    await self.record(call, Outcome.CANCELLED)
                except PolicyError as error:
                    # Nobody is left to tell, and nothing was done.
                    logger.error("that %s was cancelled is not in the audit: %s", call.tool.spec.name, error)  # noqa: TRY400
            raise

    @asynccontextmanager
    async def running(self, call: DecidedCall, notes: list[str]) -> AsyncIterator[None]:
        """Count a call, and record that it began and how it ended. The block is its run.

        Args:
            call: The call.
            notes: Gets what the caller should know besides the result.

        Raises:
            Refused: A budget is used up, or the audit cannot be written. The block does not run.
        """
        run, began = secrets.token_hex(8), time.monotonic()
        async with self.refusing(call), self.recording_cancellation(call):
            if call.tool.effect is Effect.DESTRUCTIVE:
                for budget in self._budgets:
                    await anyio.to_thread.run_sync(budget.take)
            await self.record(call, Outcome.STARTED, call=run)
        outcome = Outcome.UNKNOWN
        try:
            yield
            outcome = Outcome.DONE
        except BaseException as error:
            outcome = _outcome_of(error)
            raise
        finally:
            milliseconds = round((time.monotonic() - began) * 1000, 1)
            # A call that was cancelled is recorded as well.
            with anyio.CancelScope(shield=True):
                try:
                    await self.record(call, outcome, call=run, duration_ms=milliseconds)
                except PolicyError as error:
                    logger.error("call %s of %s ended (%s): %s", run, call.tool.spec.name, outcome, error)  # noqa: TRY400
                    notes.append(f"This is not in the audit, and nothing more is changed until it can be: {error}.")


def _outcome_of(error: BaseException) -> Outcome:
    """Return what became of a call whose run raised this error."""
    if isinstance(error, AppError):
        return Outcome.UNKNOWN if error.outcome_unknown else Outcome.FAILED
    if isinstance(error, Undelivered):
        return Outcome.DONE
    return Outcome.FAILED if isinstance(error, ToolError | Refused) else Outcome.UNKNOWN
