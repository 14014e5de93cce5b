"""Records calls in the store: what was decided, that a call began, and how it ended.

A change of state and the audit's line about it are one transaction.
"""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

from viam_mcp.app import AppError
from viam_mcp.policy._call import Stopped
from viam_mcp.policy._digests import caller_digest, digest
from viam_mcp.policy._errors import PolicyError, Refused
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.record._credentials import Undelivered
from viam_mcp.policy.record._entries import entry_of
from viam_mcp.tools import Effect, ToolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from viam_mcp.policy._call import DecidedCall
    from viam_mcp.policy.record._store import LazyStore
    from viam_mcp.policy.rules._rules import Policy
    from viam_mcp.store import BudgetUsedUp, Run, Transaction

Json = Any

logger = logging.getLogger("viam_mcp.policy")


class Recorder:
    """Records the calls to one fleet.

    Args:
        store: Where calls are recorded.
        budgets: The budgets that a destructive call counts for: how many calls each allows in an hour, by its name.
        fleet: The fleet, and the account that calls are made with there.
    """

    def __init__(self, store: LazyStore, budgets: Mapping[str, int], fleet: str) -> None:
        self._store = store
        self._budgets = budgets
        self._fleet = fleet
        # Ends of calls that could not be recorded when the calls ended. The next beginning of a call records them.
        self._unrecorded: list[Callable[[Transaction], None]] = []

    async def write_line(self, **entry: Json) -> None:
        """Write a line of the audit. Members without a value are left out.

        Raises:
            PolicyError: It cannot be written.
        """
        line = {name: value for name, value in entry.items() if value not in (None, "")}
        await self._store.write(lambda tx: tx.audit.append(line))

    async def record_stop(self, call: DecidedCall, outcome: Outcome) -> None:
        """Record that a call does not run. The operation that it would have carried out ends.

        Raises:
            PolicyError: It cannot be recorded.
        """
        await self._store.write(lambda tx: self._stop(tx, call, outcome))

    async def check_budgets(self) -> None:
        """Return if one more destructive call may run.

        Raises:
            Stopped: A budget is used up.
            PolicyError: The budgets cannot be read.
        """
        if not self._budgets:
            return
        from viam_mcp.store import BudgetUsedUp

        try:
            await self._store.read(lambda tx: tx.budgets.check(self._budgets))
        except BudgetUsedUp as error:
            raise _over_budget(error) from None

    @asynccontextmanager
    async def refusing(self, call: DecidedCall) -> AsyncIterator[None]:
        """Inside, whatever stops the call is recorded and becomes a refusal."""
        try:
            try:
                yield
            except Stopped as stopped:
                await self.record_stop(stopped.decided or call, stopped.outcome)
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
                    await self.record_stop(call, Outcome.CANCELLED)
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
            Refused: A budget is used up, the operation was carried out before, or the store cannot be written. The
                block does not run.
        """
        began = time.monotonic()
        async with self.refusing(call), self.recording_cancellation(call):
            run = await self._begin(call)
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
                await self._end(call, run, outcome, milliseconds, notes)

    async def _begin(self, call: DecidedCall) -> Run:
        from viam_mcp.store import BudgetUsedUp, OperationConflict

        budgets = self._budgets if call.tool.effect is Effect.DESTRUCTIVE else {}
        who = caller_digest(call.caller, self._fleet)
        late, self._unrecorded = self._unrecorded, []

        def work(tx: Transaction) -> Run:
            for record in late:
                record(tx)
            tx.budgets.take(budgets)
            run = tx.runs.start(entry_of(call, Outcome.UNKNOWN), call.operation, who)
            tx.audit.append(entry_of(call, Outcome.STARTED, call=run.id))
            return run

        try:
            begun = await self._store.write(work)
        except BaseException as error:
            self._unrecorded = [*late, *self._unrecorded]
            if isinstance(error, BudgetUsedUp):
                raise _over_budget(error) from None
            if isinstance(error, OperationConflict):
                name = call.tool.spec.name
                raise Stopped(
                    Outcome.WRONG_ANSWER, f"The confirmation is good no more: it is {error.state}. {name} was not done."
                ) from None
            raise
        return begun

    async def _end(self, call: DecidedCall, run: Run, outcome: Outcome, milliseconds: float, notes: list[str]) -> None:
        from viam_mcp.store import State

        def work(tx: Transaction) -> None:
            tx.runs.finish(run, State(outcome.value), outcome.value)
            tx.audit.append(entry_of(call, outcome, call=run.id, duration_ms=milliseconds))

        try:
            await self._store.write(work)
        except PolicyError as error:
            self._unrecorded.append(work)
            logger.error("run %s of %s ended (%s): %s", run.id, call.tool.spec.name, outcome, error)  # noqa: TRY400
            notes.append(f"This is not in the audit yet, and nothing more is changed until it can be: {error}.")

    def _stop(self, tx: Transaction, call: DecidedCall, outcome: Outcome) -> None:
        from viam_mcp.store import OperationConflict

        if call.operation is not None:
            with suppress(OperationConflict):
                tx.operations.void(call.operation, caller_digest(call.caller, self._fleet), outcome)
        tx.audit.append(entry_of(call, outcome))


def budgets_of(policies: Iterable[Policy]) -> dict[str, int]:
    """Return how many destructive calls policies allow in an hour, by the names of their budgets."""
    limits: dict[str, int] = {}
    for policy in policies:
        if (limit := policy.destructive_per_hour) is not None:
            for name in map(digest, policy.budgets):
                limits[name] = min(limit, limits.get(name, limit))
    return limits


def _outcome_of(error: BaseException) -> Outcome:
    """Return what became of a call whose run raised this error."""
    if isinstance(error, AppError):
        return Outcome.UNKNOWN if error.outcome_unknown else Outcome.FAILED
    if isinstance(error, Undelivered):
        return Outcome.DONE
    return Outcome.FAILED if isinstance(error, ToolError | Refused) else Outcome.UNKNOWN


def _over_budget(error: BudgetUsedUp) -> Stopped:
    advice = "The policy allows none."
    if error.seconds is not None:
        minutes = int(error.seconds // 60) + 1
        advice = f"The next one may run in {minutes} min; the operator's policy sets destructive_per_hour."
    return Stopped(
        Outcome.OVER_BUDGET,
        f"The budget of {error.limit} destructive calls an hour is used up. Nothing was done. {advice}",
    )
