"""Who is told when a log has something new, in both eras of the protocol.

Everybody who watches a log shares one upstream, and all clients of one caller one rhythm: told at once, and then
not again before the interval is over. Nobody is told whose credential does not open the log any more: that ends it.
A client of 2026-07-28 listens on a stream that ends when it leaves. One of 2025-11-25 subscribes on its session,
whose end nothing tells: it is released with its connection, and when it no longer answers a ping. As a client that
does not read would block its whole session, it is told again only when it has read, or has answered a ping since.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from viam_mcp.app import AppError
from viam_mcp.server._attachments import NobodyToAsk
from viam_mcp.server._log_resource import TOOL, arguments_at, query_of
from viam_mcp.server._requests import caller_of
from viam_mcp.server.compat import connection_of
from viam_mcp.tools import Effect, ToolError, no_progress, quoted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext

    from viam_mcp.calls._pipeline import Pipeline
    from viam_mcp.logs import Query, Tail, Tails
    from viam_mcp.policy import Caller

    Context = ServerRequestContext[Any, Any]
    Tell = Callable[[], Awaitable[None]]
    Pause = Callable[[float], Awaitable[None]]

logger = logging.getLogger("viam_mcp.server")

INTERVAL = 0.25
"""Seconds between two notifications about one log, at least."""
PING_SECONDS = 30.0
"""How often a client of the 2025 era that watches a log is asked whether it is still there."""
MOST_STREAMS = 1_024
STREAMS_PER_CALLER = 102
"""A tenth of what there is for all."""
MOST_URIS = 64
"""What one stream, or one session of the 2025 era, watches at most."""
_PING_TIMEOUT = 5.0
_AGAIN_SECONDS = 30.0


class Subscriptions:
    """The subscriptions to logs of one server.

    Args:
        calls_for: From a request to where the calls of whoever sent it go.
        interval: Seconds between two notifications about one log, at least.
    """

    def __init__(
        self,
        calls_for: Callable[[Context], Pipeline],
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._calls_for = calls_for
        self._interval = interval
        self._rhythms: dict[tuple[Tails, Query], _Rhythm] = {}
        self._sessions: dict[Connection, _Session] = {}
        self._streams: dict[ListenHandler, Caller] = {}
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many subscriptions there are."""
        return sum(len(rhythm.tells) for rhythm in self._rhythms.values())

    def handlers(self) -> dict[str, Any]:
        """What `Server` takes for subscriptions."""
        return {
            "on_subscriptions_listen": self.listen,
            "on_subscribe_resource": self.subscribe,
            "on_unsubscribe_resource": self.unsubscribe,
        }

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Tell a client of 2026-07-28 what it asks for, until it leaves."""
        caller, uris = caller_of(ctx), params.notifications.resource_subscriptions or []
        self._check_room(caller, len(uris))
        calls, bus = self._calls_for(ctx), InMemorySubscriptionBus()
        stream = ListenHandler(bus)

        async def tell(uri: str) -> None:
            if _may_read(caller):
                await bus.publish(ResourceUpdated(uri=uri))
            else:
                stream.close()

        with ExitStack() as stack:
            self._streams[stream] = caller
            stack.callback(self._streams.pop, stream)
            for uri in dict.fromkeys(uris):
                query = await self._check(ctx, calls, uri)
                # The protocol lets a client listen for what never changes.
                if query is not None:
                    stack.enter_context(self._told(calls, query, partial(tell, uri)))
            if self._closed:
                raise MCPError(code=types.INTERNAL_ERROR, message="This server stops: listen again.")
            return await stream(ctx, params)

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Tell a client of the 2025 era, until it unsubscribes or is gone."""
        uri, calls = str(params.uri), self._calls_for(ctx)
        query = await self._check(ctx, calls, uri)
        if query is None:
            raise _refused(f"{quoted(uri)} cannot be subscribed to: only the logs of parts can.")
        session = self._session(ctx)
        if uri not in session.watched:
            if len(session.watched) >= MOST_URIS:
                raise _refused(f"This session watches {MOST_URIS} URIs, which is all that one may: unsubscribe first.")
            session.watch(uri, query, caller_of(ctx), partial(self._told, calls, query))
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Do not tell it any more."""
        session = self._sessions.get(connection_of(ctx))
        if session is not None:
            session.forget(str(params.uri))
        return types.EmptyResult()

    def reading(self, ctx: Context, uri: str) -> None:
        """Take note that a client is about to read this: it may be told again of what comes from now on."""
        session = self._sessions.get(connection_of(ctx))
        if session is None:
            return
        try:
            arguments = arguments_at(uri)
        except ToolError:
            return  # the reading says what is wrong
        if arguments is not None:
            session.read(query_of(arguments))

    def close(self) -> None:
        """End the streams of clients that listen, which would not end by themselves, and begin no more."""
        self._closed = True
        for stream in list(self._streams):
            stream.close()

    def _check_room(self, caller: Caller, uris: int) -> None:
        """Do nothing if a caller may have one more stream, for so many URIs.

        Raises:
            MCPError: They may not.
        """
        if uris > MOST_URIS:
            raise _refused(f"{uris:,} URIs were named, and one stream is for at most {MOST_URIS}: name fewer of them.")
        if len(self._streams) >= MOST_STREAMS:
            raise MCPError(code=types.INTERNAL_ERROR, message="This server is busy: too many clients listen already.")
        # Where callers need no credential, nobody is known to be one of several.
        own = [one for one in self._streams.values() if one.opens is not None and one.id == caller.id]
        if len(own) >= STREAMS_PER_CALLER:
            raise MCPError(
                code=types.INTERNAL_ERROR,
                message=f"You listen on {len(own)} streams already, which is all that one caller may: end one first.",
            )

    async def _check(self, ctx: Context, calls: Pipeline, uri: str) -> Query | None:
        """What the URI of a log follows, if whoever asks may read it; None for another URI.

        Raises:
            MCPError: They may not, or it cannot be followed.
        """
        try:
            arguments = arguments_at(uri)
        except ToolError as error:
            raise _refused(str(error)) from None
        if arguments is None:
            return None
        probe = {name: value for name, value in arguments.items() if name not in ("cursor", "backlog")}
        result = await calls.call(TOOL, {**probe, "limit": 1}, no_progress, caller_of(ctx), NobodyToAsk())
        if result.data is None:
            raise _refused(result.text)
        return query_of(arguments)

    @contextmanager
    def _told(self, calls: Pipeline, query: Query, tell: Tell) -> Iterator[None]:
        """Inside, `tell` is called when there is something new."""
        key = (calls.tails, query)
        rhythm = self._rhythms.get(key)
        if rhythm is None:
            try:
                rhythm = self._rhythms[key] = _Rhythm(calls.tails, query, self._interval)
            except AppError as error:
                raise _refused(str(error)) from None
        rhythm.tells.append(tell)
        calls.active += 1
        try:
            yield
        finally:
            calls.active -= 1
            rhythm.tells.remove(tell)
            if not rhythm.tells:
                del self._rhythms[key]
                rhythm.stop()

    def _session(self, ctx: Context) -> _Session:
        connection = connection_of(ctx)
        session = self._sessions.get(connection)
        if session is None:
            session = self._sessions[connection] = _Session(ctx.session, self._calls_for(ctx).tails.pause)
            session.ended.append(partial(self._sessions.pop, connection, None))
            connection.exit_stack.callback(session.end)
        return session


class _Rhythm:
    """One log, and every client of a caller that is told about it.

    Attributes:
        tells: Tells each of them.
    """

    def __init__(self, tails: Tails, query: Query, interval: float) -> None:
        self.tells: list[Tell] = []
        self._tails = tails
        self._query = query
        self._interval = interval
        self._stack = ExitStack()
        self._watch()
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Let go of the log."""
        self._task.cancel()
        self._stack.close()

    def _watch(self) -> None:
        self._news = asyncio.Event()
        self._tail = self._stack.enter_context(self._tails.watch(self._query))
        self._stack.enter_context(self._tail.listening(self._news))

    async def _run(self) -> None:
        while True:
            try:
                await self._follow(self._tail, self._news)
            except Exception:
                logger.exception("notifications about part %s stopped", self._query.part_id)
            # The log cannot be followed, which its readers have been told of. It may be possible again.
            await self._tails.pause(_AGAIN_SECONDS)
            self._stack.close()
            try:
                self._watch()
            except AppError as error:
                logger.warning("part %s is not followed any more: %s", self._query.part_id, error)
                return

    async def _follow(self, tail: Tail, news: asyncio.Event) -> None:
        """Tell everybody of what is new, until the tail fails."""
        if not tail.begun:
            await tail.begin()
            news.clear()
        while tail.failure is None:
            await news.wait()
            news.clear()
            for tell in list(self.tells):
                await tell()
            await self._tails.pause(self._interval)


@dataclass(frozen=True)
class _Subscription:
    """What a session watches: for whom, and what ends that."""

    query: Query
    caller: Caller
    stack: ExitStack


class _Session:
    """A client of the 2025 era that watches logs.

    Attributes:
        watched: What it watches, by URI.
        ended: Called when it is gone.
    """

    def __init__(self, session: Any, pause: Pause) -> None:
        self.watched: dict[str, _Subscription] = {}
        self.ended: list[Callable[[], object]] = []
        self._session = session
        self._pause = pause
        self._unread: dict[str, bool] = {}  # told and not read yet; whether there was more since
        self._sending: set[asyncio.Task[None]] = set()
        self._pinging = asyncio.create_task(self._ping())

    def watch(self, uri: str, query: Query, caller: Caller, told: Callable[[Tell], Any]) -> None:
        """Be told about a log under this URI."""
        stack = ExitStack()
        stack.enter_context(told(partial(self._tell, uri)))
        self.watched[uri] = _Subscription(query, caller, stack)

    def forget(self, uri: str) -> None:
        """Be told no more."""
        self._unread.pop(uri, None)
        if uri in self.watched:
            self.watched.pop(uri).stack.close()

    def read(self, query: Query) -> None:
        """Be told again of what comes from now on."""
        for uri, watched in self.watched.items():
            if watched.query == query:
                self._unread.pop(uri, None)

    def end(self) -> None:
        """Forget everything: the client is gone."""
        for uri in list(self.watched):
            self.forget(uri)
        for task in (self._pinging, *self._sending):
            task.cancel()
        for ended in self.ended:
            ended()

    async def _tell(self, uri: str) -> None:
        if uri not in self.watched:
            return  # it was forgotten while others were told
        if not _may_read(self.watched[uri].caller):
            self.forget(uri)
            return
        if uri in self._unread:
            self._unread[uri] = True
            return
        self._unread[uri] = False
        # Whoever does not read must not hold up the others.
        task = asyncio.create_task(self._send(uri))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, uri: str) -> None:
        try:
            await self._session.send_resource_updated(uri)
        except Exception as error:  # noqa: BLE001 - the client is gone, which the ping or its connection tells
            logger.debug("a client was not told about %s: %s", uri, type(error).__name__)

    async def _ping(self) -> None:
        while True:
            await self._pause(PING_SECONDS)
            try:
                await self._session.send_request(
                    types.PingRequest(), types.EmptyResult, request_read_timeout_seconds=_PING_TIMEOUT
                )
            except MCPError as error:
                # An error is an answer too, unless it is the one for none.
                if error.code in (types.REQUEST_TIMEOUT, types.CONNECTION_CLOSED):
                    break
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody is there
                logger.debug("a client that watched logs is gone: %s", type(error).__name__)
                break
            # It reads what it is sent, so it can be told again.
            for uri in [uri for uri, more in self._unread.items() if more]:
                del self._unread[uri]
                await self._tell(uri)
        self.end()


def _may_read(caller: Caller) -> bool:
    """Whether a caller's credential opens logs at this moment."""
    return caller.opens is None or caller.opens(TOOL, Effect.READ)


def _refused(message: str) -> MCPError:
    return MCPError(code=types.INVALID_PARAMS, message=message)
