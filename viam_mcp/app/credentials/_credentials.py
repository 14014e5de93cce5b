"""Where access tokens come from, and the one that is current."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Protocol

from grpclib.const import Status

from viam_mcp.app._errors import DeadlineExceeded, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AccessToken", "Credentials", "Exchange", "TokenCache", "TokenSource", "seconds_left"]

Exchange = Callable[[str, str], Awaitable[str]]
"""Has the server give an access token for an API key: its id, and the key."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, and for how many seconds it may be used. Shown without the token."""

    value: str = field(repr=False)
    good_for: float


class TokenSource(Protocol):
    """What a client authenticates with: an API key, or a user's login.

    Attributes:
        api_key_id: The id of the API key; None for a user.
    """

    @property
    def api_key_id(self) -> str | None: ...

    async def token(self, exchange: Exchange, refused: str | None) -> AccessToken:
        """Return a token that may be used from now on.

        Args:
            exchange: Has the server give a token for an API key.
            refused: The token that the server has refused, if it has: another one is wanted.

        Raises:
            AppError: There is none.
        """

    def secrets(self) -> Iterable[str]:
        """Yield the credentials that must not be shown when the server repeats them."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key and the id that names it. Shown without the key."""

    api_key_id: str
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot authenticate before anything is dialed.

        Raises:
            ValueError: If either is empty, or no text.
        """
        for name, value in (("api_key_id", self.api_key_id), ("api_key", self.api_key)):
            if not value:
                raise ValueError(f"{name} is empty: an API key and its id are both needed to authenticate")
            # Python reads a byte that is not UTF-8, from the environment for example, as such a character.
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise ValueError(f"{name} is not text: copy it once more")

    async def token(self, exchange: Exchange, refused: str | None) -> AccessToken:
        """See `TokenSource`."""
        value = await exchange(self.api_key_id, self.api_key)
        left = seconds_left(value)
        return AccessToken(value, inf if left is None else left - min(60.0, left / 10))

    def secrets(self) -> Iterable[str]:
        """See `TokenSource`."""
        return (self.api_key,)


class TokenCache:
    """The current access token: fetched when needed, once for all callers that wait, and again before it expires."""

    __slots__ = ("_closed", "_due", "_fetch", "_task", "_token")

    def __init__(self, fetch: Callable[[str | None], Awaitable[AccessToken]]) -> None:
        """Cache the tokens that `fetch` returns. `fetch` gets the token that the server refused, or None."""
        self._fetch = fetch
        self._token: str | None = None
        self._due = inf
        self._task: asyncio.Task[str] | None = None
        self._closed = False

    @property
    def current(self) -> str | None:
        """The token; None if there is none yet, if it was rejected, or if it is about to expire."""
        return self._token if time.monotonic() < self._due else None

    @property
    def last(self) -> str | None:
        """The token that was fetched last, whether it is still good or not."""
        return self._token

    def reject(self, token: str) -> None:
        """Drop `token`, which the server refused, unless it has been replaced meanwhile."""
        if token == self._token:
            self._due = -inf

    async def get(self) -> str:
        """Return a fresh token. Callers that ask while one is being fetched share it."""
        joining = self._task is not None
        try:
            return await self._next()
        except DeadlineExceeded:
            # The fetch had the deadline of the caller that began it. A caller that joined may have time left.
            if not joining:
                raise
            return await self._next()

    async def _next(self) -> str:
        if self._closed:
            raise Unavailable(Status.UNAVAILABLE, "the client was closed", rpc="Authenticate")
        if self._task is None:
            self._task = asyncio.create_task(self._renew(), name="viam-app-authenticate")
            # When all callers have given up, nothing else retrieves the task's exception.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        task = self._task
        # Not `await task`: cancelling one caller must not cancel the fetch for the others.
        await asyncio.wait({task})
        if task.cancelled():
            raise Unavailable(Status.UNAVAILABLE, "the client was closed", rpc="Authenticate")
        return task.result()

    async def close(self) -> None:
        """Cancel a fetch that is under way."""
        self._closed = True
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _renew(self) -> str:
        try:
            token = await self._fetch(self._token if self._due == -inf else None)
            self._token = token.value
            self._due = time.monotonic() + token.good_for
            return token.value
        finally:
            self._task = None


def seconds_left(token: str) -> float | None:
    """Return how many seconds a JWT lasts, or None if it does not say, or says nonsense.

    Measured from `iat` where there is one, so that a wrong local clock does not matter.
    """
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        left = float(claims["exp"]) - float(claims.get("iat", time.time()))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return None
    # A token that expires before it is issued comes from clocks that differ. The server refuses it when it expires.
    return left if left > 0 else None
