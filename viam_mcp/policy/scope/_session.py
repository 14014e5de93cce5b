"""The fleet as a scope lets it be seen: what the service answers goes through a filter before anybody sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import Message

from viam_mcp.app import AppError, Session
from viam_mcp.policy.scope._errors import without_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from grpclib.client import UnaryUnaryMethod

    from viam_mcp.app import AppClient

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)

_AT_HAND_SECONDS = 1.0


class _View(Session):
    """A session over another one, which it shares everything with but the answers.

    Args:
        session: The other one.
    """

    def __init__(self, session: Session) -> None:
        vars(self).update(vars(session))
        self._session = session

    async def close(self) -> None:
        """Close the other one."""
        await self._session.close()


class ReadingSession(_View):
    """A session whose answers are kept at hand for a moment, since what is read to decide about a call is mostly what
    the call reads then."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._at_hand: dict[tuple[str, bytes], tuple[float, Message]] = {}

    async def unary(
        self, method: UnaryUnaryMethod[Req, Res], request: Req, *, authorized: bool = True, timeout: float | None = None
    ) -> Res:
        """Send a request and return its reply, which is kept."""
        reply = await self._session.unary(method, request, authorized=authorized, timeout=timeout)
        self._at_hand[method.name, request.SerializeToString(deterministic=True)] = (time.monotonic(), reply)
        return reply

    def take(self, method: str, request: Message) -> Any:
        """Return the reply to a request if it is at hand, once; else None."""
        kept, reply = self._at_hand.pop((method, request.SerializeToString(deterministic=True)), (0.0, None))
        return reply if time.monotonic() - kept < _AT_HAND_SECONDS else None


class FilteredSession(_View):
    """A session whose answers hold nothing that is outside of a scope.

    Args:
        session: The session.
        reading: What has read for the decision about the call.
        see: Takes out of an answer what is outside, or refuses it.
    """

    def __init__(
        self, session: Session, reading: ReadingSession, see: Callable[[str, Message], Awaitable[None]]
    ) -> None:
        super().__init__(session)
        self._reading = reading
        self._see = see

    async def unary(
        self, method: UnaryUnaryMethod[Req, Res], request: Req, *, authorized: bool = True, timeout: float | None = None
    ) -> Res:
        """Send a request and return what may be seen of its reply.

        Raises:
            AppError: It failed, or nothing of the reply may be seen.
        """
        reply: Res | None = self._reading.take(method.name, request)
        if reply is None:
            try:
                reply = await self._session.unary(method, request, authorized=authorized, timeout=timeout)
            except AppError as error:
                raise without_names(error, request, self.target) from None
        await self._see(method.name, reply)
        return reply


def client(app: AppClient, session: Session) -> AppClient:
    """Return a client like another one, over a session of its own."""
    return type(app)(session, {}, app.location_id)
