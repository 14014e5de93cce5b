"""A client of the 2025 era that is subscribed to logs.

https://modelcontextprotocol.io/specification/2025-11-25/server/resources#subscriptions
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.server._log_resource import may_read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from viam_mcp.logs import Query
    from viam_mcp.policy import Caller
    from viam_mcp.server.subscriptions._notifier import Notify

    Pause = Callable[[float], Awaitable[None]]

logger = logging.getLogger("viam_mcp.server")

PING_SECONDS = 30.0
"""How often a subscribed client is asked whether it is still there."""
_PING_TIMEOUT = 5.0


@dataclass(frozen=True)
class _Subscription:
    """What a client is subscribed to, for whom, and what ends it."""

    query: Query
    caller: Caller
    stack: ExitStack


class LegacySubscriber:
    """A client of the 2025 era that is subscribed to logs.

    Nothing says when such a client is gone. So it is forgotten when its connection ends, or when it does not answer a
    ping. A client that does not read would block its whole session: it gets no second notification about a resource
    before it has read the resource, or has answered a ping.

    Args:
        session: The SDK's session, on which the client is notified.
        pause: Waits so many seconds.

    Attributes:
        subscriptions: What it is subscribed to, by URI.
        ended: Called when the client is gone.
    """

    def __init__(self, session: Any, pause: Pause) -> None:
        self.subscriptions: dict[str, _Subscription] = {}
        self.ended: list[Callable[[], object]] = []
        self._session = session
        self._pause = pause
        self._unread: dict[str, bool] = {}  # URIs that it was notified about; whether there was more since
        self._sending: set[asyncio.Task[None]] = set()
        self._pinging = asyncio.create_task(self._ping())

    def subscribe(
        self,
        uri: str,
        query: Query,
        caller: Caller,
        slot: AbstractContextManager[object],
        notified: Callable[[Notify], AbstractContextManager[None]],
    ) -> None:
        """Begin to notify the client about a log.

        Args:
            uri: The URI of the log, as the client wrote it.
            query: The log.
            caller: For whom. Without access to logs, the caller is not notified any more.
            slot: What is released when the subscription ends.
            notified: Calls a function when there is something new, until its block ends.
        """
        with ExitStack() as stack:
            stack.enter_context(slot)
            stack.enter_context(notified(partial(self._notify, uri)))
            self.subscriptions[uri] = _Subscription(query, caller, stack.pop_all())

    def unsubscribe(self, uri: str) -> None:
        """Stop to notify the client about a log."""
        self._unread.pop(uri, None)
        if uri in self.subscriptions:
            self.subscriptions.pop(uri).stack.close()

    def read(self, query: Query) -> None:
        """Note that the client is about to read a log: it may be notified again of what comes from now on."""
        for uri, subscription in self.subscriptions.items():
            if subscription.query == query:
                self._unread.pop(uri, None)

    def end(self) -> None:
        """Forget everything: the client is gone."""
        for uri in list(self.subscriptions):
            self.unsubscribe(uri)
        for task in (self._pinging, *self._sending):
            task.cancel()
        for ended in self.ended:
            ended()

    async def _notify(self, uri: str) -> None:
        if uri not in self.subscriptions:
            return  # it was unsubscribed while others were notified
        if not may_read(self.subscriptions[uri].caller):
            self.unsubscribe(uri)
            return
        if uri in self._unread:
            self._unread[uri] = True
            return
        self._unread[uri] = False
        # A client that does not read must not hold up the others.
        task = asyncio.create_task(self._send(uri))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, uri: str) -> None:
        try:
            await self._session.send_resource_updated(uri)
        except Exception as error:  # noqa: BLE001 - the client is gone, which the ping or its connection shows
            logger.debug("a client was not notified about %s: %s", uri, type(error).__name__)

    async def _ping(self) -> None:
        while True:
            await self._pause(PING_SECONDS)
            try:
                await self._session.send_request(
                    types.PingRequest(), types.EmptyResult, request_read_timeout_seconds=_PING_TIMEOUT
                )
            except MCPError as error:
                # Any other error is an answer of a client that is there.
                if error.code in (types.REQUEST_TIMEOUT, types.CONNECTION_CLOSED):
                    break
            except Exception as error:  # noqa: BLE001 - whatever it is, the client cannot be reached
                logger.debug("a client that was subscribed to logs is gone: %s", type(error).__name__)
                break
            # The client reads what it is sent, so it can be notified again.
            for uri in [uri for uri, more in self._unread.items() if more]:
                del self._unread[uri]
                await self._notify(uri)
        self.end()
