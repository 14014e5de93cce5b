"""Arguments from a client: the tool with its arguments, or an error that tells the sender what to change."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import from_json

from viam_mcp.calls._absent import without_absent
from viam_mcp.tools import FORMS, NOT_EMPTY, TOOLS, ToolError, input_schema, quoted, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.tools import Tool

MAX_ARGUMENTS = 1_048_576
"""The largest arguments of one call, in bytes of JSON."""

_MAX_PROBLEMS = 5  # that one error names
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def parse(tool: type[Tool], arguments: Mapping[str, Any]) -> Tool:
    """Return the tool with these arguments. What counts as left out (see `_absent`) is.

    Raises:
        ToolError: An argument is missing, unknown or not what the tool takes. The message names each one, what was
            expected and what came.
    """
    try:
        given = without_absent(tool, arguments)
        data = _as_json({name: _whole_number(value) for name, value in given.items()})
        if len(data) <= MAX_ARGUMENTS:
            return tool.model_validate_json(data)
        problems = [_too_large(arguments, len(data))]
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [_problem(tool, one) for one in found[:_MAX_PROBLEMS] if one["type"] != "json_invalid"]
        if not problems:
            problems = [_unreadable(arguments)]
        elif len(found) > _MAX_PROBLEMS:
            problems.append(f"There are {len(found) - _MAX_PROBLEMS:,} more such problems.")
    except (ValueError, RecursionError):
        problems = [_unreadable(arguments)]
    raise ToolError(f"The arguments of {tool.spec.name} are not right, and nothing was done. " + " ".join(problems))


def _as_json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _whole_number(value: Any) -> Any:
    """Return a number without a fractional part as an integer: JSON Schema counts 5.0 as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _too_large(arguments: Mapping[str, Any], total: int) -> str:
    size, largest = max((len(_as_json(value)), name) for name, value in arguments.items())
    return (
        f"Together they take {total:,} bytes, {size:,} of them in {quoted(largest)}, "
        f"and at most {MAX_ARGUMENTS:,} are taken."
    )


def _unreadable(arguments: Mapping[str, Any]) -> str:
    """Name the first argument that cannot be read as JSON."""
    problem = "what JSON does not have, such as NaN, a number of thousands of digits, or what is nested too deeply"
    for name, value in arguments.items():
        try:
            from_json(_as_json([name, value]))
        except UnicodeEncodeError:
            problem = "half of a surrogate pair, which is not text"
            break
        except (ValueError, RecursionError):
            break
    return f"{quoted(name)}: expected JSON, got {problem}."


def unknown_tool(name: str, known: Mapping[str, type[Tool]]) -> ToolError:
    """Return the error for a name that is no tool, or no tool that this server offers."""
    if name in TOOLS:
        return ToolError(
            f"{name} is a tool that this server does not offer: its operator chose others, or that nothing may be "
            "changed (--read-only, --toolsets, --tools, --exclude-tools). Nothing was done."
        )
    close = difflib.get_close_matches(name[:100], known, n=3)
    advice = f"Did you mean {' or '.join(close)}?" if close else "tools/list names those that there are."
    return ToolError(f"There is no tool {quoted(name)} here. {advice}")


def _problem(tool: type[Tool], error: Any) -> str:
    """Return one sentence about one argument."""
    path, kind, value = _path(error["loc"]), error["type"], error["input"]
    if kind == "extra_forbidden":
        known = input_schema(tool)["properties"]
        close = difflib.get_close_matches(path[:100], known, n=1)
        advice = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known) or 'none'}."
        return f"{path} is not an argument of it: {advice}"
    if kind == "missing":
        return f"{path} is missing: expected {_expected(tool, error)}."
    if kind == "value_error":
        return f"{path}: {shorten(str(error['ctx']['error']), 300)}."
    return f"{path}: expected {_expected(tool, error)}, got {_got(value)}."


def _path(location: tuple[int | str, ...]) -> str:
    """Return a path such as `authorizations[0].role`, cut: its steps are the sender's own words."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    return text if len(text) <= 100 and text.isprintable() else quoted(text)


def _expected(tool: type[Tool], error: Any) -> str:
    schema = _schema_at(input_schema(tool), error["loc"])
    if schema is None:
        return str(error["msg"])
    kinds = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
             "array": "a list", "object": "an object"}  # fmt: skip
    expected = kinds.get(schema.get("type", ""), "a value")
    if "enum" in schema:
        expected = "one of " + ", ".join(schema["enum"])
    elif schema.get("format") == "date-time":
        expected = "a time with its zone, such as 2026-01-31T08:00:00Z"
    elif error["type"] == "expected":
        expected = error["msg"]
    elif "pattern" in schema:
        expected = FORMS[schema["pattern"]]
    elif error["type"] == "string_too_short" and schema.get("minLength") == 1:
        expected = NOT_EMPTY
    elif error["type"] != "missing" and _is_kind(error["input"], schema.get("type")):
        expected = f"{expected} ({error['msg'][0].lower()}{error['msg'][1:]})"
    description = schema.get("description")
    about = description and ("pattern" in schema or error["type"] == "missing")
    return f"{expected} ({description})" if about else expected


def _is_kind(value: Any, kind: str | None) -> bool:
    """Return whether the value has the right JSON type, so that its content is wrong."""
    types: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "array": list, "object": dict}
    return kind in types and isinstance(value, types[kind]) and not isinstance(value, bool)


def _schema_at(schema: Any, location: tuple[int | str, ...]) -> Any:
    for step in location:
        schema = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        if schema is None:
            return None
    return schema


def _got(value: Any) -> str:
    """Return what came: its type, and a short text itself, since an id that is nearly right explains itself."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f"the text {json.dumps(value)}" if len(value) <= 80 else f"a text of {len(value):,} characters"
    if isinstance(value, int | float):
        return f"the number {value}"[:60]
    return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)}"
