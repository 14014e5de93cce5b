"""Credentials that a text names: `password=…`, `"token": "…"`, `X-Api-Key: …`, `--secret …`, `curl -u …` and the like.

A log line, a command and a configuration in YAML are all texts. What is written like code (`=`, quotes, options, Go's
`{Password:…}`) is taken at its word. In what may be a sentence (`password …`, `token: …`) a value has to look like one,
since sentences speak of passwords, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from viam_mcp.tools.redaction._commands import is_switch
from viam_mcp.tools.redaction._marks import NOT_SHOWN
from viam_mcp.tools.redaction._names import LONGEST_NAME, Kind, is_a_count, is_credential, kind_of
from viam_mcp.tools.redaction._values import is_name, is_uuid, is_word

if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

# What the names of credentials have in them. Only words that do are looked at, since few of a text's words do.
_STEM = re.compile(
    "pass|pw|secret|token|key|cred|auth|psk|cookie|bearer|jwt|pin|code|seed|communit|phrase|sig|hmac|hook|otp|mnemonic"
    "|kennwort|contrasena|senha|wachtwoord|parola|dsn|conn|answer|payload|irk|ltk|csrk"
)
_NAME = re.compile(r"[\w.-]*")
_OPENS = r"(?:\[\]string\{|\[(?!redacted|left out|not a ))?"  # a list of Go's
_BETWEEN = re.compile(
    r"(?:"
    r"(?:\\?[\"']\]?|&quot;)\s{0,3}(?::|=>|=)\s{0,3}"
    + _OPENS
    + r"[urbf]?(?P<q1>\\?[\"']|&quot;|\|[+-]?\n\s{0,20}|>[+-]?\n\s{0,20})?"  # "name": "value"
    r"|\s{0,8}(?:=>|:=|==?|->)\s{0,8}(?P<q2>\\?[\"']|%22|&quot;)?"  # name = value
    r"|\s{0,2}:\s{0,8}" + _OPENS + r"(?P<q3>\\?[\"']|[|>][+-]?\n\s{0,20})?"  # name: value
    r"|\(\s{0,3}(?P<q4>\\?[\"'])"  # setPassword("value")
    r"|%3[dD]|%22%3[aA](?:%20)?(?:%22)?"  # the same, encoded for a URL
    r"|(?:\s[^<>\n]{0,100})?>(?=[^\s<])"  # <name>value</name>
    r"|(?<=[^\s-])\s{1,8}(?P<q5>[\"'])?"  # name value
    r")"
)
_BARE = re.compile(r"(?:[^\s;&,\"'<>\\}\])]|\\(?![\"'nrt]))+")
_TO_END = re.compile(r"[^\n\"']+")
_ALL = re.compile(r"[^\n]+")
_XML = re.compile(r"[^<\n]+")
_ENCODED = re.compile(r"[^\s&%\"'<>]+")
_QUOTED = {quote: re.compile(rf"(?:[^{quote}\\\n]|\\[^{quote}])+") for quote in "\"'"}
_ESCAPED = re.compile(r"[^\"'\\]+")
_FILLER = re.compile(
    r"(?:(?:is|was|are|to|as|of|now|set to|changed to|string|=)\s{1,3}){1,2}[\"']?|\d\s(?=[^\s\w]|\w{8})", re.IGNORECASE
)
_BEFORE = re.compile(r"([A-Za-z][\w-]{1,30}) $")
_LINE = re.compile(r"(?:[ \t]*(?:-[ \t]+)?(?:export[ \t]+|set[ \t]+)?)$")
_NEAR = 80  # characters before a name in which what it belongs to may be said
_SHORTEST = 4
_ONE_WORD = re.compile(r"[\w.-]+=\S+")

_IN_QUERY = re.compile(
    r"(?i)sig|signature|hmac|x-(?:amz|goog)-(?:signature|credential|security-token)|key-pair-id|jwt|hash_key|access_key|awsaccesskeyid"
)
_HEADER_VALUES = re.compile(r"(?i)(?:set-)?cookie|(?:proxy-)?authorization|x-authorization")
_SCHEME = re.compile(
    r"(?i)(?:basic|digest|token|bearer|apikey|api-key|negotiate|ntlm|aws4-hmac-sha256|key|hmac)\s{1,3}(?=\S)"
)
_AUTHORIZED = re.compile(r"(?i)\b(?:bearer|basic|token)\s{1,3}(?P<it>(?=[^\s\"']*[0-9]|[^\s\"']{20})[\w.~+/=-]{12,})")
_NETRC = re.compile(
    r"(?i)\b(?:login|user|username|account)\s{1,4}\S{1,100}\s{1,4}(?:privilege\s{1,2}\d{1,2}\s{1,2})?"
    r"(?:password|passwd|pass|secret)\s{1,4}(?:\d\s{1,2})?(?P<it>\S{1,200})"
)
_PAIRED = re.compile(
    r"(?i)(?<![\w-])(?:name|key|variable)\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?P<name>[\w.-]{2,64})\\?[\"']?[\s,;]{1,60}"
    r"(?:-\s)?\\?[\"']?(?:value|val|default)\\?[\"']?\s{0,3}[:=]\s{0,3}(?:\\?[\"'])?(?P<it>[^\s\"'\\,;}\])]+)"
)
_WPA = re.compile(r"(?<=\bwpa_passphrase )\S{1,64}\s{1,3}[\"']?(?P<it>[^\s\"']{8,64})")
_CREDENTIAL = re.compile(r"(?i)credential|secret|api-key")

# How sentences go on after they have named a credential.
_SPOKEN = frozenset(
    """
    a about accepted after again all already always an and any are as at auth authentication available be because
    been before being but by can cannot changed check complete configured connection could count data default
    deleted denied did disabled does doesn't don't done empty enabled error exchange exists expired expires expiry
    fail failed fails failure field file for format found from generated generation given had handler has hash have
    if in incorrect inside into invalid is isn't issued it its key known length limit loaded lookup manager match
    matched matches may mechanism method mismatch missing must name needed needs new no none not null ok okay on
    only or out policy present prompt protected provided received refresh refreshed rejected removed renewal renewed
    required reset retry revoked rotated rotation rpc server service set should size so source store stored strength
    string succeeded success successful supplied that the their then this timeout to too type unable unauthorized
    unchanged unknown unset until up update updated updating usage used user uses using valid validated validation
    value verification verified via wait waiting was wasn't were will with without wrong yes you your
    """.split()  # noqa: SIM905 - a list of words is longer and reads worse
)


def names_any(text: str) -> bool:
    """Tell whether a text may name a credential: whether there is anything to find for `named_spans`."""
    return _STEM.search(_lower(text)) is not None


def named_spans(text: str) -> Iterator[Span]:
    """Find what follows the name of a credential, in all the ways in which texts name one."""
    lower = _lower(text)
    yield from _after_names(text, lower)
    if "bearer" in lower or "basic" in lower or "token " in lower:
        # A UUID after the word token says which one; after the scheme of a header, it is the credential.
        authorized = _AUTHORIZED.finditer(text)
        yield from (it.span("it") for it in authorized if not (it[0][0] in "tT" and is_uuid(it["it"])))
    if "pass" in lower or "secret" in lower:
        yield from (found.span("it") for pattern in (_NETRC, _WPA) for found in pattern.finditer(text))
    if "val" in lower or "default" in lower:
        yield from (found.span("it") for found in _PAIRED.finditer(text) if _is_named(found["name"], found["it"]))


def _lower(text: str) -> str:
    """Return the text in small letters, each where it was."""
    lower = text.lower()
    return (
        lower if len(lower) == len(text) else "".join(small if len(small := one.lower()) == 1 else one for one in text)
    )


def _after_names(text: str, lower: str) -> Iterator[Span]:
    end = 0
    for stem in _STEM.finditer(lower):
        if stem.start() < end:
            continue
        start = _name_start(text, stem.start(), end)
        end = _NAME.match(text, stem.end()).end()  # type: ignore[union-attr]  # it matches nothing, too
        name = text[start:end]
        if len(name) > LONGEST_NAME:
            continue
        while name.endswith((".", "-")):  # the end of a sentence
            name = name[:-1]
        stop = start + len(name)
        if (found := _BETWEEN.match(text, stop)) is None or (kind := _kind(text, name, start)) is Kind.NOTHING:
            continue
        between = found[0]
        if between.isspace() or found["q5"]:
            span = _spoken(text, name, start, found, kind)
        else:
            span = _written(text, name, start, found, kind)
        if span and not NOT_SHOWN.match(text, span[0]):
            yield span
            end = span[1]


def _name_start(text: str, at: int, least: int) -> int:
    """Return where the name begins that has a stem at this place."""
    least = max(least, at - LONGEST_NAME)
    while at > least and (text[at - 1].isalnum() or text[at - 1] in "_.-"):
        at -= 1
    return at


def _kind(text: str, name: str, start: int) -> Kind:
    """Return what a name says, with the word before it where it says too little by itself."""
    kind = kind_of(name)
    if kind in (Kind.NOTHING, Kind.KEY, Kind.PIN) and (before := _BEFORE.search(text, max(start - 32, 0), start)):
        longer = kind_of(f"{before[1]}_{name}")
        kind = longer if kind is not Kind.PIN or longer is Kind.NOTHING else kind
    if kind is Kind.NOTHING and start and text[start - 1] in "?&;#":
        return Kind.SECRET if _IN_QUERY.fullmatch(name) else Kind.KEY if name == "code" else Kind.NOTHING
    if kind is Kind.NOTHING and name.lower().endswith("payload"):
        return Kind.SECRET if _CREDENTIAL.search(text, max(start - _NEAR, 0), start) else Kind.NOTHING
    return kind


def _written(text: str, name: str, begin: int, found: re.Match[str], kind: Kind) -> Span | None:
    """Find the value after a name that is written like code or like a line of a configuration."""
    start, between = found.end(), found[0]
    tight = not between.endswith(" ")
    if tight and ":" in between and begin and text[begin - 1] == ":":
        return None  # the middle of a model's or an API's name, such as `acme:token:reader`
    quote = found["q1"] or found["q2"] or found["q3"] or found["q4"] or ""
    before = _BEFORE.search(text, max(begin - 32, 0), begin)
    line = _begins_line(text, begin) or (before is not None and _begins_line(text, before.start()))
    if _HEADER_VALUES.fullmatch(name):
        scheme = _SCHEME.match(text, start)
        value = (_ESCAPED if quote.startswith("\\") else _TO_END).match(text, scheme.end() if scheme else start)
        return value.span() if value and (scheme or _is_header(value[0])) else None
    colon = ":" in between and not quote
    value = _value(text, start, quote, between, whole=line and colon)
    if value is None:
        return None
    content = value[0].rstrip()
    if colon and not _is_value(content, line=line, tight=tight):
        return None
    if not is_credential(kind, content) or not is_credential(kind, content.split()[0]):
        return None
    if content.isdigit() and is_a_count(name, int(content)):
        return None
    return value.start(), value.start() + len(content)


def _value(text: str, start: int, quote: str, between: str, *, whole: bool) -> re.Match[str] | None:
    if quote.startswith("\\"):
        return _ESCAPED.match(text, start)
    if quote[:1] in _QUOTED:
        return _QUOTED[quote].match(text, start)
    if quote[:1] in ("|", ">") or whole:
        return _TO_END.match(text, start)
    if between.endswith(">"):
        return _XML.match(text, start)
    if "%" in between:
        return _ENCODED.match(text, start)
    if "=" in between and _ONE_WORD.fullmatch(text) and "&" not in text and ";" not in text:
        return _ALL.match(text, start)
    return _BARE.match(text, start)


def _begins_line(text: str, start: int) -> bool:
    line = text.rfind("\n", max(start - 100, 0), start) + 1
    return (line > 0 or start <= 100) and _LINE.fullmatch(text[line:start]) is not None


def _is_header(value: str) -> bool:
    return (
        len(value) >= _SHORTEST
        and value.split(maxsplit=1)[0].strip(",.;:").lower() not in _SPOKEN
        and not is_word(value)
    )


def _is_value(value: str, *, line: bool, tight: bool) -> bool:
    """Tell whether what follows a name and a colon is a value, and no sentence that goes on."""
    words = value.split()
    first = words[0].strip(",.;:!?").lower() if words else ""
    if not first or first in _SPOKEN or value.endswith(":"):
        return False
    if line:
        return True
    # Go writes structures without blanks, as in {Password:swordfish}.
    return tight or not is_word(value)


def _spoken(text: str, name: str, begin: int, found: re.Match[str], kind: Kind) -> Span | None:
    """Find the value after a name in a sentence or a command: an option's argument, or what looks like a credential."""
    start = found.end()
    if not found["q5"] and (filler := _FILLER.match(text, start)):
        start = filler.end()
    value = (_QUOTED[found["q5"]] if found["q5"] else _BARE).match(text, start)
    if value is None:
        return None
    content = value[0].rstrip(".:") or value[0]
    span = value.start(), value.start() + len(content)
    if name.startswith("-"):
        if content.startswith("-") or start != found.end() or is_switch(name):
            return None
        return value.span() if is_credential(kind, value[0]) else None
    if kind not in (Kind.SECRET, Kind.PASS, Kind.PIN) or not is_credential(kind, content):
        return None
    alone = _begins_line(text, begin) and text[span[1] : span[1] + 1] in ("", "\n", "\r")
    said = found["q5"] or alone
    if said and content.lower() not in _SPOKEN and not is_uuid(content):
        return span
    return span if _sounds_secret(content, name, kind) else None


def _sounds_secret(value: str, name: str, kind: Kind) -> bool:
    if kind is Kind.PIN:
        return value.isdigit()
    if value.isdigit():
        return len(value) >= _SHORTEST and not name.endswith("s")
    if len(value) < _SHORTEST or value.isalpha() or value.lower() in _SPOKEN or is_uuid(value):
        return not (len(value) < _SHORTEST or value.lower() in _SPOKEN or is_uuid(value) or is_word(value))
    return not is_name(value) or (value.isalnum() and value[0].isalpha()) or ("@" in value and "." not in value)


def _is_named(name: str, value: str) -> bool:
    return is_credential(kind_of(name), value) and not NOT_SHOWN.match(value)
