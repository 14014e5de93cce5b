"""Keys: the state key, which is never in the database, and those in the database, which it encrypts.

Rows are encrypted and audit lines hashed with the newest key of the table `keys`. Each of these is encrypted with the
state key. A new state key makes a new row key too: what is written from then on cannot be read with the old one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING

from viam_mcp.store._errors import StoreCorrupted, StoreKeyError, UnknownKeyError
from viam_mcp.store.database._folder import private_file, write_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from viam_mcp.store.database._database import Connection

KEYS_VARIABLE = "VIAM_MCP_STATE_KEYS"
"""The variable that holds the state keys, separated by commas: the first encrypts, all of them decrypt."""

_MIN_KEY_BYTES = 32
_BLOCK_BYTES = 64  # of SHA-256
_NONCE_BYTES = 12  # NIST SP 800-38D: 96 bits are the recommended size
_MAKE_ONE = "make one with: openssl rand -hex 32"


class StateKeys:
    """Where state keys come from: the environment, or else a file.

    Args:
        environment: The process's variables.
        file: The file for a key that this program makes itself; None where several computers need the same one.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, file: Path | None = None) -> None:
        self._text = environment.get(KEYS_VARIABLE, "")
        self._file = file

    def load(self, *, create: bool = False) -> list[bytes]:
        """Return the keys.

        Args:
            create: Make a file with a key if there is no key at all.

        Raises:
            StoreKeyError: There is none, or one is none that can be used.
        """
        if self._text.strip():
            return parse_keys(self._text)
        if self._file is None:
            raise StoreKeyError(
                f"{KEYS_VARIABLE} is not set: a store on a PostgreSQL server needs a key that every server of it has; "
                f"{_MAKE_ONE}"
            )
        if not private_file(self._file, create=False):
            if not create:
                raise StoreKeyError(
                    f"{self._file} is missing, and the store was written with the key in it: put it back, or set "
                    f"{KEYS_VARIABLE} to that key"
                )
            # Of several programs that do this at once one makes the file, and all of them read that one.
            write_once(self._file, secrets.token_hex(_MIN_KEY_BYTES).encode() + b"\n")
        try:
            return parse_keys(self._file.read_text(encoding="ascii"))
        except (OSError, ValueError, StoreKeyError):
            raise StoreKeyError(
                f"the state key in {self._file} cannot be read, and the store was written with it: put the file back"
            ) from None


def parse_keys(text: str) -> list[bytes]:
    """Return the keys in a text: hexadecimal or base64, separated by commas.

    Raises:
        StoreKeyError: A key is not that, or too short. The message does not repeat it.
    """
    keys = [_parse_key(item.strip(), number) for number, item in enumerate(text.split(","), start=1) if item.strip()]
    if not keys:
        raise StoreKeyError(f"there is no state key; {_MAKE_ONE}")
    return keys


def _parse_key(text: str, number: int) -> bytes:
    decoders = (bytes.fromhex, lambda value: base64.b64decode(value + "=" * (-len(value) % 4), validate=True))
    for decode in decoders:
        try:
            key = decode(text)
        except ValueError:
            continue
        if len(key) < _MIN_KEY_BYTES:
            raise StoreKeyError(f"state key {number} has fewer than {_MIN_KEY_BYTES} bytes; {_MAKE_ONE}")
        return key
    raise StoreKeyError(f"state key {number} is neither hexadecimal nor base64; {_MAKE_ONE}")


class RowKey:
    """One key of the table `keys`.

    Args:
        id: Its number.
        secret: Its 32 bytes.
    """

    def __init__(self, id: int, secret: bytes) -> None:
        # Imported here, since it takes 20 ms and only who changes something needs it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.id = id
        self._cipher = AESGCM(hmac.digest(secret, b"viam-mcp rows", "sha256"))
        # RFC 2104, with what depends on the key alone done once: an audit of a million lines is verified in seconds.
        block = hmac.digest(secret, b"viam-mcp audit", "sha256").ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def encrypt(self, data: bytes, context: bytes) -> bytes:
        """Return the data encrypted, for this context alone."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.id.to_bytes(4) + nonce + self._cipher.encrypt(nonce, data, context)

    def decrypt(self, data: bytes, context: bytes) -> bytes:
        """Return what `encrypt` was given.

        Raises:
            StoreCorrupted: It was not encrypted with this key for this context.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(data[4 : 4 + _NONCE_BYTES], data[4 + _NONCE_BYTES :], context)
        except (InvalidTag, TypeError, ValueError):
            raise StoreCorrupted("a row of the store was changed by another program: restore a backup") from None

    def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of the data (RFC 2104)."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


class KeyRing:
    """The keys of a store, decrypted.

    Args:
        keys: The keys by their numbers; the highest is in use.
    """

    def __init__(self, keys: Mapping[int, RowKey]) -> None:
        self._keys = keys
        self.current = keys[max(keys)]

    def __getitem__(self, id: int) -> RowKey:
        try:
            return self._keys[id]
        except KeyError:
            raise UnknownKeyError(
                f"key {id} of the store is not known: restore the store from a backup, or move it away"
            ) from None

    def decrypt(self, data: bytes, context: bytes) -> bytes:
        """Return what was encrypted with one of the keys for this context.

        Raises:
            StoreCorrupted: It was changed, or belongs to another row.
        """
        number = int.from_bytes(data[:4]) if isinstance(data, bytes) else 0
        return self[number].decrypt(data, context)


def open_keys(connection: Connection, source: StateKeys) -> KeyRing:
    """Return the keys of a store, inside a writing transaction. Makes the first, and a new one for a new state key.

    Raises:
        StoreKeyError: The state keys are not those of this store.
        StoreCorrupted: A key was changed by another program.
    """
    rows = connection.execute("SELECT id, state_key, encrypted FROM keys ORDER BY id" + connection.for_update)
    states = {_name(state): state for state in source.load(create=not rows)}
    first = next(iter(states))
    found: dict[int, bytes] = {}
    for key_id, name, encrypted in rows:
        if name not in states:
            raise StoreKeyError(
                f"the store was written with another state key: set {KEYS_VARIABLE} to it, or put back its key file"
            )
        found[key_id] = _state_key(states[name]).decrypt(encrypted, _context(key_id))
    if not rows or rows[-1][1] != first:
        found[max(found, default=0) + 1] = secrets.token_bytes(32)
        connection.execute("DELETE FROM keys")
        connection.insert(
            "INSERT INTO keys (id, state_key, encrypted, created) VALUES (:id, :name, :encrypted, :now)",
            [
                {
                    "id": key_id,
                    "name": first,
                    "encrypted": _state_key(states[first]).encrypt(secret, _context(key_id)),
                    "now": connection.now,
                }
                for key_id, secret in found.items()
            ],
        )
    return KeyRing({key_id: RowKey(key_id, secret) for key_id, secret in found.items()})


def _state_key(state: bytes) -> RowKey:
    # Hashed, so that a key of any length serves, and serves nothing else that it may have been given for.
    return RowKey(0, hashlib.sha256(b"viam-mcp state key\0" + state).digest())


def _name(state: bytes) -> str:
    """Return what tells a state key from others, and says nothing about it."""
    return hashlib.sha256(b"viam-mcp name of a state key\0" + state).hexdigest()[:16]


def _context(id: int) -> bytes:
    return f"key {id}".encode()
