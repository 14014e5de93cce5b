"""What a rule says of a call's arguments, held against them.

One thing can be said in several ways: whatever a rule can be dodged by is looked at as well. Everything here is
pure.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = Any

_ITEMS = ("item_id", "module_id")
"""What a registry item is called by: `namespace:name` or `organization-id:name`, and both are the same item."""
_SAME = {"public": ("visibility",), "visibility": ("public",)}
_AS_TEXT = "_json"  # the end of the name of an argument that is JSON text in place of an object
_ORGANIZATION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def canonical(value: Json) -> str:
    """A JSON value as its one canonical text: sorted keys, no white space between tokens."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def holds(arguments: Mapping[str, Json], path: str, patterns: Sequence[str], *, widens: bool) -> bool:
    """Whether the values at a path are as patterns say.

    Args:
        arguments: A call's arguments, as JSON values.
        path: Where to look, such as `authorizations.role`.
        patterns: Those of a shell (`*`, `?`, `[ab]`), one of which has to fit.
        widens: True where a match allows more: then every value at the path has to match, exactly as it is
            written. Where a match allows less, one value is enough, in upper or lower case.
    """
    texts = [_text(value) for value in values_at(arguments, path)]
    if widens:
        return bool(texts) and all(any(fnmatchcase(text, pattern) for pattern in patterns) for text in texts)
    if isinstance(as_sent := arguments.get(path), str):
        texts.append(as_sent)
    is_item = path.rpartition(".")[2] in _ITEMS
    return any(
        fnmatchcase(text, pattern) or (is_item and _may_be(text, pattern))
        for text in map(str.casefold, texts)
        for pattern in map(str.casefold, patterns)
    )


def _text(value: Json) -> str:
    """A value as a pattern is held against it: a number as a machine's configuration stores it, however it was sent."""
    return value if isinstance(value, str) else canonical(_plain(value))


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _may_be(item: str, pattern: str) -> bool:
    """Whether an item may be one that is meant, though its owner is named in the other way than the pattern does."""
    owner, _, name = item.partition(":")
    wanted, colon, wanted_name = pattern.partition(":")
    other_way = bool(_ORGANIZATION_ID.fullmatch(owner)) is not bool(_ORGANIZATION_ID.fullmatch(wanted))
    return other_way and (not colon or fnmatchcase(name, wanted_name))


def values_at(arguments: Mapping[str, Json], path: str) -> Iterator[Json]:
    """Every value at a dotted path. Lists on the way are entered; what is absent or null is no value.

    A configuration may come as JSON text in place of an object: `robot_config` and `robot_config_json` are one. Inside
    of it, keys count in upper and lower case, since machines read them so. `public` and `visibility` say the same, and
    each is found by the name of the other.
    """
    head, _, rest = path.partition(".")
    head = head.removesuffix(_AS_TEXT)
    yield from _values(arguments.get(head), rest)
    text = arguments.get(f"{head}{_AS_TEXT}")
    if isinstance(text, str):
        try:
            yield from _values(json.loads(text), rest)
        except ValueError:
            return
    public, visibility = arguments.get("public"), arguments.get("visibility")
    if path == "visibility" and public is not None:
        yield "public" if public else "private"
    if path == "public" and visibility is not None:
        yield visibility != "private"


def spellings(path: str) -> Iterator[str]:
    """A path, and those that are looked at for it."""
    yield path
    yield from _SAME.get(path, ())
    head, dot, rest = path.partition(".")
    yield f"{head.removesuffix(_AS_TEXT)}{dot}{rest}"


def _values(value: Json, path: str) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        head, _, rest = path.partition(".")
        folded = head.casefold()
        for key, item in value.items():
            if key.casefold() == folded:
                yield from _values(item, rest)
