"""The keys that an authorization server signs with (RFC 7517): fetched when they are needed, and not more often.

https://www.rfc-editor.org/rfc/rfc7517
"""

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
"""The algorithms that need a private key to sign. With an HMAC, every server that checks tokens could make one."""
FRESH_SECONDS = 600.0
"""How long fetched keys count as current. A key that the server withdrew stays good for that long."""
STALE_SECONDS = 86_400.0
"""How long keys stay good while the server cannot be asked."""
UNKNOWN_SECONDS = 30.0
"""How often at most the server is asked for a key id that is not known. Anybody can send a token with one."""

_FETCH_SECONDS = 5.0
_RETRY_SECONDS = 2.0  # while no key is known at all
_MAX_BYTES = 262_144
_MAX_KEYS = 64


class KeySet:
    """The keys at a JWKS URL, by key id.

    Args:
        url: The URL.
        clock: Seconds, never going back.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str | None, PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = anyio.Lock()

    async def find(self, key_id: str | None) -> PyJWK | None:
        """Return the key with an id, or None if the server has none.

        Args:
            key_id: The id; None where a token names no key, which only works for a server with a single key.
        """
        key = self._key(key_id)
        if key is not None and (self._clock() - self._fetched < FRESH_SECONDS or self._fetching.locked()):
            return key
        async with self._fetching:
            if self._clock() - self._tried >= (UNKNOWN_SECONDS if self._keys else _RETRY_SECONDS):
                await self.refresh()
        return self._key(key_id)

    async def refresh(self) -> None:
        """Fetch the keys. If that fails, the keys that are known stay, for a day at most."""
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
    usable = {key.key_id: key for key in map(_usable, keys) if key is not None}
    if not usable:
        raise ValueError("no key in it")
    return usable


def _usable(entry: Any) -> PyJWK | None:
    """Return the key in an entry, or None with a line in the log if signatures cannot be checked with it.

    An entry that cannot be used says nothing about the others: RFC 7517, section 5, has unknown ones ignored.
    """
    try:
        why = _why_not(entry)
        key = None if why else PyJWK(entry)
    except (PyJWTError, TypeError, ValueError, OverflowError, RecursionError) as error:
        why, key = f"it cannot be read ({type(error).__name__})", None
    if key is not None and key.algorithm_name not in ALGORITHMS:
        why, key = "its algorithm is not accepted", None
    if key is None:
        key_id = entry.get("kid") if isinstance(entry, dict) else None
        logger.warning("a key of the authorization server is skipped: %s (kid %.100r)", why, key_id)
    return key


def _why_not(entry: Any) -> str:
    """Return why an entry is not used, before it is read as a key; empty if nothing speaks against it."""
    if not isinstance(entry, dict):
        return "it is no object"
    if not all(isinstance(entry.get(name, ""), str) for name in ("kid", "alg", "kty", "use")):
        return "one of kid, alg, kty and use is no text"
    if entry.get("use", "sig") != "sig":
        return "its use is not sig"
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return "its key_ops do not include verify"
    # Where the private key is published too, anybody could have signed.
    return "its private half is published" if "d" in entry else ""
