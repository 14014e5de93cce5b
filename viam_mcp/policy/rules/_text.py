"""Texts and numbers as they are meant, not as they are spelt. Everything here is pure."""

from __future__ import annotations

import json
import math
import posixpath
import re
import socket
import unicodedata
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote

Json = Any

# What cannot be seen and is neither a control nor a format character: fillers, joiners, variation selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_WILDCARDS = re.compile(r"\[!?\]?[^\]]*\]|[*?]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_LONGEST_NUMBER = 400  # characters
_END_OF_HOST = re.compile(r"(?<=\w)\.(?=[/:?#])")


class Pairs(list[tuple[str, Json]]):
    """The members of a JSON object, with those that are named twice."""


def canonical(value: Json) -> str:
    """A JSON value as its one canonical text: sorted keys, no white space between tokens."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(value: Json) -> Json:
    """A JSON value in which whole numbers are whole however they were sent, as a machine stores them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Pairs):
        return {key: plain(item) for key, item in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=4096)
def cleaned(text: str) -> str:
    """Return a text in one spelling: composed and in compatible characters, without characters that cannot be seen,
    single spaces between words, and nothing but words at its ends, which a dot at the end of a host's name is not."""
    return _spelt(text).strip().rstrip(". ")


def _spelt(text: str) -> str:
    if text.isascii() and text.isprintable() and "  " not in text:
        return text
    composed = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    seen = "".join(one for one in composed if one.isspace() or unicodedata.category(one) not in ("Cf", "Cc", "Cs"))
    return unicodedata.normalize("NFKC", re.sub(r"\s+", " ", seen))


def folded(text: str) -> str:
    """Return a text in one spelling, whatever its capitals."""
    return cleaned(unicodedata.normalize("NFKC", cleaned(text).casefold()))


@lru_cache(maxsize=1024)
def folded_pattern(pattern: str) -> str:
    """Return a pattern that is held against folded texts; its wildcards stay."""
    parts, end = [], 0
    for found in _WILDCARDS.finditer(pattern):
        parts += [_literal(pattern[end : found.start()]), found[0].casefold()]
        end = found.end()
    return "".join([*parts, _literal(pattern[end:]).rstrip(". ")]).strip()


def _literal(text: str) -> str:
    """A piece of a pattern without wildcards, folded, and none in it afterwards."""
    spelt = unicodedata.normalize("NFKC", _spelt(text).casefold())
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", spelt)


@lru_cache(maxsize=4096)
def readings(text: str) -> tuple[str, ...]:
    """Return what a text may mean, folded: as it stands, and as a path, a URL or an address."""
    stands = folded(text)
    found = {stands, folded(unquote(stands)), _END_OF_HOST.sub("", stands)}
    if "/" in stands and "://" not in stands:
        found.add(re.sub("^//", "/", posixpath.normpath(stands)))
    if (
        "\u3002" in stands
    ):  # which ends a label of a host's name as well: https://www.rfc-editor.org/rfc/rfc3490#section-3.1
        found.add(stands.replace("\u3002", "."))
    with suppress(ValueError):
        address = ip_address(stands.strip("[]"))
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        found |= {address.compressed, (mapped or address).compressed}
    with suppress(OSError, ValueError):
        found.add(socket.inet_ntoa(socket.inet_aton(stands)))
    return tuple(found)


def number(text: str) -> float | None:
    """Return the number that a text is, however it is written; None for other texts, and for what is not finite."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
