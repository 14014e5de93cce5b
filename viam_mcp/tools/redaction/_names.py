"""What the name of a value says about it: a password, a token, a key, or nothing.

Viam keeps credentials under a small set of keys: the `cloud` section's `secret` and `location_secret`, authentication
handlers, remotes' credentials. Whatever a module takes as its attributes or environment has names of its own. The last
word of a name decides, with the word before it where the last one alone says too little: `key`, `code`, `seed`.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache

from viam_mcp.tools.redaction._text import sanitize
from viam_mcp.tools.redaction._values import is_host, is_name, is_no_credential, is_path, is_url

LONGEST_NAME = 64
_LONGEST_KEY = 200
_MOST_KEYS = 2_000
_PIN = re.compile(r"\d{4,12}")
_LARGEST_COUNT = 999
_SHORTEST_NUMBER = 4

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_KEY_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Kind(Enum):
    """What stands under a name."""

    NOTHING = "no credential"
    SECRET = "a credential"  # noqa: S105 - what it says, as are these
    PASS = "a credential, unless it is a number such as a filter has"  # noqa: S105
    AUTH = "how somebody signs in, which may be a credential"
    KEY = "a credential, unless it reads like a name"
    PIN = "a credential, if it has four digits or more"
    CONNECTION = "an address that may hold credentials, or else a credential"
    WEBHOOK = "an address whose path is a credential"


_NOTHING, _WEBHOOK = Kind.NOTHING, Kind.WEBHOOK  # attributes of an enum's class take long to look up

# What the last word of a name says, after words that say only how it is written.
_HOW_WRITTEN = frozenset(
    {"value", "values", "val", "base", "b", "hex", "text", "string", "str", "plain", "plaintext", "raw", "encoded",
     "encrypted", "hash", "data", "json", "pem", "der", "current", "new", "old", "default"}
)  # fmt: skip
_SECRET_WORD = re.compile(
    r"(?:psk|pwd|pw|pswd|pword|cred|bearer|cookie|jwt|mnemonic|passwort|kennwort|contrasena|senha|wachtwoord|parola)s?"
    r"|authorization|passkey|skey|nwkskey|appskey|irk|ltk|csrk|r[ow]community|(?!by|com|high|low|band|all|tres|over|under|sur|encom|multi|single|first|second)\w+pass"
    r"|.*(?:secret|passw(?:or)?d|passphrase|passcode|token|credential"
    r"|(?:api|ssh|access|private|signing|encryption|secret|shared|account|auth|hmac|license)key)s?"
)
_SECRET_KEYS = frozenset(
    {"api", "ssh", "access", "private", "signing", "encryption", "decryption", "secret", "shared", "account", "auth",
     "hmac", "license", "licence", "master", "wifi", "wlan", "wpa", "wep", "network", "session", "subscription",
     "storage", "client", "server", "device", "root", "app", "application", "consumer", "deploy", "functions", "write",
     "admin", "aes", "des", "rsa", "ecdsa", "gpg", "pgp", "tls", "ssl", "jwt", "cert", "certificate", "product",
     "activation", "unlock", "security", "service", "cipher", "crypto", "ingest", "webhook", "bot", "fernet", "vault",
     "wireguard", "wg", "vpn", "ap", "pairing", "link", "enrollment", "provisioning", "apikey", "authentication"}
)  # fmt: skip
_OTHER_KEYS = frozenset(
    {"public", "primary", "foreign", "sort", "partition", "cache", "routing", "hot", "shortcut", "unique", "index",
     "row", "group", "join", "map", "dict", "lookup", "object", "translation", "allowed", "arrow", "function"}
)  # fmt: skip
_FILTERS = frozenset(
    {"high", "low", "band", "all", "first", "second", "third", "single", "multi", "two", "one", "by", "num"}
)
_CODES = frozenset(
    {"unlock", "access", "door", "gate", "entry", "security", "alarm", "disarm", "arming", "pairing", "pass", "secret",
     "safe", "lock", "master", "override", "admin", "verification", "auth", "authorization", "activation", "recovery",
     "backup", "keypad", "otp", "mfa", "duress"}
)  # fmt: skip
_NUMBERED_CODES = frozenset({"pin", "service", "setup", "panel", "user", "operator", "installer", "arm", "sim"})
_SEEDS = frozenset({"otp", "totp", "hotp", "mfa", "fa", "wallet", "recovery", "secret", "auth", "authenticator", "key"})
_COMMUNITIES = frozenset({"snmp", "trap", "ro", "rw", "read", "write"})
_PHRASES = frozenset({"pass", "recovery", "seed", "secret", "mnemonic", "backup"})
_PLAIN_PINS = frozenset(
    {"gpio", "board", "in", "out", "en", "enable", "pwm", "dir", "direction", "step", "interrupt", "bcm"}
)
_OTHER_TOKENS = frozenset(
    {"next", "page", "continuation", "stop", "pad", "eos", "bos", "mask", "special", "unk", "unknown", "sep", "cls",
     "start", "end", "prompt", "completion", "input", "output", "image", "cached", "max", "min", "num", "total"}
)  # fmt: skip
_PAIRS: dict[tuple[str, ...], Kind] = {
    ("connection", "string"): Kind.CONNECTION,
    ("connection", "uri"): Kind.CONNECTION,
    ("conn", "str"): Kind.CONNECTION,
    ("conn", "string"): Kind.CONNECTION,
    ("community", "string"): Kind.SECRET,
    ("security", "answer"): Kind.SECRET,
    ("key", "material"): Kind.SECRET,
    ("pass", "word"): Kind.SECRET,
}
_HOOKS = frozenset({"webhook", "webhooks", "hook"})
_PLACES = frozenset({"url", "uri", "address", "endpoint", "webhook", "webhooks", "hook"})
_COUNTED = frozenset({"tokens", "keys", "secrets", "passwords", "credentials", "cookies"})
# What says which credential it is, or what holds for it, and not what it is.
_TELLS_WHICH = frozenset(
    {"id", "ids", "name", "type", "kind", "role", "user", "username", "login", "email", "state", "status", "on", "at",
     "host", "port", "address", "url", "uri", "path", "file", "entity", "entities", "method", "mode", "scheme", "realm",
     "algorithm", "alg", "format", "scope", "scopes", "audience", "issuer", "region", "bucket", "database", "db",
     "domain", "tenant", "source", "provider", "rotation", "expires", "expiry", "expiration", "ttl", "timeout",
     "days", "hours", "seconds", "minutes", "ms", "count", "size", "length", "version", "enabled", "required", "env",
     "variable", "description", "header", "prefix", "managed", "project", "profile"}
)  # fmt: skip
_SIGNS_IN = frozenset(
    {"none", "basic", "digest", "bearer", "oauth", "oauth2", "oidc", "saml", "jwt", "token", "default", "api-key",
     "api_key", "apikey", "plain", "login", "cram-md5", "anonymous", "ldap", "kerberos", "ntlm", "password",
     "mtls", "tls",
     "psk", "wpa2", "wpa3", "open", "cert", "certificate", "scram-sha-256", "scram-sha-512", "key", "user", "system"}
)  # fmt: skip


def names_secret(key: str) -> bool:
    """Tell whether what stands under this key of a JSON object may be a credential for that alone.

    What stands under a key that is itself a key id (as in an `api-key` handler's `config`) is that key's value.
    """
    return kind_of(key) is not Kind.NOTHING


def kind_of(key: str, within: str = "") -> Kind:
    """Return what stands under a key.

    Args:
        key: The key.
        within: The key of the object that it is in, for keys that say too little: `{"snmp": {"community": …}}`.
    """
    return kinds_within(within)[key]


class _Kinds(dict[str, Kind]):
    """The kinds of the keys of an object that is under a key. They are remembered, since the same keys come again."""

    def __init__(self, within: str) -> None:
        super().__init__()
        self._within = within

    def __missing__(self, key: str) -> Kind:
        if len(self) >= _MOST_KEYS:
            self.clear()
        bounded = _bounded(key)
        kind = _kind_of(bounded)
        if self._within and kind in (Kind.NOTHING, Kind.KEY):
            kind = _kind_of(f"{self._within} {bounded}")
        if bounded is key:
            self[key] = kind
        return kind


def kinds_within(within: str) -> dict[str, Kind]:
    """Return the kinds of the keys of an object that is under a key; see `kind_of`."""
    return _kinds_within(_bounded(within))


@lru_cache(maxsize=1024)
def _kinds_within(within: str) -> dict[str, Kind]:
    return _Kinds(within)


def _kind_of(key: str) -> Kind:
    words = _words(key)
    if pair := _PAIRS.get(tuple(words[-2:])):
        return pair
    while words and (words[-1] in _HOW_WRITTEN or words[-1].isdigit()):
        words.pop()
    return _by_words(words) if words else Kind.NOTHING


def _by_words(words: list[str]) -> Kind:  # noqa: C901 - a table that reads from top to bottom
    *before, last = words
    qualifier = before[-1] if before else ""
    one = last.removesuffix("s") if last != "pass" else last
    if last in _PLACES and not _HOOKS.isdisjoint(words):
        return Kind.WEBHOOK
    if last == "dsn":
        return Kind.CONNECTION
    if one == "key":
        return Kind.SECRET if qualifier in _SECRET_KEYS else Kind.NOTHING if qualifier in _OTHER_KEYS else Kind.KEY
    if one == "token" and (qualifier in _OTHER_TOKENS or (before and before[0] in _OTHER_TOKENS)):
        return Kind.NOTHING
    if last == "pass":
        return Kind.NOTHING if qualifier in _FILTERS else Kind.PASS
    if last in ("auth", "authentication"):
        return Kind.AUTH
    if one == "pin":
        return Kind.NOTHING if qualifier in _PLAIN_PINS else Kind.PIN
    if one in ("otp", "totp", "hotp"):
        return Kind.KEY
    if one == "code":
        return Kind.SECRET if qualifier in _CODES else Kind.PIN if qualifier in _NUMBERED_CODES else Kind.NOTHING
    if one == "seed":
        return Kind.SECRET if not _SEEDS.isdisjoint(before) else Kind.NOTHING
    if one == "community":
        return Kind.SECRET if not _COMMUNITIES.isdisjoint(before) else Kind.NOTHING
    if one == "phrase":
        return Kind.SECRET if qualifier in _PHRASES else Kind.NOTHING
    return Kind.SECRET if _SECRET_WORD.fullmatch(last) else Kind.NOTHING


def is_credential(kind: Kind, value: object) -> bool:
    """Tell whether a text or a number that stands under a name of this kind is a credential as a whole."""
    if kind is _NOTHING or kind is _WEBHOOK or isinstance(value, bool) or value is None or value == "":
        return False
    if isinstance(value, str):
        return _is_secret_text(kind, value)
    if kind is Kind.SECRET:
        return True
    return kind in (Kind.PIN, Kind.PASS) and isinstance(value, int) and abs(value) > _LARGEST_COUNT


def _is_secret_text(kind: Kind, text: str) -> bool:
    if is_no_credential(text) or is_url(text):
        return False
    if kind is Kind.SECRET:
        return True
    if kind is Kind.PASS:
        return not (text.isdigit() and len(text) < _SHORTEST_NUMBER)
    if kind is Kind.PIN:
        return bool(_PIN.fullmatch(text))
    if kind is Kind.AUTH:
        return text.lower() not in _SIGNS_IN
    if kind is Kind.CONNECTION:
        return not is_host(text) and "=" not in text
    return not (is_name(text) or is_path(text) or is_host(text))


def is_a_count(key: str, value: object) -> bool:
    """Tell whether a number says how many credentials there are, as in `{"tokens": 4096}`."""
    return isinstance(value, int | float) and _last_word(_bounded(key)) in _COUNTED


def tells_which(key: str) -> bool:
    """Tell whether what stands under a key beside a credential says which one it is, such as `id`."""
    return _last_word(_bounded(key)) in _TELLS_WHICH


@lru_cache(maxsize=4096)
def _last_word(key: str) -> str:
    return next(reversed(_words(key)), "")


def _words(key: str) -> list[str]:
    """Return the words of a name in small letters, however it joins them. A key id is the name of its key."""
    if _KEY_ID.fullmatch(key):
        return ["api", "key"]
    return [word.lower() for word in _WORD.findall(_in_latin(sanitize(key)))]


def _in_latin(key: str) -> str:
    """Return a name without accents and in letters of ordinary width, as `contrasena`."""
    if key.isascii():
        return key
    return "".join(one for one in unicodedata.normalize("NFKD", key) if not unicodedata.combining(one))


def _bounded(key: str) -> str:
    """Return as much of a key as it takes to tell: what is remembered of keys must not grow with them."""
    return key if len(key) <= _LONGEST_KEY else sanitize(key)[-_LONGEST_KEY:]
