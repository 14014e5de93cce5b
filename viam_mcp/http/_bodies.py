"""What the bodies of requests may take: room while they arrive and are worked on, and the time to parse them.

One that is parsed becomes up to thirty times as large, and nothing else runs meanwhile. So large ones are handed over
one by one, and in between everybody else has as much time as the last one took.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

BODIES_BYTES = 128 * 1_048_576
"""How large the bodies of all requests may be together that were not parsed yet. Each is held whole until then."""
CALLER_BYTES = 32 * 1_048_576
"""How large the bodies of all requests of one caller may be together, until they are answered."""
BODY_VALUES = 200_000
"""How many values a body may hold: those of a configuration of 1 MB, twice."""

_LARGE = 65_536
_LONGEST_TURN = 1.0
"""Seconds after which a body counts as parsed, whatever it is that holds up the rest of its request."""


class Refused(HTTPException):
    """A request that is not worked on because of its body."""

    def __init__(self, status: int, why: str, *, again: bool = False) -> None:
        # What is left of the body is not read.
        headers = {"connection": "close", **({"retry-after": "1"} if again else {})}
        super().__init__(status, why, headers)


async def say_why(request: Request, refused: Any) -> JSONResponse:
    """The answer to a request that was `Refused`."""
    return JSONResponse({"error": refused.detail}, refused.status_code, refused.headers)


@dataclass
class Bodies:
    """The bodies of all requests that are worked on.

    Attributes:
        most: How large they may be together, before they are parsed.
        most_per_caller: How large those of one caller may be, until they are answered.
        arriving: How large those are that were not parsed yet.
        held: How large those of each caller are.
        parsing: Whoever has it may hand over a large one.
    """

    most: int = BODIES_BYTES
    most_per_caller: int = CALLER_BYTES
    arriving: int = 0
    held: Counter[str] = field(default_factory=Counter)
    parsing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Body:
    """The body of one request, as the app receives it. The block ends with the answer.

    Args:
        bodies: Those of all requests.
        scope: Of the request; it says whose it is once something of the body is wanted.
        receive: Where it comes from.
    """

    def __init__(self, bodies: Bodies, scope: Scope, receive: Receive) -> None:
        self._bodies = bodies
        self._scope = scope
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._caller = ""
        self._size = self._unparsed = self._values = 0
        self._whole = self._has_turn = False
        self._began = 0.0
        self._turn: asyncio.TimerHandle | None = None

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *reason: object) -> None:
        self._parsed()
        held = self._bodies.held
        held[self._caller] -= self._size
        if not held[self._caller]:
            del held[self._caller]

    async def receive(self) -> Message:
        """The next message of the request.

        Raises:
            Refused: There is no room for the body, or it holds too much.
        """
        if self._whole:
            self._parsed()
            return await self._receive()
        message = await self._receive()
        data = message.get("body", b"")
        # Those within strings count as well: to tell them apart would take as long as parsing does.
        self._values += data.count(b",") + data.count(b"[") + data.count(b"{")
        if self._values > BODY_VALUES:
            # A client that still sends would not read why.
            while message.get("more_body", False):
                message = await self._receive()
            raise Refused(
                413, f"The request holds more than {BODY_VALUES} values (commas and opening brackets). Send fewer."
            )
        self._hold(len(data))
        if not message.get("more_body", False):
            self._whole = True
            if self._size > _LARGE:
                await self._take_turn()
        return message

    def before(self, send: Send) -> Send:
        """Whoever answers has parsed the body."""

        async def answer(message: Message) -> None:
            self._parsed()
            await send(message)

        return answer

    def _hold(self, size: int) -> None:
        bodies = self._bodies
        self._caller = self._caller or _caller(self._scope)
        self._size, self._unparsed = self._size + size, self._unparsed + size
        bodies.arriving += size
        bodies.held[self._caller] += size
        if bodies.held[self._caller] > bodies.most_per_caller:
            raise Refused(503, "Your requests in work are too large together. Retry once some are done.", again=True)
        if bodies.arriving > bodies.most:
            raise Refused(503, "This server is busy: too much is sent to it at once. Retry after 1 s.", again=True)

    async def _take_turn(self) -> None:
        await self._bodies.parsing.acquire()
        self._has_turn, self._began = True, self._loop.time()
        self._turn = self._loop.call_later(_LONGEST_TURN, self._give_turn_back)

    def _parsed(self) -> None:
        self._bodies.arriving -= self._unparsed
        self._unparsed = 0
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
            took = self._loop.time() - self._began
            self._loop.call_later(min(took, _LONGEST_TURN), self._give_turn_back)

    def _give_turn_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._bodies.parsing.release()


def _caller(scope: Scope) -> str:
    """Who sent a request, if anybody has to say so; the others share what one has."""
    user = scope.get("user")
    if not isinstance(user, AuthenticatedUser):
        return "nobody"
    caller: str = user.access_token.access.caller  # type: ignore[attr-defined]
    return f"caller {caller}"
