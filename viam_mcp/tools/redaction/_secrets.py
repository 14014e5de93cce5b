"""What counts as a credential where no field of the wire contract says so: inside configurations and texts.

A configuration is free-form JSON. Viam keeps credentials in it under a small set of keys: the
`cloud` section's `secret` and `location_secret`, authentication handlers, remotes' credentials, and
whatever a module takes as its environment or attributes. Beside the names of keys, there is what gives
itself away wherever it stands: a private key, a token, a password in a URL. When in doubt, it is one:
what is hidden without need costs a question, what is shown without need costs the credential.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from viam_mcp.tools.redaction._text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    Label = Callable[[object], object]
    """What stands in the place of a credential."""

REDACTED = "[redacted]"

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_KEY_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# What the last word of a name says, after words that say only how it is written.
_HOW_WRITTEN = frozenset(
    {"value", "values", "val", "base", "b", "hex", "text", "string", "str", "plain", "plaintext", "raw", "encoded",
     "encrypted", "hash", "data", "json", "pem", "der"}
)  # fmt: skip
_SECRET_WORD = re.compile(
    r"pass|psk|pwd|pwds|pw|creds?|auth|authorization|bearer|cookies?|payload|jwts?"
    r"|.*(?:secret|passw(?:or)?d|passphrase|passcode|token|credential"
    r"|(?:api|ssh|access|private|signing|encryption|secret|shared|account|auth|hmac|license)key)s?"
)
_SECRET_PAIRS = frozenset({("connection", "string"), ("webhook", "url"), ("access", "code")})
_NO_SECRET_KEYS = frozenset(
    {"public", "primary", "foreign", "sort", "partition", "cache", "routing", "hot", "shortcut"}
)
_AMOUNTS = frozenset({"max", "min", "num", "total"})
# What says which credential it is, and not what it is.
_TELLS_WHICH = frozenset(
    {"id", "ids", "name", "type", "kind", "role", "user", "username", "state", "status", "on", "at"}
)

# How programs write down a name with its value; the capitals are those of a logger.
_NAMES = ("name", "key", "variable", "Key")
_NAMED_VALUES = frozenset({"value", "val", "default", "String", "Integer", "Interface"})
_LONGEST_KEY = 200


def names_secret(key: str) -> bool:
    """Whether what stands under this key of a JSON object is a credential, or holds some.

    What stands under a key that is itself a key id (as in an `api-key` handler's `config`) is that
    key's value.
    """
    return _names_secret(_bounded(key))


@lru_cache(maxsize=4096)
def _names_secret(key: str) -> bool:
    words = _words(key)
    if tuple(words[-2:]) in _SECRET_PAIRS:
        return True
    while words and (words[-1] in _HOW_WRITTEN or words[-1].isdigit()):
        words.pop()
    if not words:
        return False
    *before, last = words
    if last in ("key", "keys"):
        return not (before and before[-1] in _NO_SECRET_KEYS)
    if last == "tokens" and before and before[0] in _AMOUNTS:
        return False
    return bool(_SECRET_WORD.fullmatch(last))


def _words(key: str) -> list[str]:
    """The words of a name, in small letters, however it joins them. A key id is the name of its key."""
    if _KEY_ID.fullmatch(key):
        return ["key"]
    return [word.lower() for word in _WORD.findall(sanitize(key))]


def _bounded(key: str) -> str:
    """As much of a key as it takes to tell: what is remembered of keys must not grow with them."""
    return key if len(key) <= _LONGEST_KEY else sanitize(key)[-_LONGEST_KEY:]


def _tells_which(key: str) -> bool:
    return _last_word(_bounded(key)) in _TELLS_WHICH


@lru_cache(maxsize=4096)
def _last_word(key: str) -> str:
    return next(reversed(_words(key)), "")


def redacted(value: object, label: Label = lambda secret: REDACTED) -> object:
    """A copy of a JSON value in which every credential reads as `label` says of it: `[redacted]`, if nothing else.

    Objects and lists keep their shape. Below a key that names a secret, all text and numbers are
    credentials but for what tells which one it is, such as `id` and `type`.
    """
    return _redacted(value, label, secret=False)


def _redacted(value: object, label: Label, *, secret: bool) -> object:
    if isinstance(value, str) and not secret:
        return _without_secrets(value, label) if may_hold_secret(value) else value
    if isinstance(value, dict):
        named = _is_named(value)
        plain = named is None and not secret
        return {
            key: _redacted(
                item, label, secret=names_secret(key) if plain else _is_secret(key, item, within=secret, named=named)
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        flags = [False, *(isinstance(item, str) and _names_next(item) for item in value)]
        return [_redacted(item, label, secret=secret or flag) for item, flag in zip(value, flags, strict=False)]
    if not secret or isinstance(value, bool) or value is None or value == "":
        return value
    return label(value)


def _is_named(value: dict[str, object]) -> bool | None:
    """Whether `{"name": …, "value": …}` or the like names a secret; None if it is nothing of the kind."""
    if _NAMED_VALUES.isdisjoint(value):
        return None
    names = (value.get(key) for key in _NAMES)
    return any(isinstance(name, str) and names_secret(name) for name in names)


def _is_secret(key: str, item: object, *, within: bool, named: bool | None) -> bool:
    """Whether what stands under this key is a credential.

    Args:
        key: The key.
        item: What stands there.
        within: Whether the object is itself under a key that names a secret.
        named: What `_is_named` says of the object.
    """
    if named is not None and key in _NAMES:
        return False
    if names_secret(key) or (named and key in _NAMED_VALUES):
        return True
    return within and (isinstance(item, dict | list) or not _tells_which(key))


def _names_next(argument: str) -> bool:
    """Whether a command line's next argument is the credential that this one names, as in `--token abc`."""
    return (
        argument.startswith("-") and "=" not in argument and len(argument) <= _LONGEST_NAME and names_secret(argument)
    )


_LONGEST_NAME = 64
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
)
# The first lookahead makes sure, once for each run of such characters, that a part of a token can end there.
_JWT = re.compile(r"(?<![\w-])(?=[\w-]++\.[\w-])([\w-]*?\b)(eyJ[\w-]{6,}+\.[\w-]++(?:\.[\w-]*+)?)")
_AUTHORIZED = re.compile(
    r"(?i)(\bbearer\s{1,3}(?=[^\s\"']*[0-9]|[^\s\"']{20})|\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|digest|token|bearer)\s{1,3})"
    r"([\w.~+/=-]{8,})"
)
# A scheme has no more than 20 characters, so that a long text is not searched once for each of its words.
_URL_USER = re.compile(r"(?i)\b(https?://(?=[^\s/]+@)|[a-z][a-z0-9+.-]{0,19}://(?=[^\s/@]*:))([^\s/]+)@")
_NAMED = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]{2,64})"
    r"(?P<between>\s{0,3}=\s{0,3}\\?[\"']?|\\?[\"']\s{0,3}:\s{0,3}(?:\\?[\"'])?|(?<=[^\s-])\s{1,3})"
)
_VALUE = re.compile(r"(?!\[redacted)(?:(?<=[\"'])[^\"'\\]+|[^\s;&,\"'\\}\])]+)")


def may_hold_secret(text: str) -> bool:
    """Whether it takes a closer look to tell that a text holds no credential: for nearly none."""
    if "=" in text or "--" in text or "eyJ" in text or "earer" in text:
        return True
    return ":" in text and ('":' in text or "://" in text or "':" in text or "uthorization" in text)


def without_secrets(text: str, label: Label = lambda secret: REDACTED) -> str:
    """The text without the credentials that show by their form or by the name before them.

    These are private keys, JSON Web Tokens, authorization headers, users and passwords of URLs, and what
    follows the name of a secret as in `?token=…`, `Password=…;`, `--token …` and `"password": "…"`. A text
    that is JSON as a whole is looked into as such.
    """
    return _without_secrets(text, label) if may_hold_secret(text) else text


def may_be_code(secret: object) -> bool:
    """Whether something could run what looks like a credential.

    Who is asked about a call sees what its caller sends, such as `TOKEN="$(command)"`: only a word, a number or a
    private key can be nothing but a credential.
    """
    return isinstance(secret, str) and not (_HARMLESS.fullmatch(secret) or _KEY_FILE.fullmatch(secret))


_HARMLESS = re.compile(r"[\w.~+/=:@%!?#*^,-]*+")
_KEY_FILE = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]{0,30}PRIVATE KEY)-----(?P<end>\r?\n|\\n)"
    r"(?:[A-Za-z0-9+/]{64}(?P=end))*+[A-Za-z0-9+/]{1,64}={0,2}(?P=end)-----END (?P=kind)-----(?P=end)?"
)


def without_secrets_sent(text: str) -> str:
    """A caller's text as whoever is asked about the call sees it: without credentials that can be nothing else."""
    return without_secrets(text, lambda secret: secret if may_be_code(secret) else REDACTED)


def _without_secrets(text: str, label: Label) -> str:
    # JSON may begin with white space: https://www.rfc-editor.org/rfc/rfc8259#section-2
    if text.lstrip()[:1] in ("{", "[") and (inner := _json_without_secrets(text, label)) is not None:
        return inner
    text = _PRIVATE_KEY.sub(lambda found: f"{label(found[0])}", text)
    text = _AUTHORIZED.sub(lambda found: f"{found[1]}{label(found[2])}", text)
    text = _JWT.sub(lambda found: f"{found[1]}{label(found[2])}", text)
    text = _URL_USER.sub(lambda found: f"{found[1]}{label(found[2])}@", text) if "://" in text else text
    return _without_named(text, label)


def _json_without_secrets(text: str, label: Label) -> str | None:
    """A text that is JSON without its credentials, itself if there are none; None if it is no JSON."""
    said_twice = False

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal said_twice
        unique = dict(pairs)
        if len(unique) == len(pairs):
            return unique
        said_twice = True
        # Neither a control nor a number changes what a key names.
        return {f"{key}\0{number}": item for number, (key, item) in enumerate(pairs)} | unique

    try:
        value = json.loads(text, object_pairs_hook=members)
        safe = redacted(value, label)
    except (ValueError, RecursionError):
        return None
    if safe == value:
        return text
    return f"{label(text)}" if said_twice else json.dumps(safe, ensure_ascii=False)


def _without_named(text: str, label: Label) -> str:
    """The text without what follows the name of a secret."""
    pieces, end = [], 0
    for found in _NAMED.finditer(text):
        spoken = found["between"].isspace()  # which only options of a command are
        if found.start() < end or (spoken and not found["name"].startswith("--")) or not names_secret(found["name"]):
            continue
        if value := _VALUE.match(text, found.end()):
            pieces += [text[end : value.start()], f"{label(value[0])}"]
            end = value.end()
    return "".join([*pieces, text[end:]])
