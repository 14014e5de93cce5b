"""What counts as a credential where no field of the wire contract says so: inside configurations.

A configuration is free-form JSON. Viam keeps credentials in it under a small set of keys: the
`cloud` section's `secret` and `location_secret`, authentication handlers, remotes' credentials, and
whatever a module takes as its environment or attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"(?i)(?:^|[^a-z0-9])(?:secret|secrets|passw(?:or)?d|passphrase|pwd|tokens?|credentials?|payload|auth|authorization)$"
    r"|secret$|password$|token$|api[-_ ]?keys?$|(?:access|private|signing|encryption|secret|shared|account)[-_ ]?keys?$"
    r"|^keys?$|connection[-_ ]?string$|webhook[-_ ]?url$"
)
_URL_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s/@]+@")
_KEY_ID = re.compile(r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def is_secret(key: str, value: object) -> bool:
    """Whether a JSON object's entry holds a credential, judged by its key.

    Only text and numbers can be a credential by name; an object or a list under such a key is looked
    into instead, so that `"auth": {"handlers": [...]}` keeps its shape. Text under a key that is
    itself a key id (as in an `api-key` handler's `config`) is that key's value.
    """
    if not isinstance(value, str | int | float) or isinstance(value, bool) or value == "":
        return False
    return bool(_SECRET_KEY.search(key)) or (isinstance(value, str) and bool(_KEY_ID.match(key)))


def without_url_password(text: str, label: Callable[[object], str] = lambda secret: REDACTED) -> str:
    """The text with the user and password of any URL in it redacted."""
    return _URL_USER.sub(lambda found: f"{found[1]}{label(found[0])}@", text) if "://" in text else text


def redacted(value: object, label: Callable[[object], str] = lambda secret: REDACTED) -> object:
    """A copy of a JSON value in which every credential reads as `label` says of it: `[redacted]`, if nothing else."""
    if isinstance(value, dict):
        return {key: label(item) if is_secret(key, item) else redacted(item, label) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, label) for item in value]
    return without_url_password(value, label) if isinstance(value, str) else value
