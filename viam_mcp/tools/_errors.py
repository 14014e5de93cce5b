"""The exception of tools."""

from __future__ import annotations


class ToolError(Exception):
    """A call cannot be done as it was asked. The message tells the caller what is wrong and what to try."""
