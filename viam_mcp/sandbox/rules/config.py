"""Configurations: JSON objects that arrive as text or as a Struct, and the fragments that they name.

They are kept as text, because a Struct forgets the order of keys and turns every integer into a
float.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from google.protobuf.json_format import MessageToDict, SerializeToJsonError

from viam_mcp.sandbox.rpc import invalid
from viam_mcp.sandbox.rules.access import quoted, uuid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from viam_mcp.proto import app
    from viam_mcp.proto.google.protobuf.struct_pb2 import Struct, Value

__all__ = ["Entry", "entries", "fill", "importing", "parse", "plain", "references", "requested", "text_of"]

# Each level is three nested messages, and protobuf parses at most 100.
_DEEPEST = 30
_LARGEST_EXACT = 2**53


def requested(request: app.UpdateRobotPartRequest | app.UpdateFragmentRequest, struct: str, text: str) -> str | None:
    """Return the configuration that an update asks for, as text; None if it leaves the present one.

    Args:
        request: An update that can carry a configuration in two ways.
        struct: Its Struct field. Present and empty means an empty configuration.
        text: Its field for JSON text, which wins over the Struct.

    Raises:
        Refusal: INVALID_ARGUMENT: what was sent is not a configuration.
    """
    if request.HasField(text):
        sent = getattr(request, text)
        parse(sent, text)
        return str(sent)
    if request.HasField(struct):
        return text_of(getattr(request, struct))
    return None


def parse(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object that a text holds.

    Args:
        text: What was sent.
        what: The field it was sent in, for the message.

    Raises:
        Refusal: INVALID_ARGUMENT: it is no JSON, no object, or nothing that a Struct can hold.
    """
    try:
        parsed = json.loads(text, parse_constant=_no_constant)
        if not isinstance(parsed, dict):
            raise invalid(f"{what} must be a JSON object, not {_kind(parsed)}: send {{}} for an empty configuration")
        _check(parsed, what, _DEEPEST)
    except json.JSONDecodeError as error:
        raise invalid(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError:  # Python reads no integer of more than 4300 digits
        raise invalid(f"{what} holds an integer of thousands of digits: send it as text") from None
    return parsed


def text_of(struct: Struct) -> str:
    """Return a Struct as JSON text, its whole numbers as integers and its keys in order.

    Raises:
        Refusal: INVALID_ARGUMENT: it holds a number that JSON has no way to write, or is nested too deep.
    """
    try:
        plain = _whole(MessageToDict(struct))
    except (SerializeToJsonError, ValueError):
        raise invalid("the configuration holds a number that is infinite or not a number: JSON cannot") from None
    _check(plain, "the configuration", _DEEPEST)
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def plain(value: Value, what: str) -> Any:
    """Return what a `Value` holds, its whole numbers as integers.

    Raises:
        Refusal: INVALID_ARGUMENT: it holds nothing, a number that JSON has no way to write, or is nested too deep.
    """
    if value.WhichOneof("kind") is None:
        raise invalid(f"{what} has no value: send one; null is a value too")
    try:
        found = _whole(MessageToDict(value))
    except (SerializeToJsonError, ValueError):
        raise invalid(f"{what} holds a number that is infinite or not a number: JSON cannot") from None
    _check(found, what, _DEEPEST)
    return found


def fill(struct: Struct, text: str) -> None:
    """Fill a Struct field with the object that a stored text holds, even if that is empty."""
    struct.SetInParent()
    struct.update(json.loads(text))


def importing(imports: Iterable[app.FragmentImport]) -> str:
    """Return a configuration of nothing but fragments, as text."""
    entries = []
    for one in imports:
        entry: dict[str, Any] = {"id": one.fragment_id}
        if one.version:
            entry["version"] = one.version
        if one.prefix:
            entry["prefix"] = one.prefix
        if one.HasField("fragment_variables"):
            entry["variables"] = _whole(MessageToDict(one.fragment_variables))
        entries.append(entry)
    return json.dumps({"fragments": entries} if entries else {})


class Entry(NamedTuple):
    """An entry of a configuration's `fragments`."""

    fragment_id: str
    version: str
    prefix: str
    variables: dict[str, Any]


def entries(text: str) -> list[Entry]:
    """Return the entries of a configuration's `fragments`.

    `{"fragments": ["<id>", {"id": "<id>", "version": "stable", "prefix": "left", "variables": {}}]}`

    Raises:
        Refusal: INVALID_ARGUMENT: its `fragments` have another shape.
    """
    listed = json.loads(text).get("fragments") or []
    if not isinstance(listed, list):
        raise invalid(f"`fragments` in a configuration must be a list of fragment ids, not {_kind(listed)}")
    found = []
    for entry in listed:
        one = entry if isinstance(entry, dict) else {"id": entry}
        fragment_id, version, prefix = one.get("id"), one.get("version") or "", one.get("prefix") or ""
        variables = one.get("variables") or {}
        if not (isinstance(fragment_id, str) and isinstance(version, str) and isinstance(prefix, str)):
            raise invalid(
                f"`fragments` in a configuration has the entry {quoted(str(entry))}: each must be a fragment's id, "
                'or {"id": the fragment, "version": a revision or a tag}'
            )
        uuid(fragment_id, "`fragments` in a configuration")
        found.append(Entry(fragment_id, version, prefix, variables if isinstance(variables, dict) else {}))
    return found


def references(text: str) -> dict[str, str]:
    """Return the fragments that a configuration names: version by fragment id, "" for the newest.

    Raises:
        Refusal: INVALID_ARGUMENT: its `fragments` have another shape.
    """
    named: dict[str, str] = {}
    for entry in entries(text):
        # A fragment that is imported several times, under different prefixes, counts once.
        named.setdefault(entry.fragment_id, entry.version)
    return named


def _check(value: Any, what: str, levels: int) -> None:
    """Refuse what JSON text can say and a message cannot carry."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(f"{what} holds half of a surrogate pair, which is no character") from None
    elif isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        raise invalid(
            f"{what} holds the integer {str(value)[:40]}, beyond what a Struct keeps exactly: send it as text"
        )
    elif isinstance(value, float) and not isfinite(value):
        raise invalid(f"{what} holds a number beyond what a Struct can keep")
    elif isinstance(value, (dict, list)):
        if levels == 0:
            raise _too_deep(what)
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(item, what, levels - 1)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return int(value)
    return value


def _kind(value: Any) -> str:
    kinds = {
        list: "a list",
        str: "a text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
        dict: "an object",
    }
    return kinds.get(type(value), "null")


def _too_deep(what: str) -> Exception:
    return invalid(f"{what} is nested more than {_DEEPEST} levels deep, which a message cannot carry: flatten it")


def _no_constant(constant: str) -> NoReturn:
    raise invalid(f"the configuration holds {constant}, which is not JSON")
