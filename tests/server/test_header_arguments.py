"""Arguments that a client would have to say in a header, too: the server says that there are none."""

from __future__ import annotations

import json

from viam_mcp.calls._confirm_operation import ConfirmOperation
from viam_mcp.tools import TOOLS, Tool, input_schema


def test_no_tool_has_an_argument_that_is_said_in_a_header() -> None:
    tools: list[type[Tool]] = [*TOOLS.values(), ConfirmOperation]
    for tool in tools:
        assert "x-mcp-header" not in json.dumps(input_schema(tool)), tool.spec.name
