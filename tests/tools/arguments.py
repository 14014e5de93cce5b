"""Arguments as an input schema allows them, and as it does not."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

Json = Any
Arguments = st.SearchStrategy[dict[str, Json]]

_LONGEST = 30  # characters of a text and, in tens, items of a list: longer ones show nothing more
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=_LONGEST)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
objects = st.dictionaries(
    texts, st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5), max_size=3
)

JUNK = st.sampled_from(
    [True, False, 0, -1, 0.5, 10**30, "", " ", "x", "x" * 20_000, "\x00", "\u202e", [], [[]], [0], ["x"], {}, {"x": 0}]
) | st.just(0).map(lambda _: deep())


def deep() -> Json:
    """A list in a list in a list."""
    value: Json = []
    for _ in range(150):
        value = [value]
    return value


def fitting(schema: Json, known: list[str]) -> Arguments:
    """Arguments that fit.

    Args:
        schema: A tool's input schema.
        known: Texts that mean something to the fleet, such as ids: drawn wherever they fit.
    """
    properties = {name: values(part, known) for name, part in schema["properties"].items()}
    if "wait_seconds" in properties:
        properties["wait_seconds"] = st.floats(0, 0.01)
    return _objects(properties, schema)


def broken(schema: Json, known: list[str]) -> Arguments:
    """Arguments that hardly ever fit: one is missing, is unknown, or is something else than it should be."""
    names = [*schema["properties"]]
    unknown = st.tuples(fitting(schema, known), texts, JUNK).map(lambda drawn: {**drawn[0], drawn[1]: drawn[2]})
    if not names:
        return unknown
    replaced = st.tuples(fitting(schema, known), st.sampled_from(names), JUNK).map(
        lambda drawn: {**drawn[0], drawn[1]: drawn[2]}
    )
    missing = st.tuples(fitting(schema, known), st.sampled_from(names)).map(
        lambda drawn: {name: value for name, value in drawn[0].items() if name != drawn[1]}
    )
    return replaced | replaced | unknown | missing


def values(schema: Json, known: list[str]) -> st.SearchStrategy[Json]:
    """Values that fit."""
    kind = schema["type"]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if kind == "string":
        return _texts(schema, known)
    if kind == "integer":
        return st.integers(schema.get("minimum"), schema.get("maximum"))
    if kind == "number":
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "array":
        return st.lists(values(schema["items"], known), min_size=schema.get("minItems", 0), max_size=3)
    if "properties" in schema:
        return _objects({name: values(part, known) for name, part in schema["properties"].items()}, schema)
    return objects


def _objects(properties: dict[str, st.SearchStrategy[Json]], schema: Json) -> Arguments:
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: properties[name] for name in required},
        optional={name: value for name, value in properties.items() if name not in required},
    )


def _texts(schema: Json, known: list[str]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.timezones()).map(lambda time: time.astimezone().isoformat())
    low, high = schema.get("minLength", 0), min(schema.get("maxLength", _LONGEST), _LONGEST)
    if "pattern" not in schema:
        return texts.filter(lambda text: low <= len(text) <= high)
    meant = [text for text in known if re.fullmatch(schema["pattern"], text)]
    any_text = st.from_regex(schema["pattern"], fullmatch=True).filter(
        lambda text: len(text) <= schema.get("maxLength", 300)
    )
    return st.sampled_from(meant) | st.sampled_from(meant) | any_text if meant else any_text
