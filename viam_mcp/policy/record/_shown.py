"""Arguments as the audit shows them: redacted, and of bounded length."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from viam_mcp.tools import REDACTED, redacted

if TYPE_CHECKING:
    from viam_mcp.tools import Tool

Json = Any

_LONGEST_TEXT = 300  # characters; ids, names and addresses are shorter


def shown_arguments(tool: Tool) -> dict[str, Json]:
    """Return the arguments that a call was given, redacted. A long value is named by its length and digest."""
    arguments = tool.model_dump(mode="json", exclude_unset=True)
    secret = tool.spec.secret_arguments
    return {name: REDACTED if name in secret else _shown(name, value) for name, value in arguments.items()}


def _shown(name: str, value: Json) -> Json:
    safe = redacted({name: value})
    assert isinstance(safe, dict)  # noqa: S101 - what goes in as an object comes out as one
    shown = safe[name]
    if isinstance(shown, str):
        return shown if len(shown) <= _LONGEST_TEXT else _named(shown)
    text = json.dumps(shown, ensure_ascii=False, sort_keys=True)
    return shown if len(text) <= 4 * _LONGEST_TEXT else _named(text)


def _named(text: str) -> str:
    return f"[{len(text):,} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()}]"
