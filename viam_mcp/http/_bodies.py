"""How much memory and time the bodies of requests may take.

A parsed body can be thirty times as large as its bytes, and nothing else runs while one is parsed. So large bodies are
parsed one after the other, and after each of them other requests get as much time as it took.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from viam_mcp.calls import Kind, LimitReached, Quantity

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

    from viam_mcp.calls import Limits

BODY_VALUES = 200_000
"""How many values a body may hold: twice those of a configuration of 1 MB."""

_ANONYMOUS = "anonymous callers"  # whose bodies are counted together
_LARGE = 65_536
_MAX_PARSE_SECONDS = 1.0
"""After how many seconds a body counts as parsed, whatever else its request waits for."""


class BodyRejected(HTTPException):
    """A request is refused because of its body."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        # The rest of the body is not read, so the connection cannot be used again.
        headers = {"connection": "close", **({} if retry_after is None else {"retry-after": str(retry_after)})}
        super().__init__(status, reason, headers)


async def answer_rejected(request: Request, rejected: Any) -> JSONResponse:
    """Return the answer to a request whose body was rejected."""
    return JSONResponse({"error": rejected.detail}, rejected.status_code, rejected.headers)


class Bodies:
    """The bodies of all requests that are being handled.

    Args:
        limits: How large they may be: those of one caller, and all together.

    Attributes:
        parsing: Held while a large body is parsed.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.parsing = asyncio.Lock()


class Body:
    """The body of one request, as the app receives it. The block ends with the answer.

    Args:
        bodies: The bodies of all requests.
        scope: The scope of the request. It names the caller from the first read of the body on.
        receive: Receives the body.
    """

    def __init__(self, bodies: Bodies, scope: Scope, receive: Receive) -> None:
        self._bodies = bodies
        self._scope = scope
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._arriving = Quantity(bodies.limits, Kind.ARRIVING_BYTES, None)
        self._held: Quantity | None = None
        self._stack = ExitStack()
        self._size = self._values = 0
        self._is_whole = self._is_parsing = False
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *reason: object) -> None:
        self._parsed()
        self._stack.close()

    async def receive(self) -> Message:
        """Return the next message of the request.

        Raises:
            BodyRejected: There is no room for the body, or it holds too many values.
        """
        if self._is_whole:
            self._parsed()
            return await self._receive()
        message = await self._receive()
        data = message.get("body", b"")
        # Commas and brackets within strings count too: telling them apart would take as long as parsing.
        self._values += data.count(b",") + data.count(b"[") + data.count(b"{")
        if self._values > BODY_VALUES:
            # A client that still sends would not read the reason.
            while message.get("more_body", False):
                message = await self._receive()
            raise BodyRejected(
                413, f"The request holds more than {BODY_VALUES} values (commas and opening brackets). Send fewer."
            )
        self._count(len(data))
        if not message.get("more_body", False):
            self._is_whole = True
            if self._size > _LARGE:
                await self._begin_parsing()
        return message

    def before(self, send: Send) -> Send:
        """Return what sends the answer. When it begins, the body has been parsed."""

        async def answer(message: Message) -> None:
            self._parsed()
            await send(message)

        return answer

    def _count(self, size: int) -> None:
        if self._held is None:
            self._held = self._stack.enter_context(Quantity(self._bodies.limits, Kind.HELD_BYTES, _caller(self._scope)))
        self._size += size
        try:
            self._held.add(size)
            self._arriving.add(size)
        except LimitReached as full:
            raise BodyRejected(503, str(full), retry_after=full.retry_after) from None

    async def _begin_parsing(self) -> None:
        await self._bodies.parsing.acquire()
        self._is_parsing, self._began = True, self._loop.time()
        self._timer = self._loop.call_later(_MAX_PARSE_SECONDS, self._let_next_parse)

    def _parsed(self) -> None:
        self._arriving.release()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            took = self._loop.time() - self._began
            self._loop.call_later(min(took, _MAX_PARSE_SECONDS), self._let_next_parse)

    def _let_next_parse(self) -> None:
        if self._is_parsing:
            self._is_parsing = False
            self._bodies.parsing.release()


def _caller(scope: Scope) -> str:
    """Return the caller of a request."""
    user = scope.get("user")
    if not isinstance(user, AuthenticatedUser):
        return _ANONYMOUS
    caller: str = user.access_token.access.caller  # type: ignore[attr-defined]
    return caller
