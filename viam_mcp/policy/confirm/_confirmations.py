"""Confirmations: each is an operation of the store, which can be answered once, by its caller, about what was shown.

Every change of an operation and the audit's line about it are one transaction.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from viam_mcp.policy._call import Stopped
from viam_mcp.policy._digests import caller_digest, digest
from viam_mcp.policy._errors import PolicyError
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.confirm._question import Reply, Way
from viam_mcp.policy.record._entries import entry_of, subjects_of
from viam_mcp.policy.rules._text import canonical
from viam_mcp.tools import code_of, size_of

if TYPE_CHECKING:
    from viam_mcp.policy._call import Caller, DecidedCall
    from viam_mcp.policy.confirm._asker import Asker
    from viam_mcp.policy.confirm._question import Answer
    from viam_mcp.policy.record._store import LazyStore
    from viam_mcp.store import Operation, Transaction
    from viam_mcp.tools import Tool

Json = Any

_ID = re.compile(r"op-[0-9a-z]{4}-[0-9a-z]{4}")


@dataclass(frozen=True)
class Wording:
    """What a question is to show.

    Attributes:
        text: All of it.
        fingerprint: The digest of everything that an answer is bound to.
        way: How it is asked.
    """

    text: str
    fingerprint: str
    way: Way


class Confirmations:
    """The confirmations of calls to one fleet.

    Args:
        store: Where operations are.
        seconds: How long a question stays open.
        fleet: The fleet, and the account that calls are made with there. An answer is good for one fleet.
    """

    def __init__(self, store: LazyStore, seconds: float, fleet: str) -> None:
        self.seconds = seconds
        self._store = store
        self._fleet = fleet

    async def ask(self, call: DecidedCall, wording: Wording) -> str:
        """Store a question about a call.

        Args:
            call: The call. If it carries out an operation already, the question is asked again because the target has
                changed: that operation ends.
            wording: What the question shows.

        Returns:
            The id of the operation.

        Raises:
            PolicyError: It cannot be stored.
        """
        from viam_mcp.store import NewOperation, OperationConflict, RoomFull

        tool, caller = call.tool, call.caller

        def work(tx: Transaction) -> str:
            if call.operation is not None:
                with suppress(OperationConflict):
                    tx.operations.void(call.operation, caller_digest(caller, self._fleet), Outcome.CHANGED)
                tx.audit.append(entry_of(call, Outcome.CHANGED))
            new = NewOperation(
                caller=caller_digest(caller, self._fleet),
                # A caller who brings a new key with every call has the room of one caller.
                owner=digest(caller.account),
                tool=tool.spec.name,
                arguments=json.dumps(tool.model_dump(mode="json", exclude_unset=True)),
                preview=wording.text,
                fingerprint=wording.fingerprint,
                rule=call.decision.rule or "",
                way=wording.way,
                expires=tx.now + self.seconds,
                client=caller.client,
                requester=caller.name,
                subjects=tuple(subjects_of(tool)),
            )
            operation = tx.operations.ask(new).id
            asked = replace(call, operation=operation, fingerprint=wording.fingerprint)
            tx.audit.append(entry_of(asked, Outcome.ASKED))
            return operation

        try:
            return await self._store.write(work)
        except RoomFull as error:
            raise PolicyError(str(error)) from None

    async def pending(self, operation: str, caller: Caller) -> tuple[str, dict[str, Json]]:
        """Return the tool and the arguments of an operation whose question was the result of a call.

        Raises:
            Stopped: There is none that this caller may confirm.
            PolicyError: The store cannot be read.
        """
        from viam_mcp.store import State

        found = await self._store.read(lambda tx: self._find(tx, operation, caller))
        if found is None or found.way != Way.TOKEN:
            raise _none("Nothing")
        if found.state is not State.OPEN:
            raise _not_open(found.state, found.tool)
        arguments: dict[str, Json] = json.loads(found.arguments)
        return found.tool, arguments

    async def text(self, operation: str, caller: Caller, way: Way | None = None) -> Wording:
        """Return what an open question shows.

        Args:
            operation: The operation.
            caller: Who was asked.
            way: How it was asked, if it has to be this way.

        Raises:
            Stopped: There is none that is open.
            PolicyError: The store cannot be read.
        """
        from viam_mcp.store import State

        found = await self._store.read(lambda tx: self._find(tx, operation, caller))
        if found is None or (way is not None and found.way != way):
            raise _none("Nothing")
        if found.state is not State.OPEN:
            raise _not_open(found.state, found.tool)
        return Wording(found.preview, found.fingerprint, Way(found.way))

    async def answer(self, call: DecidedCall, answer: Answer, asker: Asker) -> DecidedCall:
        """Store the answer to the question about a call. It is the only one that counts.

        Args:
            call: The call.
            answer: The answer.
            asker: How it came.

        Returns:
            The call, which carries out the operation. An answer that is not a yes is recorded, and ends it.

        Raises:
            Stopped: The answer is not good for this call and this caller, or not any more.
            PolicyError: It cannot be stored.
        """
        from viam_mcp.store import GivenAnswer, OperationConflict

        name, accepted = call.tool.spec.name, answer.reply is Reply.ACCEPTED
        who = caller_digest(call.caller, self._fleet)

        def work(tx: Transaction) -> DecidedCall:
            found = self._find(tx, answer.operation, call.caller)
            if found is None:
                raise _none(name)
            if found.way != asker.way or found.tool != name:
                raise Stopped(Outcome.WRONG_ANSWER, f"The confirmation is for another call. {name} was not done.")
            if found.arguments and not _is_about(found, call.tool):
                raise Stopped(Outcome.WRONG_ANSWER, f"The confirmation is for other arguments. {name} was not done.")
            says_yes = accepted and (answer.agreed or answer.typed is not None)
            if says_yes and size_of(found.preview) > asker.carries and answer.page != code_of(found.preview):
                raise Stopped(Outcome.WRONG_ANSWER, f"Not all pages of the question were shown. {name} was not done.")
            given = GivenAnswer(answer.reply, by=call.caller.name, how=f"{asker.way} {call.caller.client}".strip())
            try:
                # An answer that is not a yes may come late: it is what a person said.
                tx.operations.answer(found.id, who, given, approved=accepted, late=not accepted)
            except OperationConflict as conflict:
                raise _not_open(conflict.state, name) from None
            answered = replace(call, operation=found.id, fingerprint=found.fingerprint)
            if not accepted:
                tx.audit.append(entry_of(answered, Outcome(answer.reply)))
            return answered

        return await self._store.write(work)

    async def record_lost(self, call: DecidedCall, operation: str) -> None:
        """Record that nobody will answer a question, and end its operation.

        Raises:
            PolicyError: It cannot be stored.
        """
        from viam_mcp.store import OperationConflict

        who = caller_digest(call.caller, self._fleet)

        def work(tx: Transaction) -> None:
            with suppress(OperationConflict):
                tx.operations.void(operation, who, Outcome.LOST)
            tx.audit.append(entry_of(replace(call, operation=operation), Outcome.LOST))

        await self._store.write(work)

    async def record_busy(self, call: DecidedCall, answer: Answer) -> None:
        """Record that an answer found no concurrency slot. Its operation stays open.

        Raises:
            PolicyError: It cannot be stored.
        """

        def work(tx: Transaction) -> None:
            found = self._find(tx, answer.operation, call.caller)
            known = replace(call, operation=None if found is None else found.id)
            tx.audit.append(entry_of(known, Outcome.BUSY))

        await self._store.write(work)

    def _find(self, tx: Transaction, operation: str, caller: Caller) -> Operation | None:
        """Return an operation; None if there is none of that id for this caller on this fleet."""
        return tx.operations.find(operation, caller_digest(caller, self._fleet)) if _ID.fullmatch(operation) else None


def _is_about(operation: Operation, tool: Tool) -> bool:
    """Return whether an operation is about exactly this call, counting arguments that were left out."""
    asked = type(tool).model_validate_json(operation.arguments)
    return canonical(asked.model_dump(mode="json")) == canonical(tool.model_dump(mode="json"))


def _none(name: str) -> Stopped:
    done = "Nothing was done" if name == "Nothing" else f"{name} was not done"
    return Stopped(
        Outcome.WRONG_ANSWER,
        f"There is no operation of that id here that waits for your confirmation. {done}; call the tool again if it "
        "is still wanted.",
    )


def _not_open(state: Any, name: str) -> Stopped:
    """Return why an operation in this state cannot be answered."""
    if state == "expired":
        return Stopped(
            Outcome.EXPIRED,
            f"The confirmation has expired. {name} was not done; ask for it again if it is still wanted.",
        )
    return Stopped(
        Outcome.WRONG_ANSWER, f"The confirmation was used before, and is good for once. {name} was not done again."
    )
