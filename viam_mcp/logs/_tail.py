"""One upstream, kept open: what a part logs, from when somebody asked for it until nobody does."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from viam_mcp.app import (
    AppError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unimplemented,
)
from viam_mcp.logs._entries import moment
from viam_mcp.logs._intake import QUIET, USUAL, Intake
from viam_mcp.logs._log import Log
from viam_mcp.proto.app import TailRobotPartLogsRequest
from viam_mcp.proto.app.v1.app_grpc import AppServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from viam_mcp.app import AppClient
    from viam_mcp.logs._options import Options
    from viam_mcp.logs._query import Query
    from viam_mcp.logs._ring import Ring
    from viam_mcp.proto.common import LogEntry

logger = logging.getLogger("viam_mcp.logs")

_FINAL = (NotFound, InvalidArgument, PermissionDenied, Unauthenticated, Unimplemented)
_LAST_WORDS = 2.0  # seconds that a stream is given to end by itself when the log can no longer be read


class State(StrEnum):
    """How an upstream is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class UpstreamStatus:
    """How an upstream is doing, since when, and why where that is not obvious."""

    state: State
    since: datetime
    reason: str = ""


class Tail:
    """Follows one query from the moment it is started until it is closed.

    Attributes:
        query: What it follows.
        epoch: Tells this life from others of the same query.
        intake: What came.
        upstream: How it is doing.
        failure: Why it gave up for good; None while it has not.
    """

    def __init__(self, app: AppClient, query: Query, options: Options) -> None:
        self.query = query
        self.epoch = secrets.randbits(31) + 1
        self.failure: AppError | None = None
        self.log = Log(app, query)
        self.options = options
        self.intake = Intake(self.log, options, self.wake)
        self._app = app
        self._begun = asyncio.Event()
        self._lock = asyncio.Lock()  # the stream waits while the log is read, so that entries come in order
        self._messages = 0
        self._sound = False  # whether the present stream has shown that it works
        self._listeners: set[asyncio.Event] = set()
        self._become(State.CONNECTING)
        self._task = asyncio.create_task(self._run(), name=f"tail of {query.part_id}")

    async def close(self) -> None:
        """End the upstream, and forget what came."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.failure is None:
            self._become(State.CLOSED)
        self.ring.clear()

    @property
    def ring(self) -> Ring:
        """The entries that came."""
        return self.intake.ring

    @property
    def begun(self) -> bool:
        """Whether it has read the end of the log, after which nothing is missed, or has failed."""
        return self._begun.is_set()

    @property
    def live(self) -> bool:
        """Whether everything that the log held a moment ago is here."""
        return self.upstream.state is State.LIVE

    async def begin(self) -> None:
        """Wait until it has begun."""
        await self._begun.wait()

    @contextmanager
    def listening(self, news: asyncio.Event) -> Iterator[None]:
        """Inside, `news` is set whenever something came or the upstream changed."""
        self._listeners.add(news)
        try:
            yield
        finally:
            self._listeners.discard(news)

    async def _run(self) -> None:
        failures = 0
        while True:
            self._sound = False
            try:
                await self._connection()
                reason = "the server ended the stream"
            except AppError as error:
                # A token can end in the middle of a stream. That none is taken any more, the next reading shows.
                expired = isinstance(error, Unauthenticated) and self.live
                if isinstance(error, _FINAL) and not expired:
                    self._fail(error)
                    return
                reason = str(error.message)
            except Exception as error:
                # Also what an observer of the client refuses, such as calls that went unanswered lately.
                logger.warning("the tail of part %s broke", self.query.part_id, exc_info=True)
                reason = f"this program failed ({type(error).__name__})"
            self.intake.broke()
            failures = 0 if self._sound else failures + 1
            logger.debug("the tail of part %s broke: %s", self.query.part_id, reason)
            self._become(State.RECONNECTING if self.begun else State.CONNECTING, reason)
            await self.options.pause(self.options.backoff(failures))

    async def _connection(self) -> None:
        """Serve one stream, from its opening until it ends, breaks or goes deaf."""
        # The first to run is the first to get the lock: the log is read before the stream adds anything.
        watching, receiving = asyncio.create_task(self._watch()), asyncio.create_task(self._receive())
        settling = asyncio.create_task(self._settle())
        try:
            done, _ = await asyncio.wait([watching, receiving], return_when=asyncio.FIRST_COMPLETED)
            if self.begun and watching in done and isinstance(watching.exception(), _FINAL):
                # What is deleted cannot be read any more, but its stream may still bring its last entries.
                await self._within(_LAST_WORDS, receiving)
        finally:
            for task in (watching, receiving, settling):
                task.cancel()
            await asyncio.gather(watching, receiving, settling, return_exceptions=True)
        for task in done:
            task.result()

    async def _within(self, seconds: float, task: asyncio.Task[None]) -> None:
        over = asyncio.ensure_future(self.options.pause(seconds))
        try:
            await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            await asyncio.gather(over, return_exceptions=True)

    async def _receive(self) -> None:
        query, first = self.query, True
        method = AppServiceStub(self._app.session.channel).TailRobotPartLogs
        request = TailRobotPartLogsRequest(id=query.part_id, errors_only=query.errors_only, filter=query.filter or None)
        # An opening that fails is a break like any other: what is logged until the next one has to be looked for.
        messages = self._app.session.stream(method, request, reopen=False)
        async with aclosing(messages):
            async for message in messages:
                entries = message.logs
                if not entries:
                    continue  # the server shows that it is alive
                async with self._lock:
                    if first:
                        await self._prove(entries)
                        first = False
                    self._messages += 1
                    self._sound = True
                    self.intake.take(entries, message.ByteSize())

    async def _prove(self, entries: Sequence[LogEntry]) -> None:
        """Read the log once more: the first message shows that the stream listens, but not since when."""
        try:
            if not self.intake.begun:
                await self.intake.begin()
                self._begun.set()
            await self.intake.look(QUIET)
        except _FINAL:
            self.intake.take_last(entries)
            raise
        self.intake.expect_repetitions()

    async def _watch(self) -> None:
        async with self._lock:
            if self.intake.begun:
                await self.intake.look(USUAL)
            else:
                await self.intake.begin()
                self._begun.set()
            self._become(State.LIVE)
        while True:
            messages = self._messages
            await self.options.pause(self.options.quiet)
            if self._messages == messages:
                async with self._lock:
                    if await self.intake.look(QUIET):
                        return
                self._sound = True

    async def settle(self) -> None:
        """Look now for what was stored late before the last breaks, and not only some time after them."""
        if not self.intake.has_looked_deep:
            async with self._lock:
                await self.intake.look_deep()

    async def catch_up(self, start: int) -> None:
        """Look for what this life has not got, from a time on."""
        async with self._lock:
            await self.intake.look_from(start)

    async def _settle(self) -> None:
        while True:
            await self.options.pause(self.options.settle)
            # That the log cannot be read just now, others find out.
            with suppress(Exception):
                async with self._lock:
                    await self.intake.settle()
                return

    def _become(self, state: State, reason: str = "") -> None:
        self.upstream = UpstreamStatus(state, moment(self.options.now()), reason)
        self.wake()

    def _fail(self, error: AppError) -> None:
        self.failure = error
        if isinstance(error, NotFound):
            # With any other failure the log stays, and another tail can go on with it.
            self.intake.gave_up()
        self._become(State.FAILED, str(error.message))
        self._begun.set()

    def wake(self) -> None:
        """Have those who listen look again."""
        for news in self._listeners:
            news.set()
