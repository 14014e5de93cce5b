"""The output of commands, on terminals that cannot show every character.

A command has done its work when it prints. A character that stdout cannot encode must not turn that into an error.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from contextlib import suppress
from typing import Any

from viam_mcp.tools import json_text

Json = Any


def print_any_character() -> None:
    """Have stdout print the characters that it cannot encode as escapes such as `\\u4e2d`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        with suppress(OSError):  # its descriptor was replaced by one of another kind
            sys.stdout.reconfigure(errors="backslashreplace")


def as_json(value: Json, indent: int | None = None) -> str:
    """Return a value as JSON that stdout can encode, that acts on no terminal, and that stays JSON."""
    if _is_unicode(getattr(sys.stdout, "encoding", None)):
        return json_text(value, indent)
    return json.dumps(value, indent=indent)


def _is_unicode(encoding: str | None) -> bool:
    return encoding is not None and codecs.lookup(encoding).name in ("utf-8", "utf-16", "utf-32")
