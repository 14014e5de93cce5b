"""Credentials where no field of the wire contract says so: inside configurations, arguments, log lines and other texts.

Three things tell a credential: the name that it stands under (`_names`, `_texts`), its form (`_forms`), and a URL
around it (`_urls`). What is hidden are credentials only: where something goes and what will run stays to be seen.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from viam_mcp.tools.redaction._commands import command_spans, names_next, option_span
from viam_mcp.tools.redaction._forms import form_spans, has_long_run
from viam_mcp.tools.redaction._marks import NOT_SHOWN, REDACTED
from viam_mcp.tools.redaction._names import (
    Kind,
    is_a_count,
    is_credential,
    kind_of,
    kinds_within,
    names_secret,
    tells_which,
)
from viam_mcp.tools.redaction._text import cleaned, sanitize
from viam_mcp.tools.redaction._texts import named_spans, names_any
from viam_mcp.tools.redaction._urls import url_spans, webhook_span
from viam_mcp.tools.redaction._values import is_host, is_name, is_path, is_url, is_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Label = Callable[[object], object]
    """What stands in the place of a credential."""

    Span = tuple[int, int]

__all__ = [
    "REDACTED",
    "may_be_code",
    "may_hold_secret",
    "names_secret",
    "redacted",
    "without_secrets",
    "without_secrets_sent",
]

# How programs write down a name with its value; the capitals are those of a logger.
_NAMES = ("name", "key", "variable", "Key")
_NAMED_VALUES = frozenset({"value", "val", "default", "String", "Integer", "Interface"})
_PROGRAM_KEYS = ("name", "command", "executable_path", "exec", "program")

_OPTIONS = (" -u", " -p", " --user", " -U", "curl", "mysql", "mariadb", "redis", "ldap", "mosquitto", "ipmi",
"snmp", "zip",
            "smbclient", "unrar", "7z", "mongo", "rabbit", "sqlcmd", "lftp", "podman", "docker", "http ")  # fmt: skip
# Attributes of an enum's class take long to look up.
_NOTHING, _SECRET, _AUTH, _WEBHOOK = Kind.NOTHING, Kind.SECRET, Kind.AUTH, Kind.WEBHOOK
_DEPENDING = (Kind.NOTHING, Kind.KEY, Kind.PIN, Kind.PASS)  # on what they are within
_PAIR = 2
_MOST_PARSED = 8  # pieces of JSON within a text that are tried


def redacted(value: object, label: Label = lambda secret: REDACTED) -> object:
    """Return a copy of a JSON value in which every credential reads as `label` says of it.

    Objects and lists keep their shape. Below a key that names a secret, all text and numbers are
    credentials but for what tells which one it is, such as `id` and `type`.
    """
    return redact(_copy(value), label)


def redact(value: object, label: Label = lambda secret: REDACTED) -> object:
    """Do as `redacted` with a value that nobody else has, which is changed."""
    return _redact(value, label, _NOTHING, "")


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _redact(value: object, label: Label, kind: Kind, key: str) -> object:
    """Redact a value that stands under a key of this kind."""
    if isinstance(value, dict):
        return _object(value, label, kind, key)
    if isinstance(value, list):
        return _list(value, label, kind, key)
    if kind is _WEBHOOK and isinstance(value, str):
        return _webhook(value, label)
    if is_credential(kind, value) and not is_a_count(key, value):
        return label(value)
    return without_secrets(value, label) if isinstance(value, str) else value


def _object(value: dict[str, object], label: Label, kind: Kind, key: str) -> dict[str, object]:
    kinds, harmless = kinds_within(key), _harmless
    says_of_others = not _NAMED_VALUES.isdisjoint(value) and any(name in value for name in _NAMES)
    if kind is not _NOTHING or "payload" in value or says_of_others:
        return _unusual_object(value, label, kind, key)
    for name, item in value.items():
        # Nearly every member is of the first two kinds, and most texts were seen before.
        if kinds[name] is not _NOTHING:
            value[name] = _redact(item, label, kinds[name], name)
        elif item.__class__ is str:
            if item not in harmless:
                value[name] = without_secrets(item, label)
        elif item.__class__ is dict:
            _object(item, label, _NOTHING, name)
        elif item.__class__ is list:
            _list(item, label, _NOTHING, name, value)
    return value


def _unusual_object(value: dict[str, object], label: Label, kind: Kind, key: str) -> dict[str, object]:
    """Redact an object that is under the name of a credential, or that has members which say what others are."""
    named = _named_kind(value)
    # What Viam calls a credential's value. An arm's payload is a number.
    holds_payload = kind is _AUTH or isinstance(value.get("type"), str)
    for name, item in value.items():
        own = kind_of(name, key)
        if named is not None and name in _NAMES and isinstance(item, str):
            own = _NOTHING
        elif own is _NOTHING and named is not None and name in _NAMED_VALUES:
            own = named
        elif (own in _DEPENDING and _is_within(kind, name, item, own)) or (
            own is _NOTHING and name == "payload" and holds_payload and isinstance(item, str)
        ):
            own = _SECRET
        if isinstance(item, list) and own is _NOTHING:
            _list(item, label, own, name, value)
        else:
            value[name] = _redact(item, label, own, name)
    return value


def _is_within(kind: Kind, name: str, item: object, own: Kind) -> bool:
    """Tell whether a member of an object under a name that says `kind` is a credential for that alone."""
    if kind is _SECRET:
        return isinstance(item, dict | list) or not tells_which(name)
    return kind is _AUTH and own is not _NOTHING and not isinstance(item, dict | list)


def _named_kind(value: dict[str, object]) -> Kind | None:
    """Return what `{"name": …, "value": …}` or the like names; None if the object is nothing of the kind."""
    if _NAMED_VALUES.isdisjoint(value):
        return None
    kinds = [kind_of(name) for name in (value.get(key) for key in _NAMES) if isinstance(name, str)]
    return next((kind for kind in kinds if kind is not _NOTHING), _NOTHING)


def _program(value: dict[str, object]) -> str:
    return next((name for name in (value.get(key) for key in _PROGRAM_KEYS) if isinstance(name, str)), "")


def _list(
    items: list[object], label: Label, kind: Kind, key: str, beside: dict[str, object] | None = None
) -> list[object]:
    """Redact a list; `beside` is the object that it is a member of, which may name the program that it is for."""
    if kind is _NOTHING and not any(item.__class__ is str for item in items):
        for item in items:
            if item.__class__ is dict or item.__class__ is list:
                _redact(item, label, kind, key)
        return items
    before, in_key = "", False
    program = _program(beside or {})
    program = f"{program} {items[0]}" if program and items and isinstance(items[0], str) else program
    for index, item in enumerate(items):
        text = item if isinstance(item, str) else ""
        in_key = (in_key or "PRIVATE KEY-----" in text) and "-----END" not in before
        option = before if before[:1] == "-" and kind is _NOTHING else ""
        own = names_next(option) if option else kind
        if own is _NOTHING and index == 1 and len(items) == _PAIR and kind_of(before) is _SECRET:
            own = Kind.KEY  # of a header, say: `["X-Api-Key", "…"]`; two names stay
        if in_key and text and kind is _NOTHING:
            items[index] = label(item)
        elif option and own is _NOTHING and text and (span := option_span(option, text, program)):
            items[index] = _replaced(text, [span], label)
        elif text or own is not _NOTHING or isinstance(item, dict | list):
            items[index] = _redact(item, label, own, key)
        if not before and not program and text:
            program = text
        before = text if text.isascii() else sanitize(text)
    return items


def _webhook(url: str, label: Label) -> str:
    span = webhook_span(url)
    if span is None:
        return url if is_url(url) or is_path(url) or is_word(url) or is_host(url) else f"{label(url)}"
    return _replaced(url, [span, *credential_spans(url)], label)


def may_hold_secret(text: str) -> bool:
    """Tell whether it takes a closer look to tell that a text holds no credential: for few of them."""
    if not text.isascii() or not text.isprintable():
        text = cleaned(text)[0]
    return "eyJ" in text or "://" in text or names_any(text) or has_long_run(text) or _may_be_command(text)


def _may_be_command(text: str) -> bool:
    return text[:1] == "-" or (" -" in text and any(option in text for option in _OPTIONS))


def without_secrets(text: str, label: Label = lambda secret: REDACTED) -> str:
    """Return the text without the credentials in it. A text that is JSON as a whole is looked into as such."""
    if not text or text in _harmless:
        return text
    if not may_hold_secret(text):
        return _remembered(text)
    # JSON may begin with white space: https://www.rfc-editor.org/rfc/rfc8259#section-2
    if text.lstrip()[:1] in ("{", "[") and (inner := _json_without_secrets(text, label)) is not None:
        return inner
    if spans := credential_spans(text):
        return _replaced(text, spans, label)
    return _remembered(text)


def _remembered(text: str) -> str:
    """Return a text without credentials, and remember that it is one."""
    if len(text) <= _LONGEST_REMEMBERED:
        if len(_harmless) >= _MOST_REMEMBERED:
            _harmless.clear()
        _harmless.add(text)
    return text


# Most texts of a fleet are read again and again. Only those without credentials are remembered.
_harmless: set[str] = set()
_LONGEST_REMEMBERED = 200
_MOST_REMEMBERED = 20_000


def may_be_code(secret: object) -> bool:
    """Tell whether something could run what looks like a credential, or go where it says.

    Who is asked about a call sees what its caller sends, such as `TOKEN="$(command)"` or a host: only a word that
    nobody would write, a number or a private key can be nothing but a credential.
    """
    if not isinstance(secret, str):
        return False
    if _KEY_FILE.fullmatch(secret):
        return False
    if not _HARMLESS.fullmatch(secret) or _END_OF_PORT.match(secret) or (secret[0] == "-" and is_name(secret)):
        return True
    if any(span == (0, len(secret)) for span in form_spans(secret)):
        return False
    return is_path(secret) or is_url(secret) or is_host(secret.rpartition("@")[2]) or _may_be_path(secret)


def _may_be_path(text: str) -> bool:
    """Tell whether a text is a path, or might be one: steps that read like names, as no base64 does."""
    return text.startswith(("/", "./", "../", "~")) or (
        "/" in text and any(is_name(step) and len(step) >= _SHORTEST_STEP for step in text.split("/"))
    )


_SHORTEST_STEP = 3
# After `http://host:`, a port that may be empty, in any way in which some client reads one, and the end of the host.
_END_OF_PORT = re.compile(r"[\d_+-]*[/?#\\]")
_WORD = re.compile(r"\w")
_HARMLESS = re.compile(r"[\w.~+/=:@%!?#*^,-]*+")
_KEY_FILE = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]{0,30}PRIVATE KEY)-----(?P<end>\r?\n|\\n)"
    r"(?:[A-Za-z0-9+/=]{1,76}(?P=end))++-----END (?P=kind)-----(?P=end)?"
)


def without_secrets_sent(text: str) -> str:
    """Return a caller's text as a person who is asked about the call sees it: hosts, paths and commands stay."""
    return without_secrets(text, lambda secret: secret if may_be_code(secret) else REDACTED)


def credential_spans(text: str) -> list[Span]:
    """Return where in a text its credentials are, in order; none within another one.

    A credential is told by what can be seen. What cannot, such as a character without width, is hidden with it.
    """
    if not text.isascii() or not text.isprintable():
        seen, places = cleaned(text)
        if seen != text:
            return [(places[start], places[end - 1] + 1) for start, end in _spans(seen)]
    return _spans(text)


def _spans(text: str) -> list[Span]:
    spans = [*form_spans(text, _holds_secret), *named_spans(text)]
    if _may_be_command(text):
        spans += command_spans(text)
    if "://" in text or "hook" in text:
        spans += url_spans(text)
    if '{"' in text:
        spans += _in_json(text)
    return [*_disjoint(text, spans)]


def _holds_secret(text: str) -> bool:
    """Tell whether a text that was found encoded holds a credential."""
    if may_hold_secret(text) and (any(True for _ in form_spans(text, _holds_secret, 1)) or [*named_spans(text)]):
        return True
    return bool("://" in text and [*url_spans(text)])


def _disjoint(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Yield the spans from left to right, those that overlap as one; none that is a mark already."""
    last: Span | None = None
    for start, end in sorted(spans):
        if start >= end or ("[" in text and not _WORD.search(NOT_SHOWN.sub("", text[start:end]))):
            continue
        if last and start < last[1]:
            last = last[0], max(last[1], end)
            continue
        if last:
            yield last
        last = start, end
    if last:
        yield last


def _replaced(text: str, spans: Sequence[Span], label: Label) -> str:
    pieces, end = [], 0
    for start, stop in _disjoint(text, spans):
        pieces += [text[end:start], f"{label(text[start:stop])}"]
        end = stop
    return "".join([*pieces, text[end:]])


def _in_json(text: str) -> Iterator[Span]:
    """Find the credentials in pieces of JSON within a text that only their place in it tells."""
    decoder, at = json.JSONDecoder(), text.find('{"')
    for _ in range(_MOST_PARSED):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find('{"', at + 1)
            continue
        found: list[str] = []
        redacted(value, lambda secret: found.append(secret) if isinstance(secret, str) else None)  # noqa: B023
        for secret in found:
            if (place := text.find(json.dumps(secret, ensure_ascii=False)[1:-1], at, end)) >= 0:
                yield place, place + len(json.dumps(secret, ensure_ascii=False)) - 2
        at = text.find('{"', end)


def _json_without_secrets(text: str, label: Label) -> str | None:
    """Return a text that is JSON without its credentials, itself if there are none; None if it is no JSON."""
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
