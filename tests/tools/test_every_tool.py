"""Every tool does what it says, from an MCP client to the fleet's tables and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tools.cases import CASES
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from tests.fleet import Fleet


@pytest.mark.parametrize("name", TOOLS)
async def test_the_tool_does_what_it_says(fleet: Fleet, name: str) -> None:
    await CASES[name](fleet)


def test_there_is_a_case_for_each_tool_and_nothing_else() -> None:
    assert CASES.keys() == TOOLS.keys()
