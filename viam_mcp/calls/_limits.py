"""How much callers may use at the same time: one table of limits, and what is counted against it.

Everything that is limited is taken the same way, and given back when the block ends:

    with limits.take(Kind.STREAMS, caller):
        ...

What does not fit is refused with `LimitReached`, or waits where a `ConcurrencyLimiter` hands the slots out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from viam_mcp.tools import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from typing import Self

_Key = TypeVar("_Key")

MB = 1_048_576

NOTHING_DONE = "Nothing was done"


class Busy(ToolError):  # noqa: N818 - it is an answer, not a fault
    """A limit is reached, so nothing was begun. The message says which limit, and what to do.

    Attributes:
        retry_after: After how many seconds to try again; None if that alone does not help.
    """

    def __init__(self, reason: str, retry_after: int | None = None) -> None:
        again = "" if retry_after is None else f"; retry after {retry_after} s"
        super().__init__(f"{reason} {NOTHING_DONE}{again}.")
        self.retry_after = retry_after


class LimitReached(Busy):
    """See `Busy`.

    Attributes:
        reason: Which limit is reached.
        own: Whether the holder has all that it may have; else all holders together have it.
    """

    def __init__(self, reason: str, retry_after: int | None, *, own: bool) -> None:
        super().__init__(reason, retry_after)
        self.reason = reason
        self.own = own


class Kind(StrEnum):
    """What is limited."""

    CALLS = "calls"
    TOOL_CALLS = "tool_calls"
    WAITING_CALLS = "waiting_calls"
    QUESTIONS = "questions"
    OPERATIONS = "operations"
    OPERATION_BYTES = "operation_bytes"
    REQUESTS = "requests"
    UNANSWERED = "unanswered"
    CLIENTS = "clients"
    STREAMS = "streams"
    URIS = "uris"
    SESSIONS = "sessions"
    TAILS = "tails"
    OPEN_TAILS = "open_tails"
    CONNECTIONS = "connections"
    HELD_BYTES = "held_bytes"
    ARRIVING_BYTES = "arriving_bytes"


@dataclass(frozen=True)
class Limit:
    """A limit, of which this process has one.

    Attributes:
        what: What is limited, for people.
        each: How much one holder may have; None for no such limit.
        in_all: How much all holders together may have; None for no such limit.
        told: What a holder is told that has all it may have, with `{most}` in the place of `each`. Empty if further
            ones wait.
        told_all: What is told if all holders together have all that they may have, with `{most}` for `in_all`.
        holder: Whose share it is: mostly the caller's.
        retry_after: After how many seconds a retry may help; None if the holder has to give something back first.
        setting: The flags that change it.
    """

    what: str
    each: int | None = None
    in_all: int | None = None
    told: str = ""
    told_all: str = ""
    holder: str = "caller"
    retry_after: int | None = None
    setting: str = ""


def table(
    *,
    calls: int = 64,
    calls_per_caller: int = 16,
    waiting_calls: int = 256,
    tails: int = 64,
    connections: int = 16_384,
    request_bytes: int = 4 * MB,
) -> dict[Kind, Limit]:
    """Return every limit of a server for many callers.

    A single caller gets a quarter of what is scarce, and a single tool three quarters, so that neither a busy caller
    nor a method that hangs keeps the others waiting.

    Args:
        calls: How many calls run at the same time.
        calls_per_caller: How many of them are one caller's. As many as `calls` where callers cannot be told apart.
        waiting_calls: How many calls wait.
        tails: How many live logs are followed.
        connections: How many connections there is room for.
        request_bytes: How large a request may be.
    """
    alone = calls_per_caller >= calls
    return {
        Kind.CALLS: Limit(
            "calls that run; further ones wait",
            min(calls_per_caller, calls),
            calls,
            setting="--max-calls-per-caller, --max-calls",
        ),
        Kind.TOOL_CALLS: Limit(
            "calls of one tool that run; further ones wait",
            max(1, calls * 3 // 4),
            holder="tool",
            setting="--max-calls",
        ),
        Kind.WAITING_CALLS: Limit(
            "calls that wait",
            waiting_calls if alone else max(1, waiting_calls // 4),
            waiting_calls,
            "You have {most} calls waiting, which is all that one caller may have.",
            "This server is busy: {most} calls are waiting.",
            setting="--max-waiting",
        ),
        Kind.QUESTIONS: Limit(
            "calls that wait for an answer to a form",
            100,
            told="You have {most} questions open, which is all that one caller may have.",
            retry_after=60,  # people take about this long
        ),
        # The store counts these two, for all processes that share it. They are its own values: a server that only reads
        # does not import the store.
        Kind.OPERATIONS: Limit(
            "open operations, of all servers that share a store",
            2_000,
            100_000,
            "too many of your confirmations are open; they expire by themselves",
            "too many of the confirmations of all callers are open; they expire by themselves",
        ),
        Kind.OPERATION_BYTES: Limit("bytes of the arguments and previews of open operations", 16 * MB, 1_024 * MB),
        Kind.REQUESTS: Limit("requests other than calls and subscriptions that are worked on; further ones wait", 8),
        Kind.UNANSWERED: Limit(
            "requests on stdin that are not answered yet, without subscriptions; further ones are not read",
            in_all=128,
        ),
        Kind.CLIENTS: Limit(
            "connections to the Viam app, one for each caller and key; idle ones are closed to make room",
            64,
            256,
            "You use {most} API keys at the same time, which is all that one caller may.",
            "This server is busy: it works for {most} callers, which is all that it may.",
            retry_after=10,
        ),
        Kind.STREAMS: Limit(
            "streams of `subscriptions/listen`",
            102,
            1_024,
            "You listen on {most} streams already, which is all that one caller may have: end one first.",
            "This server is busy: {most} clients listen already.",
        ),
        Kind.URIS: Limit(
            "resources that one stream, or one session of the 2025 era, subscribes to",
            64,
            told="{most} resources are all that one stream or session may subscribe to: name fewer, or unsubscribe "
            "first.",
            holder="stream or session",
        ),
        Kind.SESSIONS: Limit(
            "sessions of the 2025 era",
            1_000,
            10_000,
            "Too many open sessions",  # the SDK's words
            "Too many open sessions",
        ),
        Kind.TAILS: Limit(
            "live logs that one caller follows",
            max(1, tails // 4),
            told="You follow {most} live logs, which is all that one caller may follow at once: stop following others, "
            "name fewer parts, or use get_robot_part_logs.",
            setting="--max-tails",
        ),
        Kind.OPEN_TAILS: Limit(
            "live logs that are followed with one API key; those without readers are closed to make room",
            tails,
            told="{most} live logs are followed already, which is all that this server may follow.",
            holder="API key",
            setting="--max-tails",
        ),
        Kind.CONNECTIONS: Limit(
            "connections; further ones are closed at once. Less where the process may open fewer files",
            in_all=connections,
        ),
        Kind.HELD_BYTES: Limit(
            "bytes of the bodies of requests that are not answered yet",
            max(32 * MB, request_bytes),
            told="Your requests in work are too large together.",
            retry_after=1,
            setting="--max-request-bytes",
        ),
        Kind.ARRIVING_BYTES: Limit(
            "bytes of the bodies of requests that are not parsed yet",
            in_all=max(128 * MB, request_bytes),
            told_all="This server is busy: too much is sent to it at once.",
            retry_after=1,
        ),
    }


class Slot:
    """A part of what a limit allows. It is taken until it is released: at the end of a block, or by `release`.

    Args:
        release: Gives it back. It is called once.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.release()

    def release(self) -> None:
        """Give it back. Does nothing the second time."""
        release, self._release = self._release, None
        if release is not None:
            release()


class Quantity(Slot):
    """A part of a limit that grows and shrinks, such as a number of bytes."""

    def __init__(self, limits: Limits, kind: Kind, holder: str | None) -> None:
        super().__init__(self._give_all_back)
        self.amount = 0
        self._limits = limits
        self._kind = kind
        self._holder = holder

    def add(self, amount: int) -> None:
        """Take more.

        Raises:
            LimitReached: There is not so much left. Nothing more is taken then.
        """
        self._limits.count(self._kind, self._holder, amount)
        self.amount += amount

    def _give_all_back(self) -> None:
        self._limits.uncount(self._kind, self._holder, self.amount)
        self.amount = 0


class Limits:
    """Counts what is in use, by holder and in all.

    Args:
        limits: The table of limits; by default that of `table`.
    """

    def __init__(self, limits: Mapping[Kind, Limit] | None = None) -> None:
        self.table = dict(table() if limits is None else limits)
        self._used: Counter[Kind] = Counter()
        self._by_holder: Counter[tuple[Kind, str]] = Counter()
        self._things: Counter[tuple[Kind, str, Hashable]] = Counter()

    def with_limit(self, kind: Kind, *, each: int | None = None, in_all: int | None = None) -> Limits:
        """Return the same limits with other values for one of them, and with nothing in use."""
        limit = self.table[kind]
        limit = limit if each is None else replace(limit, each=each)
        limit = limit if in_all is None else replace(limit, in_all=in_all)
        return Limits({**self.table, kind: limit})

    def used(self, kind: Kind, holder: str | None = None) -> int:
        """Return how much is in use: by one holder, or in all."""
        return self._used[kind] if holder is None else self._by_holder[kind, holder]

    @property
    def idle(self) -> bool:
        """Whether nothing is in use."""
        return not (self._used or self._by_holder or self._things)

    def refusal(self, kind: Kind, holder: str | None, amount: int = 1) -> LimitReached | None:
        """Return why a holder may not have so much more, or None if it may."""
        limit = self.table[kind]
        if holder is not None and limit.each is not None and self._by_holder[kind, holder] + amount > limit.each:
            return LimitReached(limit.told.format(most=f"{limit.each:,}"), limit.retry_after, own=True)
        if limit.in_all is not None and self._used[kind] + amount > limit.in_all:
            return LimitReached(limit.told_all.format(most=f"{limit.in_all:,}"), limit.retry_after, own=False)
        return None

    def take(self, kind: Kind, holder: str | None) -> Slot:
        """Take one of what a limit allows.

        Args:
            kind: Which limit.
            holder: Whose share it is taken of; None where holders cannot be told apart, so that only `in_all` holds.

        Raises:
            LimitReached: There is none left.
        """
        self.count(kind, holder, 1)
        return Slot(partial(self.uncount, kind, holder, 1))

    def take_once(self, kind: Kind, holder: str, thing: Hashable) -> Slot:
        """Take one for a thing. However often a holder takes one for the same thing, it counts once.

        Raises:
            LimitReached: There is none left.
        """
        key = (kind, holder, thing)
        if key not in self._things:
            self.count(kind, holder, 1)
        self._things[key] += 1
        return Slot(partial(self._release_thing, key))

    def count(self, kind: Kind, holder: str | None, amount: int) -> None:
        """Count so much more as in use. Prefer `take`, which cannot be forgotten.

        Raises:
            LimitReached: There is not so much left.
        """
        if refusal := self.refusal(kind, holder, amount):
            raise refusal
        self._used[kind] += amount
        if holder is not None:
            self._by_holder[kind, holder] += amount

    def uncount(self, kind: Kind, holder: str | None, amount: int) -> None:
        """Count so much as not in use any more."""
        _subtract(self._used, kind, amount)
        if holder is not None:
            _subtract(self._by_holder, (kind, holder), amount)

    def _release_thing(self, key: tuple[Kind, str, Hashable]) -> None:
        _subtract(self._things, key, 1)
        if key not in self._things:
            kind, holder, _ = key
            self.uncount(kind, holder, 1)


def _subtract(counter: Counter[_Key], key: _Key, amount: int) -> None:
    counter[key] -= amount
    # Holders come and go: the counter does not grow with those that have nothing.
    if counter[key] <= 0:
        del counter[key]
