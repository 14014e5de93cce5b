"""Tokens that say what was asked, to whom, about what, and until when.

A token holds nothing but claims, and is encrypted and authenticated as one (AES-256-GCM): models and
clients carry tokens around, and can neither read nor change them. What a token is about stays with us; it
carries a digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from viam_mcp.policy._errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_KEY_BYTES = 32
_PREFIX = "vmc1."
_NONCE_BYTES = 12
_LONGEST = 4_096


class InvalidToken(Exception):  # noqa: N818 - it is an answer, not a fault
    """The token is not one that was sealed here, or is not for this; the message says which."""


@dataclass(frozen=True)
class Claims:
    """What a question was about.

    Attributes:
        way: How it was asked; an answer counts only if it comes the same way.
        tool: The tool.
        arguments: The digest of its canonical arguments.
        caller: The digest of who called.
        fingerprint: The digest of what was previewed.
        expires: Until when it may be answered, in whole seconds since 1970.
        nonce: 32 hexadecimal digits that no other question has.
    """

    way: str
    tool: str
    arguments: str
    caller: str
    fingerprint: str
    expires: int
    nonce: str


class Seal:
    """Seals and opens tokens and texts.

    Args:
        keys: At least 32 bytes each; the first seals, all of them open. None: one that is made now and
            dies with the process.

    Raises:
        PolicyError: A key is too short, or there is none.
    """

    def __init__(self, keys: Sequence[bytes] | None = None) -> None:
        if keys is None:
            keys = [secrets.token_bytes(MIN_KEY_BYTES)]
        if not keys:
            raise PolicyError("there is no key to seal confirmations with")
        if any(len(key) < MIN_KEY_BYTES for key in keys):
            raise PolicyError(f"a key that seals confirmations has fewer than {MIN_KEY_BYTES} bytes")
        # Hashed, so that the keys may be of any length and serve nothing else that they were given for.
        self._ciphers = [AESGCM(hashlib.sha256(b"viam-mcp confirmation\0" + key).digest()) for key in keys]

    def seal(self, claims: Claims) -> str:
        """A token that holds the claims."""
        # Models have to repeat tokens, so every character that can be spared is.
        data = self.close(json.dumps(astuple(claims), separators=(",", ":")).encode(), "token")
        return _PREFIX + _text(data)

    def open(self, token: str) -> Claims:
        """The claims of a token, which may have expired.

        Raises:
            InvalidToken: It was not sealed with one of the keys, or is not whole.
        """
        if not token.startswith(_PREFIX) or len(token) > _LONGEST:
            raise InvalidToken("it is not a confirmation token")
        body = token.removeprefix(_PREFIX)
        try:
            data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidToken("it is not whole") from None
        if _text(data) != body:
            raise InvalidToken("it is not whole")  # the same bytes, written in another way
        return Claims(*json.loads(self.disclose(data, "token")))

    def close(self, data: bytes, purpose: str) -> bytes:
        """The data, readable and changeable by nobody without the keys, and for one purpose."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, data, purpose.encode())

    def disclose(self, data: bytes, purpose: str) -> bytes:
        """What `close` was given.

        Raises:
            InvalidToken: It was not closed with one of the keys for this purpose, or is not whole.
        """
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose.encode())
            except (InvalidTag, ValueError):
                continue
        raise InvalidToken("it was not made by this server, or was changed")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def digest(text: str) -> str:
    """The first 192 bits of the SHA-256 of a text, as 32 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:24]).decode()


def parse_keys(text: str) -> list[bytes]:
    """The keys in a setting: hexadecimal or base64, separated by commas.

    Raises:
        PolicyError: A key is not that, or too short.
    """
    keys = [_key(item.strip(), number) for number, item in enumerate(text.split(","), start=1) if item.strip()]
    Seal(keys)
    return keys


def _key(text: str, number: int) -> bytes:
    decoders = (bytes.fromhex, lambda value: base64.b64decode(value + "=" * (-len(value) % 4), validate=True))
    for decode in decoders:
        try:
            return decode(text)
        except ValueError:
            continue
    raise PolicyError(f"key {number} is neither hexadecimal nor base64; make one with: openssl rand -hex 32")
