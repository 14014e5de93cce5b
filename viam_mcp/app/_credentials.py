"""An API key, and the access token that it buys."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.app._errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and the id that names it. Shown without the key."""

    api_key_id: str
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot authenticate before anything is dialed.

        Raises:
            ValueError: If either is empty.
        """
        if not self.api_key_id or not self.api_key:
            missing = "api_key_id" if not self.api_key_id else "api_key"
            raise ValueError(f"{missing} is empty: an API key and its id are both needed to authenticate")


class Tokens:
    """The current access token: fetched when needed, once for however many wait, and again before it expires."""

    __slots__ = ("_closed", "_due", "_fetch", "_task", "_token")

    def __init__(self, fetch: Callable[[], Awaitable[str]]) -> None:
        """Keep the token that `fetch` gets from the server."""
        self._fetch = fetch
        self._token: str | None = None
        self._due = inf
        self._task: asyncio.Task[str] | None = None
        self._closed = False

    @property
    def current(self) -> str | None:
        """The token, unless there is none yet, it was rejected or it is about to expire."""
        return self._token if time.monotonic() < self._due else None

    @property
    def last(self) -> str | None:
        """The token last fetched, good or not."""
        return self._token

    def reject(self, token: str) -> None:
        """Forget `token`, which the server refused, unless it has been replaced meanwhile."""
        if token == self._token:
            self._due = -inf

    async def get(self) -> str:
        """A fresh token. Callers that come while one is on its way share it."""
        if self._closed:
            raise Unavailable(Status.UNAVAILABLE, "the client was closed", rpc="Authenticate")
        if self._task is None:
            self._task = asyncio.create_task(self._renew(), name="viam-app-authenticate")
        task = self._task
        # Not `await task`: cancelling one caller must not take the token away from the others.
        await asyncio.wait({task})
        if task.cancelled():
            raise Unavailable(Status.UNAVAILABLE, "the client was closed", rpc="Authenticate")
        return task.result()

    async def close(self) -> None:
        """Stop a fetch that is under way."""
        self._closed = True
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _renew(self) -> str:
        try:
            token = await self._fetch()
            left = _seconds_left(token)
            self._token = token
            self._due = inf if left is None else time.monotonic() + left - min(60.0, left / 10)
            return token
        finally:
            self._task = None


def _seconds_left(token: str) -> float | None:
    """How long a JWT lasts, None when it does not say or says nonsense.

    Measured from `iat` where there is one, so that a wrong local clock does not matter.
    """
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        left = float(claims["exp"]) - float(claims.get("iat", time.time()))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return None
    # A token that expired before it was issued means that clocks differ: the server's refusal will tell.
    return left if left > 0 else None
