"""What a change of a configuration puts at risk: whether code runs, access is given, or a machine talks to others."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from viam_mcp.tools.previews._model import Risk
from viam_mcp.tools.previews.configs._changes import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from viam_mcp.tools.previews.configs._changes import Change

Json = Any

_CODE = frozenset({"modules", "processes", "packages", "fragments", "fragment_mods", "agent", "jobs"})
"""Sections whose items run, or bring what runs."""
_GOING_ENDS_IT = frozenset({"modules", "processes", "packages", "fragments", "jobs"})
"""Those of which what goes does not run any more. Without an item of the others, something else may run."""
_WHICH_FRAGMENT = frozenset({"", "id", "version"})
_OVERRULE = frozenset({"fragments", "fragment_mods"})
"""Those of which a later item overrules an earlier one."""
_ACCESS = frozenset({"auth", "cloud", "network"})
"""Sections that say who reaches a machine, and how."""

_RUNS = frozenset({"executable_path", "command", "cmd", "exec", "args", "argv", "env", "cwd", "script", "entrypoint"})
_OPENS = frozenset({"auth", "no_tls", "insecure", "tls_auth_entities", "enable_web_profile", "allow_insecure_creds"})
_HOST_WORDS = frozenset(
    {"host", "hostname", "address", "addr", "ip", "url", "uri", "endpoint", "broker", "server", "port", "fqdn"}
    | {"domain", "proxy", "webhook", "gateway", "dn", "dsn", "addres"}  # without the s at their ends
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ADDRESS = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{0,30}://|"  # a URL
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|"  # an IPv4 address
    r"\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]|"  # an IPv6 address
    r"(?<![\w.-])(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*):\d{1,5}(?!\w)"  # a host and its port
)
_LONGEST_KEY = 200  # characters of a key that are looked at
_LONGEST_SEARCHED = 10_000  # characters of a text that are searched for addresses


def with_risks(changes: Iterable[Change]) -> list[Change]:
    """Return the changes with what each puts at risk."""
    return [replace(change, risks=_risks_of(change)) for change in changes]


def _risks_of(change: Change) -> frozenset[Risk]:
    """Return what a change puts at risk."""
    keys = change.place.keys
    section = keys[0].casefold()
    if change.kind in (Kind.MOVED, Kind.RENAMED, Kind.EMPTIED):
        # A name or an order starts nothing that was not there, but where one item overrules another.
        return frozenset({Risk.CODE} if change.kind is Kind.MOVED and section in _OVERRULE else ())
    if section == "fragments" and change.place.path in _WHICH_FRAGMENT:
        # What a fragment brings is told beside the configuration that names it, if that can be told.
        sides = (change.old, change.new)
        known = all(_names_fragments(value, change.place.path) for value in sides) and (
            change.place.item is not None or all(isinstance(value, list | None) for value in sides)
        )
        found = set() if known else {Risk.CODE}
    else:
        found = {*(_risks_of_mods(change) if section == "fragment_mods" else _risks(change))}
    if change.kind is Kind.REMOVED and change.is_of_item:
        found.add(Risk.DELETIONS)
        if section in _GOING_ENDS_IT:
            found -= {Risk.CODE, Risk.HOSTS}
        elif section not in _CODE | _ACCESS:
            found -= {Risk.CODE, Risk.HOSTS, Risk.SHELL, Risk.ACCESS}
    return frozenset(found)


def _names_fragments(value: Json, path: str) -> bool:
    """Whether a value under `fragments` names them in a way that is known; one that is not there names none."""
    if isinstance(value, str | None):
        return True
    if path:
        return False
    if isinstance(value, list):
        return all(isinstance(item, str) or (isinstance(item, dict) and _names_fragments(item, "")) for item in value)
    if not isinstance(value, dict):
        return False
    said = {key.casefold(): item for key, item in value.items()}
    return "fragment_id" not in said and all(isinstance(said.get(one, ""), str) for one in ("id", "version"))


def _risks(change: Change) -> Iterator[Risk]:
    if _is_shell(change.place.holder):
        yield Risk.SHELL
    for value in (change.old, change.new):
        yield from _risks_at(change.place.keys, value)


def _risks_at(keys: tuple[str, ...], value: Json) -> Iterator[Risk]:
    """Yield what a value puts at risk where it stands, given all keys on the way."""
    section, last = keys[0].casefold(), keys[-1].casefold()
    if section in _CODE or last in _RUNS:
        yield Risk.CODE
    if section in _ACCESS or last in _OPENS:
        yield Risk.ACCESS
    if section == "remotes" or _names_host(keys[-1], value) or _holds_address(value):
        yield Risk.HOSTS
    if isinstance(value, dict):
        if _is_shell(value):
            yield Risk.SHELL
        for key, item in value.items():
            yield from _risks_at((*keys, key), item)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list) or _holds_address(item):
                yield from _risks_at(keys, item)


def _risks_of_mods(change: Change) -> Iterator[Risk]:
    """Yield what a change of what is changed in a fragment puts at risk.

    Its operators hold paths into the fragment: `{"$set": {"modules.vision.version": "2.0.0"}}`.
    """
    told = False
    for value in (change.old, change.new):
        for path, item in _paths(change.place.keys, value):
            told = True
            yield from _risks_at(path, item)
            if isinstance(item, str) and _is_shell({path[-1]: item}):
                yield Risk.SHELL
    if not told:
        yield Risk.CODE  # no path that is known, so it may do anything


def _paths(keys: tuple[str, ...], value: Json) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Yield the paths into a fragment that a value holds, or stands at, with what each is set to."""
    operator = next((index for index, key in enumerate(keys) if key.startswith("$")), None)
    if operator is not None and keys[operator + 1 :]:
        yield tuple(step for key in keys[operator + 1 :] for step in key.split(".")), value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _paths((*keys, key), item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(keys, item)


def _is_shell(item: Json) -> bool:
    """Whether an item is the service that opens a shell on the machine, in either way to say so."""
    if not isinstance(item, dict):
        return False
    said = {key.casefold(): value for key, value in item.items() if isinstance(value, str)}
    kinds = (said.get("api", "").rpartition(":")[2], said.get("type", "").rpartition(":")[2], said.get("subtype", ""))
    return any(kind.strip().casefold() == "shell" for kind in kinds)


def _names_host(key: str, value: Json) -> bool:
    if isinstance(value, str) and value.startswith("/"):
        return False  # a device of the computer itself
    return _is_host_word(key if len(key) <= _LONGEST_KEY else key[-_LONGEST_KEY:])


@lru_cache(maxsize=4_096)
def _is_host_word(key: str) -> bool:
    words = {word.casefold().removesuffix("s") for word in _WORD.findall(key)}
    return words != {"serial", "port"} and not words.isdisjoint(_HOST_WORDS)


def _holds_address(value: Json) -> bool:
    return isinstance(value, str) and bool(_ADDRESS.search(value[:_LONGEST_SEARCHED]))
