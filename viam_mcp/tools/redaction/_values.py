"""What the form of a value says: a name, a place, a reference, or something random."""

from __future__ import annotations

import re

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SEPARATORS = re.compile(r"[\s_.,:;/@+-]+")
_PIECE = re.compile(r"[A-Za-z]*\d{0,3}|\d{1,4}|v\d+")
_TURN = re.compile(r"[a-z][A-Z]")
_MOST_TURNS = 3  # from small letters to capitals in a name such as `maxJointSpeed`

_ROOTS = (
    "bin|boot|cache|data|dev|etc|home|lib|media|mnt|opt|proc|root|run|sbin|secrets?|srv|sys|tmp|usr|var|Users|Library"
)
_PATH = re.compile(rf"(?:file://)?(?:~|\.{{1,2}}|/(?:{_ROOTS}))(?:/[\w.@ +-]{{1,64}}){{1,30}}/?|[A-Z]:\\[^\n]{{1,300}}")
_FILE = re.compile(r"[\w./-]{1,200}\.(?:pem|key|crt|cer|pub|p12|pfx|jks|json|ya?ml|toml|txt|env|conf|cfg|ini|csv)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}://[^\s/?#\\]")
_HOST = re.compile(
    r"localhost(?::\d{1,5})?|(?:[\w-]{1,63}\.){1,20}[A-Za-z][\w-]{0,62}\.?(?::\d{1,5})?|\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?"
    r"|\[[0-9a-fA-F:]{2,45}\](?::\d{1,5})?|[\w.-]{1,253}:\d{1,5}"
)
_REFERENCE = re.compile(
    r"\$\{?[A-Z_][A-Z0-9_]{0,99}\}?|\$\{(?:environment|packages)\.[\w.-]{1,100}\}"
    r"|%[A-Z_][A-Z0-9_]{0,99}%|\$?\{\{[\w .|\"'-]{1,100}\}\}|<[a-z][a-z0-9 _-]{0,60}>"
    r"|env:\w{1,100}"
)
_STATES = frozenset(
    {"true", "false", "yes", "no", "on", "off", "none", "null", "nil", "n/a", "undefined", "required", "optional",
     "enabled", "disabled", "always", "never", "auto", "any", "*"}
)  # fmt: skip


def is_uuid(text: str) -> bool:
    """Tell whether the text is a UUID."""
    return bool(_UUID.fullmatch(text))


def is_path(text: str) -> bool:
    """Tell whether the text is the path of a file, by where it begins or how the file's name ends."""
    return bool(_PATH.fullmatch(text) or _FILE.fullmatch(text))


def is_url(text: str) -> bool:
    """Tell whether the text is a URL with a host."""
    return bool(_URL.match(text)) and not any(character.isspace() for character in text)


def is_host(text: str) -> bool:
    """Tell whether the text is an address in the network, such as `a.example:8080`."""
    return bool(_HOST.fullmatch(text))


def is_no_credential(text: str) -> bool:
    """Tell whether the text says where a credential is, or whether there is one, and is none whatever its name."""
    return bool(_REFERENCE.fullmatch(text)) or text.lower() in _STATES or is_path(text)


def is_name(text: str) -> bool:
    """Tell whether the text is made of words, with short numbers at most, such as `camera-front-2`."""
    if len(text) <= 3 or is_uuid(text):
        return True
    pieces = [piece for piece in _SEPARATORS.split(text) if piece]
    return all(_PIECE.fullmatch(piece) and len(_TURN.findall(piece)) <= _MOST_TURNS for piece in pieces)


def is_word(text: str) -> bool:
    """Tell whether the text is one word of letters, as people write them."""
    return text.isalpha() and (text.islower() or text.istitle() or text.isupper())
