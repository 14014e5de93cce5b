"""The values that the store takes and gives. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Json = Any


class State(StrEnum):
    """Where an operation is on its way from the question to the outcome."""

    OPEN = "open"
    """It waits for an answer."""
    ANSWERED = "answered"
    """It was approved, and has not begun."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It began, and whether it was done is not known: its process has gone, or lost the connection to the fleet."""
    EXPIRED = "expired"
    VOID = "void"
    """It was declined, or what it would touch has changed. It never runs."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more becomes of it."""
        return self not in (State.OPEN, State.ANSWERED, State.RUNNING)


@dataclass(frozen=True)
class NewOperation:
    """A call that is to wait for an answer.

    Attributes:
        caller: The digest of who may answer and run it, and on which fleet. The operation is worthless to others.
        owner: The digest of whose room it takes.
        tool: The tool.
        arguments: The call's arguments as JSON text. They are encrypted, and forgotten when the operation has ended.
        preview: The whole text that is shown. It is encrypted.
        fingerprint: The digest of everything that was shown.
        rule: What decided that it is asked about.
        way: How it is asked.
        expires: Until when it may be answered and begun.
        client: The program that called.
        requester: The name of who called, for people who read it.
        subjects: The ids that it touches, such as a machine's.
    """

    caller: str
    owner: str
    tool: str
    arguments: str
    preview: str
    fingerprint: str
    rule: str
    way: str
    expires: float
    client: str = ""
    requester: str = ""
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenAnswer:
    """What somebody answered.

    Attributes:
        reply: The answer in the asker's words, such as `accepted`.
        by: Who gave it.
        how: By what way, and from where.
        at: When it was stored. The store sets it.
        approved: Whether the operation may run. The store sets it.
    """

    reply: str
    by: str = ""
    how: str = ""
    at: float = 0.0
    approved: bool = False


@dataclass(frozen=True)
class Operation(NewOperation):
    """A stored operation.

    Attributes:
        id: Its id, such as `op-7f3k-9q2m`.
        state: Where it is. One that runs in a process that has gone is `unknown`.
        created: When it was asked.
        answer: The answer, if there is one.
        started: When it began to run.
        finished: When nothing more could become of it.
        outcome: What became of it, as a sentence.
    """

    id: str = ""
    state: State = State.OPEN
    created: float = 0.0
    answer: GivenAnswer | None = None
    started: float | None = None
    finished: float | None = None
    outcome: str = ""


@dataclass(frozen=True)
class Run:
    """A call that has begun.

    Attributes:
        id: Names it in the audit.
        operation_id: The operation that it carries out; None for a call that nobody was asked about.
        started: When it began.
    """

    id: str
    operation_id: str | None
    started: float


@dataclass(frozen=True)
class AuditLine:
    """A line of the audit.

    Attributes:
        number: Its place, from 1.
        time: When it was written.
        entry: What happened, as it was given.
        hash: The keyed hash that includes the line before.
        key_id: The number of the key of that hash.
    """

    number: int
    time: float
    entry: Mapping[str, Json]
    hash: str
    key_id: int


@dataclass(frozen=True)
class AuditFilter:
    """Which lines of the audit to read. What is left out does not restrict.

    Attributes:
        since: Lines from this time on.
        until: Lines before this time.
        tools: Lines about one of these tools.
        callers: Lines about one of these callers.
        outcomes: Lines with one of these outcomes.
        subject: Lines about this id, such as a machine's.
        operation: Lines about this operation.
    """

    since: float | None = None
    until: float | None = None
    tools: Collection[str] | None = None
    callers: Collection[str] | None = None
    outcomes: Collection[str] | None = None
    subject: str | None = None
    operation: str | None = None


@dataclass(frozen=True)
class SecretInfo:
    """What is known about a delivered credential without fetching it.

    Attributes:
        id: Its id, such as `sec-7f3k-9q2m`.
        owner: The digest of whom it was made for.
        tool: The tool whose answer it is.
        created: When room was made for it.
        is_ready: Whether it is there and was not fetched.
        taken: When it was fetched.
    """

    id: str
    owner: str
    tool: str
    created: float
    is_ready: bool
    taken: float | None = None


@dataclass(frozen=True)
class RoomLimits:
    """How much open operations may take.

    Attributes:
        own_number: How many one owner may have.
        own_bytes: How many bytes of arguments and previews these may have.
        number: How many all owners may have.
        bytes: How many bytes these may have.
    """

    own_number: int = 2_000
    own_bytes: int = 16 * 1_048_576
    number: int = 100_000
    bytes: int = 1_024 * 1_048_576


@dataclass(frozen=True)
class Timeouts:
    """How long the store waits, in seconds.

    Attributes:
        connect: For a connection.
        statement: For one statement, and for a lock that somebody else holds.
        transaction: For a whole transaction, with what is tried again.
        lease: How long a process counts as alive after it last said so.
    """

    connect: float = 5.0
    statement: float = 5.0
    transaction: float = 15.0
    lease: float = 20.0
