"""Subscriptions to the logs of parts, in both eras of the protocol.

All subscribers of a log share one upstream, and those of one caller one `Notifier`. A caller whose credential does not
open the log any more is not notified: that ends the subscription. So does a log that leaves the policy's scope.

A client of 2026-07-28 listens on a stream, which ends when the client leaves:
https://modelcontextprotocol.io/specification/2026-07-28/basic/utilities/subscriptions
A client of the 2025 era subscribes on its session: see `LegacySubscriber`.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from viam_mcp.app import AppError
from viam_mcp.calls import Busy, Kind
from viam_mcp.policy import RECHECK_SECONDS
from viam_mcp.server._attachments import NobodyToAsk
from viam_mcp.server._log_resource import TOOL, arguments_at, may_read, query_of
from viam_mcp.server._requests import caller_of
from viam_mcp.server.compat import connection_of
from viam_mcp.server.subscriptions._legacy import LegacySubscriber
from viam_mcp.server.subscriptions._notifier import INTERVAL, Notifier
from viam_mcp.tools import ToolError, no_progress, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext

    from viam_mcp.calls import Limits, Pipeline, Slot
    from viam_mcp.logs import Query, Tails
    from viam_mcp.server.subscriptions._notifier import Notify

    Context = ServerRequestContext[Any, Any]


class Subscriptions:
    """The subscriptions to logs of one server.

    Args:
        pipeline_for: Returns the pipeline for a request.
        limits: How many streams and subscriptions there may be.
        interval: Seconds between two notifications about one log, at least.
    """

    def __init__(
        self, pipeline_for: Callable[[Context], Pipeline], limits: Limits, *, interval: float = INTERVAL
    ) -> None:
        self._pipeline_for = pipeline_for
        self._limits = limits
        self._interval = interval
        self._notifiers: dict[tuple[Tails, Query], Notifier] = {}
        self._legacy: dict[Connection, LegacySubscriber] = {}
        self._streams: set[ListenHandler] = set()
        self._is_closed = False

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        return sum(len(notifier.subscribers) for notifier in self._notifiers.values())

    def handlers(self) -> dict[str, Any]:
        """Return the handlers for subscriptions, as the SDK's `Server` takes them."""
        return {
            "on_subscriptions_listen": self.listen,
            "on_subscribe_resource": self.subscribe,
            "on_unsubscribe_resource": self.unsubscribe,
        }

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Notify a client of 2026-07-28 of what it asks for, until it leaves.

        Raises:
            MCPError: A log cannot be followed, a limit is reached, or the server stops.
        """
        caller, uris = caller_of(ctx), params.notifications.resource_subscriptions or []
        calls, bus = self._pipeline_for(ctx), InMemorySubscriptionBus()
        stream = ListenHandler(bus)

        async def notify(uri: str) -> None:
            if may_read(caller):
                await bus.publish(ResourceUpdated(uri=uri))
            else:
                stream.close()

        with ExitStack() as stack:
            # Without credentials, callers cannot be told apart.
            stack.enter_context(self._slot(Kind.STREAMS, None if caller.opens is None else caller.id))
            self._check_number(uris)
            self._streams.add(stream)
            stack.callback(self._streams.discard, stream)
            for uri in dict.fromkeys(uris):
                query = await self._checked(ctx, calls, uri)
                # The protocol lets a client listen for resources that never change.
                if query is not None:
                    stack.enter_context(self._notified(calls, query, stream.close, partial(notify, uri)))
            if self._is_closed:
                raise MCPError(code=types.INTERNAL_ERROR, message="This server stops: listen again.")
            return await stream(ctx, params)

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Notify a client of the 2025 era of what is new in a log, until it unsubscribes or is gone.

        Raises:
            MCPError: The URI is not that of a log, the log cannot be followed, or a limit is reached.
        """
        uri, calls = str(params.uri), self._pipeline_for(ctx)
        query = await self._checked(ctx, calls, uri)
        if query is None:
            raise _invalid(f"{quoted(uri)} cannot be subscribed to: only the logs of parts can.")
        subscriber = self._legacy_subscriber(ctx)
        if uri not in subscriber.subscriptions:
            slot = self._slot(Kind.URIS, f"session {id(subscriber)}")
            end = partial(subscriber.unsubscribe, uri)
            subscriber.subscribe(uri, query, caller_of(ctx), slot, partial(self._notified, calls, query, end))
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Stop to notify a client of the 2025 era of what is new in a log."""
        subscriber = self._legacy.get(connection_of(ctx))
        if subscriber is not None:
            subscriber.unsubscribe(str(params.uri))
        return types.EmptyResult()

    def note_read(self, ctx: Context, uri: str) -> None:
        """Note that a client is about to read a resource: it may be notified again of what comes from now on."""
        subscriber = self._legacy.get(connection_of(ctx))
        if subscriber is None:
            return
        try:
            arguments = arguments_at(uri)
        except ToolError:
            return  # the read itself says what is wrong
        if arguments is not None:
            subscriber.read(query_of(arguments))

    def close(self) -> None:
        """End the streams of all clients that listen, which have no end of their own, and begin no more."""
        self._is_closed = True
        for stream in list(self._streams):
            stream.close()

    def _check_number(self, uris: list[str]) -> None:
        limit = self._limits.table[Kind.URIS]
        if limit.each is not None and len(uris) > limit.each:
            raise _invalid(limit.told.format(most=limit.each))

    def _slot(self, kind: Kind, holder: str | None) -> Slot:
        """Return a slot.

        Raises:
            MCPError: There is none.
        """
        try:
            return self._limits.take(kind, holder)
        except Busy as busy:
            code = types.INVALID_PARAMS if kind is Kind.URIS else types.INTERNAL_ERROR
            raise MCPError(code=code, message=str(busy)) from None

    async def _checked(self, ctx: Context, calls: Pipeline, uri: str) -> Query | None:
        """Return the log that has this URI, or None if the URI is not that of a log.

        Raises:
            MCPError: The caller may not read the log, or it cannot be followed.
        """
        try:
            arguments = arguments_at(uri)
        except ToolError as error:
            raise _invalid(str(error)) from None
        if arguments is None:
            return None
        probe = {name: value for name, value in arguments.items() if name not in ("cursor", "backlog")}
        result = await calls.call(TOOL, {**probe, "limit": 1}, no_progress, caller_of(ctx), NobodyToAsk())
        if result.data is None:
            raise _invalid(result.text)
        return query_of(arguments)

    @contextmanager
    def _notified(self, calls: Pipeline, query: Query, end: Callable[[], None], notify: Notify) -> Iterator[None]:
        """Call `notify` when a log has something new, until the block ends.

        Args:
            calls: What the caller's calls go through.
            query: The log.
            end: Called when the log is no longer inside of the policy's scope.
            notify: Notifies the subscriber.

        Raises:
            MCPError: The log cannot be followed.
        """
        key = (calls.tails, query)
        notifier = self._notifiers.get(key)
        if notifier is None:
            try:
                notifier = self._notifiers[key] = Notifier(calls.tails, query, self._interval)
            except (AppError, ToolError) as error:
                raise _invalid(str(error)) from None
        notifier.subscribers.append(notify)
        calls.active += 1
        watch = asyncio.create_task(_end_outside(calls, query, end)) if calls.is_scoped else None
        try:
            yield
        finally:
            if watch is not None:
                watch.cancel()
            calls.active -= 1
            notifier.subscribers.remove(notify)
            if not notifier.subscribers:
                del self._notifiers[key]
                notifier.stop()

    def _legacy_subscriber(self, ctx: Context) -> LegacySubscriber:
        connection = connection_of(ctx)
        subscriber = self._legacy.get(connection)
        if subscriber is None:
            subscriber = LegacySubscriber(ctx.session, self._pipeline_for(ctx).tails.pause)
            self._legacy[connection] = subscriber
            subscriber.ended.append(partial(self._legacy.pop, connection, None))
            connection.exit_stack.callback(subscriber.end)
        return subscriber


async def _end_outside(calls: Pipeline, query: Query, end: Callable[[], None]) -> None:
    """End a subscription when its log is no longer inside of the policy's scope."""
    while await calls.is_inside(TOOL, {"robot_part_id": query.part_id}):
        await calls.tails.pause(RECHECK_SECONDS)
    end()


def _invalid(message: str) -> MCPError:
    return MCPError(code=types.INVALID_PARAMS, message=message)
