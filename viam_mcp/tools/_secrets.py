"""What counts as a credential where no field of the wire contract says so: inside configurations.

A configuration is free-form JSON. Viam keeps credentials in it under a small set of keys: the
`cloud` section's `secret` and `location_secret`, authentication handlers, remotes' credentials, and
whatever a module takes as its environment or attributes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from viam_mcp.tools._text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"(?i)(?:(?:^|[^a-z0-9])(?:pass|psk|credentials?|payload|auth|authorization|bearer|cookie)"
    r"|(?-i:[a-z]P(?:ass|sk|wd))|secrets?|passw(?:or)?d|passphrase|(?:^|[^a-z0-9])pwd|tokens?|api[-_ ]?keys?"
    r"|(?:access|private|signing|encryption|secret|shared|account)[-_ ]?keys?|^keys?"
    r"|connection[-_ ]?string|webhook[-_ ]?url)[-_ ]?[0-9]*$"
)
# A scheme has no more than 20 characters, so that a long text is not searched once for each of its words.
_URL_USER = re.compile(r"(?i)\b(https?://(?=[^\s/]+@)|[a-z][a-z0-9+.-]{0,19}://(?=[^\s/@]*:))[^\s/]+@")
_KEY_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def names_secret(key: str) -> bool:
    """Whether text and numbers under this key of a JSON object are credentials.

    An object under such a key is looked into instead, so that `"auth": {"handlers": [...]}` keeps its
    shape. What stands under a key that is itself a key id (as in an `api-key` handler's `config`) is
    that key's value.
    """
    return bool(_SECRET_KEY.search(key) or _KEY_ID.fullmatch(key))


def without_url_password(text: str, label: Callable[[object], str] = lambda secret: REDACTED) -> str:
    """The text with the user and password of any URL in it redacted."""
    return _URL_USER.sub(lambda found: f"{found[1]}{label(found[0])}@", text) if "://" in text else text


def redacted(value: object, label: Callable[[object], str] = lambda secret: REDACTED, key: str = "") -> object:
    """A copy of a JSON value in which every credential reads as `label` says of it: `[redacted]`, if nothing else.

    Args:
        value: The value.
        label: What to show in place of a credential.
        key: What the value stands under, itself or the list that it is in.
    """
    if isinstance(value, dict):
        return {name: redacted(item, label, name) for name, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, label, key) for item in value]
    if isinstance(value, bool) or value is None or value == "":
        return value
    if names_secret(sanitize(key)):
        return label(value)
    return without_url_password(value, label) if isinstance(value, str) else value
