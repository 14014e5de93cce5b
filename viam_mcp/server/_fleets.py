"""What is kept for each caller with each key: a client of the Viam app, and the road that calls take to it.

Nothing in it is ever anybody else's. Which entry a request belongs to is found by a keyed hash of the key, not
by the key. What nobody has used for a while is closed.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from viam_mcp.server._callers import grant_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import ServerRequestContext

    from viam_mcp.app import AppClient, TokenSource
    from viam_mcp.server._callers import Grant
    from viam_mcp.server._calls import Calls
    from viam_mcp.server._keys import Source

    Open = Callable[[TokenSource], AppClient]
    Make = Callable[[Grant | None], Calls]
    Name = tuple[Grant | None, bytes]

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
        """Whether calls are under way, or logs are followed."""
        return self.calls.active > 0 or self.calls.tails.open > 0


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
            self._make_room()
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
        return sum(tails.open for tails in {fleet.calls.tails for fleet in self._fleets.values()})

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
            client = self._clients[digest] = _Client(app, digest, self._make(app))
        client.users += 1
        return _Fleet(client, client.make(grant), self._clock())

    def _make_room(self) -> None:
        if len(self._fleets) < self._most:
            return
        idle = next((name for name, fleet in self._fleets.items() if not fleet.busy), None)
        if idle is None:
            raise MCPError(
                code=types.INTERNAL_ERROR,
                message=f"This server is busy: it works for {self._most} keys, which is all that it may. Nothing was "
                f"done; retry after {_RETRY_SECONDS} s.",
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


async def _close(fleet: _Fleet) -> None:
    await fleet.calls.tails.close()
    await fleet.client.app.session.close()
