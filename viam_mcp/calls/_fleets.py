"""What is kept for each caller with each key: a client of the Viam app, and the road that calls take to it.

Nothing in it is ever anybody else's. Which entry a request belongs to is found by a keyed hash of the key, not
by the key. What nobody has used for a while is closed. One caller may have a quarter of the room, with however many
keys it comes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.calls._callers import grant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcp.server.context import ServerRequestContext

    from viam_mcp.app import AppClient, TokenSource
    from viam_mcp.calls._callers import Grant
    from viam_mcp.calls._calls import Calls
    from viam_mcp.calls._keys import Source

    Open = Callable[[TokenSource], AppClient]
    Make = Callable[[Grant | None], Calls]
    Name = tuple[Grant | None, bytes]

logger = logging.getLogger("viam_mcp.server")

MOST = 256
IDLE_SECONDS = 900.0
_RETRY_SECONDS = 10


@dataclass(eq=False)
class _Client:
    app: AppClient
    digest: bytes
    make: Make
    users: int = 0


@dataclass(eq=False)
class _Fleet:
    client: _Client
    calls: Calls
    used: float

    @property
    def busy(self) -> bool:
        """Whether calls are under way, or somebody is told about logs."""
        # Not whether logs are followed: all roads to a client do that together.
        return self.calls.active > 0


class Fleets:
    """Finds the calls that are open to whoever sent a request, with the key that it is to be done with.

    Args:
        source: Finds the key.
        open_app: Makes a client of the app. Nothing is dialed before it is used.
        make: For a client, what makes the road to it for whoever holds a grant; None for callers who need none. All
            roads to a client follow its logs together.
        most: How many there are at most.
        idle_seconds: How long one is kept that nobody uses.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        source: Source,
        open_app: Open,
        make: Callable[[AppClient], Make],
        *,
        most: int = MOST,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._open_app = open_app
        self._make = make
        self._most = most
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._fleets: OrderedDict[Name, _Fleet] = OrderedDict()
        self._clients: dict[bytes, _Client] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def __call__(self, ctx: ServerRequestContext[Any, Any]) -> Calls:
        """The calls for a request.

        Raises:
            MCPError: There is no key for it, or no room.
        """
        grant = grant_of(ctx)
        presented = self._source(ctx, grant)
        digest = hashlib.blake2b(presented.secret.encode(), key=self._secret).digest()
        name = (grant, digest)
        fleet = self._fleets.get(name)
        if fleet is None:
            self._make_room(name)
            fleet = self._fleets[name] = self._open(grant, presented.credentials, digest)
            self._wait()
        self._fleets.move_to_end(name)
        fleet.used = self._clock()
        return fleet.calls

    @property
    def open(self) -> int:
        """How many clients of the app there are."""
        return len(self._clients)

    @property
    def tails(self) -> int:
        """How many logs are followed."""
        return sum({fleet.client: fleet.calls.tails.open for fleet in self._fleets.values()}.values())

    async def close(self) -> None:
        """Close all of them."""
        if self._timer is not None:
            self._timer.cancel()
        while self._fleets:
            self._retire(next(iter(self._fleets)))
        await asyncio.gather(*self._closing)

    def _open(self, grant: Grant | None, credentials: TokenSource, digest: bytes) -> _Fleet:
        client = self._clients.get(digest)
        if client is None:
            app = self._open_app(credentials)
            client = _Client(app, digest, self._make(app))
        calls = _road(client, grant)
        self._clients[digest] = client
        client.users += 1
        return _Fleet(client, calls, self._clock())

    def _make_room(self, name: Name) -> None:
        """Let go of something idle where there is no room: of the caller's own if it has its share."""
        share = max(1, self._most // 4)
        own = [one for one in self._fleets if _account(one) == _account(name)]
        if len(own) >= share:
            self._retire_idle(own, f"You are at work with {share} keys here, which is all that one caller may.")
        elif len(self._fleets) >= self._most:
            self._retire_idle(
                self._fleets, f"This server is busy: it works for {self._most} callers, which is all that it may."
            )

    def _retire_idle(self, names: Iterable[Name], otherwise: str) -> None:
        """Let go of the one of these that was used least recently, and is idle."""
        idle = next((name for name in names if not self._fleets[name].busy), None)
        if idle is None:
            raise MCPError(
                code=types.INTERNAL_ERROR,
                message=f"{otherwise} Nothing was done; retry after {_RETRY_SECONDS} s.",
            )
        self._retire(idle)

    def _wait(self) -> None:
        """Look again when the one that was used least recently may have become old."""
        if self._timer is None and self._fleets:
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        oldest = self._clock() - self._idle_seconds
        for name in [name for name, fleet in self._fleets.items() if fleet.used <= oldest and not fleet.busy]:
            self._retire(name)
        self._wait()

    def _retire(self, name: Name) -> None:
        fleet = self._fleets.pop(name)
        fleet.client.users -= 1
        if not fleet.client.users:
            del self._clients[fleet.client.digest]
            task = asyncio.create_task(_close(fleet))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _account(name: Name) -> str | bytes:
    """Whose share of the room it takes: whoever is authenticated, or else whoever has the key."""
    grant, digest = name
    return digest if grant is None else grant.caller


def _road(client: _Client, grant: Grant | None) -> Calls:
    """The road to a client for whoever holds the grant, with a share of its tails.

    Raises:
        MCPError: The caller's folder for files cannot be used.
    """
    try:
        calls = client.make(grant)
    except OSError as error:
        logger.error("a caller's folder for files cannot be used: %s", error)  # noqa: TRY400 - it says where and why
        raise MCPError(
            code=types.INTERNAL_ERROR,
            message="The operator of this server has to repair your folder for files: "
            f"{error.strerror or 'it is not a folder'}. Nothing was done.",
        ) from None
    if grant is not None:
        calls.tails = calls.tails.of(grant.caller)
    return calls


async def _close(fleet: _Fleet) -> None:
    await fleet.calls.tails.close()
    await fleet.client.app.session.close()
