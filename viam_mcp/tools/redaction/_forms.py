"""Credentials that are told by their form wherever they stand: private keys, tokens of services, base64 of these.

The forms of services' tokens come from a maintained detector (see `_known_forms`). They are compiled when the first
text needs them, since most processes start without one.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from viam_mcp.tools.redaction._known_forms import PATTERNS, PREFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Span = tuple[int, int]

# Newer than the rules: the first characters of OpenAI's and of Facebook's keys, and what Hugging Face began with.
_MORE_PREFIXES = (
    "sk-proj-",
    "sk-svcacct-",
    "sk-admin-",
    "EAACEdEose0cBA",
    "hf_",
    "api_org_",
    "xoxe.xox",
    "pat-na1-",
    "pat-eu1-",
    "sq0csp-",
    "sq0idp-",
    "sq0atp-",
    "nvapi-",
)
_SHORTEST_TAIL = 12
_SHORTEST_RUN = 16

_PRIVATE_KEY = re.compile(
    r"-{4,5} ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    r".*?(?:-{4,5} ?END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{4,5}|\Z)",
    re.DOTALL,
)
_PUTTY = re.compile(r"(?<=Private-Lines: )\d{1,4}(?:\s{1,2}[A-Za-z0-9+/=]{1,80})*+")
# The first lookahead makes sure, once for each run of such characters, that a part of a token can end there.
_JWT = re.compile(
    r"(?<![\w-])(?=[\w-]++\.[\w-])[\w-]*?\b(?P<it>eyJ[\w-]{6,}+\.[\w-]++(?:\.[\w-]*+)?(?:\.[\w-]++\.[\w-]++)?)"
)
_BASE64 = re.compile(r"(?<![\w+/-])(?:[A-Za-z0-9+/]{16,}+|[A-Za-z0-9_-]{16,}+)={0,2}(?![\w+/-])")
_USER = re.compile(r"[\w.@+-]{1,64}:\S{4,200}")
_OPENSSH = "b3BlbnNzaC1rZXktdjE"
_LONGEST_DECODED = 16_384
_DEEPEST = 2


def has_long_run(text: str) -> bool:
    """Tell whether there are so many characters in a row, as tokens have them."""
    return len(text) >= _SHORTEST_RUN and _LONG_RUN.search(text) is not None


_LONG_RUN = re.compile(rf"[\w+/.:-]{{{_SHORTEST_RUN}}}")
_RUNS = re.compile(rf"[\w+/.:~=|$-]{{{_SHORTEST_RUN},}}+")


def form_spans(text: str, inner: Callable[[str], bool] | None = None, depth: int = 0) -> Iterator[Span]:
    """Find the credentials that are told by their form.

    Args:
        text: The text.
        inner: Whether a text that was found encoded holds a credential.
        depth: How often the text was encoded.
    """
    if "PRIVATE KEY" in text:
        yield from (found.span() for found in _PRIVATE_KEY.finditer(text))
    if "Private-Lines: " in text:
        yield from (found.span() for found in _PUTTY.finditer(text))
    if "eyJ" in text:
        yield from (found.span("it") for found in _JWT.finditer(text))
    if not has_long_run(text):
        return
    known = _known()
    for run in _RUNS.finditer(text):
        yield from (found.span() for found in known.finditer(text, *run.span()) if _tells(found[0]))
    for found in _BASE64.finditer(text):
        if _is_private_key(found[0]) or (inner is not None and depth < _DEEPEST and _holds(found[0], inner)):
            yield found.span()


@lru_cache(maxsize=1)
def _known() -> re.Pattern[str]:
    """Compile the known forms into one pattern, in which each alternative begins with a character of its own."""
    prefixes = "|".join(re.escape(prefix) for prefix in sorted({*PREFIXES, *_MORE_PREFIXES}, key=len, reverse=True))
    alternatives = [
        rf"(?:{prefixes})[0-9A-Za-z_.~/+=-]{{{_SHORTEST_TAIL},}}+",
        r"sk-[0-9A-Za-z]{32,}+",
        *PATTERNS.values(),
    ]
    return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(alternatives)})")


def _tells(token: str) -> bool:
    """Tell whether a token is none of those words that begin like one, such as `npm_config_user_agent`."""
    return not all(_WORDS.fullmatch(piece) for piece in _PIECES.split(token))


_PIECES = re.compile(r"[_.=/+~-]+")
_WORDS = re.compile(r"(?:[a-z]{0,14}|[A-Z]{0,14}|[A-Z][a-z]{1,14})\d{0,4}")


def _is_private_key(run: str) -> bool:
    """Tell whether base64 is a private key without its header: DER begins with a version there, and else with more."""
    if run.startswith(_OPENSSH):
        return True
    if len(run) < 40 or run[0] != "M":
        return False
    der = _decoded(run[:24])
    if der is None or der[0] != 0x30:
        return False
    length = der[1] & 0x7F if der[1] & 0x80 else 0
    return der[2 + length : 5 + length] in (b"\2\1\0", b"\2\1\1")


def _holds(run: str, inner: Callable[[str], bool]) -> bool:
    """Tell whether base64 is that of a text which is or holds a credential."""
    if run.islower() or run.isupper() or len(run) > _LONGEST_DECODED:
        return False
    data = _decoded(run)
    if data is None:
        return False
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return False
    return inner(text) or (bool(_USER.fullmatch(text)) and not text.isalpha() and _looks_chosen(text.partition(":")[2]))


def _looks_chosen(password: str) -> bool:
    return not password.isalpha() and not password.isdigit() and not password.startswith("/")


def _decoded(run: str) -> bytes | None:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
