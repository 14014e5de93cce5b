"""The keys that an authorization server signs with: fetched when they are needed, and not more often."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
from jwt import PyJWK
from jwt.exceptions import PyJWTError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger("viam_mcp.http")

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that need a private key. With an HMAC, whoever can check a token could make one."""
FRESH_SECONDS = 600.0
"""How long keys are taken for what the server has: a key that it withdrew is good for that much longer."""
STALE_SECONDS = 86_400.0
"""How long keys stay good while the server cannot be asked."""
UNKNOWN_SECONDS = 30.0
"""How often at most the server is asked because of a key that is not known. Anybody can name one."""

_FETCH_SECONDS = 5.0
_RETRY_SECONDS = 2.0  # while there is no key at all
_MAX_BYTES = 262_144
_MAX_KEYS = 64


class Keys:
    """The keys behind a JWKS URL, by key id.

    Args:
        url: Where they are.
        clock: Seconds, never going back.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str | None, PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = anyio.Lock()

    async def find(self, key_id: str | None) -> PyJWK | None:
        """The key of that id; None if the server has none.

        Args:
            key_id: Its id; None where a token names no key, which only a server with a single key allows.
        """
        key = self._key(key_id)
        if key is not None and (self._clock() - self._fetched < FRESH_SECONDS or self._fetching.locked()):
            return key
        async with self._fetching:
            if self._clock() - self._tried >= (UNKNOWN_SECONDS if self._keys else _RETRY_SECONDS):
                await self.refresh()
        return self._key(key_id)

    async def refresh(self) -> None:
        """Ask the server. If it does not answer well, the keys of the last time stay, for a day at most."""
        self._tried = self._clock()
        try:
            self._keys = await _fetch(self._url)
            self._fetched = self._tried
        except (httpx2.HTTPError, ValueError, RecursionError, TimeoutError) as error:
            if self._clock() - self._fetched > STALE_SECONDS:
                self._keys = {}
            logger.warning("the keys at %s cannot be read (%s)", self._url, type(error).__name__)

    def _key(self, key_id: str | None) -> PyJWK | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)


async def _fetch(url: str) -> dict[str | None, PyJWK]:
    body = bytearray()
    with anyio.fail_after(_FETCH_SECONDS):
        async with (
            httpx2.AsyncClient(timeout=_FETCH_SECONDS) as client,
            client.stream("GET", url, headers={"accept": "application/json"}) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise ValueError(f"status {response.status_code}")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError("too large")
    data = json.loads(body)
    keys = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(keys, list) or len(keys) > _MAX_KEYS:
        raise ValueError("not a key set")
    usable = {key.key_id: key for entry in keys if (key := _key(entry)) is not None}
    if not usable:
        raise ValueError("no key in it")
    return usable


def _key(entry: Any) -> PyJWK | None:
    """A key that signatures are checked with; None for what is none, beside which others may stand that are."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name, ""), str) for name in ("kid", "alg", "kty")):
        return None
    # Where the private half is published too, anybody could have signed.
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]) or "d" in entry:
        return None
    try:
        key = PyJWK(entry)
    except (PyJWTError, TypeError):
        return None
    return key if key.algorithm_name in ALGORITHMS else None
