"""Every rpc of the wire contract can be called through a tool, or it is said why not."""

from __future__ import annotations

from scripts.places import wire_rpcs, without_tool
from viam_mcp.tools import TOOLS


def test_every_rpc_has_a_tool_or_a_reason() -> None:
    assert len(wire_rpcs()) == 124
    assert [*without_tool(TOOLS.values(), wire_rpcs())] == []


def test_an_rpc_without_a_tool_is_named() -> None:
    fewer = [tool for name, tool in TOOLS.items() if name != "rename_key"]
    (problem,) = without_tool(fewer, wire_rpcs(), {})
    assert problem.startswith("RenameKey: no tool calls it")
    assert [*without_tool(fewer, wire_rpcs(), {"RenameKey": "names of keys are given once"})] == []


def test_a_reason_is_one_and_for_an_rpc_without_a_tool() -> None:
    for reasons in ({"RenameKey": "it has a tool"}, {"NoSuchRpc": "there is none"}):
        (problem,) = without_tool(TOOLS.values(), wire_rpcs(), reasons)
        assert problem.startswith(f"{next(iter(reasons))}: WITHOUT_TOOL")
    fewer = [tool for name, tool in TOOLS.items() if name != "rename_key"]
    assert len([*without_tool(fewer, wire_rpcs(), {"RenameKey": " "})]) == 1
