"""Arguments as the audit shows them: redacted, and of bounded length."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from viam_mcp.tools import redacted

if TYPE_CHECKING:
    from viam_mcp.tools import Tool

Json = Any

_LONG = 300  # characters; ids, names and addresses are shorter


def shown_arguments(tool: Tool) -> dict[str, Json]:
    """Return the arguments that a call was given, redacted. A long value is named by its length and digest."""
    arguments = tool.model_dump(mode="json", exclude_unset=True)
    return {name: _shown(name, value) for name, value in arguments.items()}


def _shown(name: str, value: Json) -> Json:
    if isinstance(value, str):
        return _short(_text(name, value))
    safe = redacted({name: value})
    assert isinstance(safe, dict)  # noqa: S101 - what goes in as an object comes out as one
    text = json.dumps(safe[name], ensure_ascii=False, sort_keys=True)
    return safe[name] if len(text) <= 4 * _LONG else _named(text)


def _text(name: str, value: str) -> str:
    """Return a text without credentials. A text that holds JSON is redacted as JSON."""
    if name.endswith("_json"):
        return json.dumps(redacted(json.loads(value)), ensure_ascii=False)
    return str(redacted(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONG else _named(text)


def _named(text: str) -> str:
    return f"[{len(text):,} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()}]"
