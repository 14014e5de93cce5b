"""Which tools a server offers, by toolset."""

from __future__ import annotations

from viam_mcp.calls import choose
from viam_mcp.tools import ON_REQUEST, TOOLS, TOOLSETS


def _toolsets(**asked: tuple[str, ...]) -> set[str]:
    return {tool.spec.toolset for tool in choose(**asked).values()}  # type: ignore[arg-type]


def test_what_daily_work_does_not_need_is_off_unless_asked_for() -> None:
    assert {*ON_REQUEST} == {"billing", "oauth_apps", "push", "branding", "auth_service"}
    assert _toolsets() == TOOLSETS.keys() - ON_REQUEST
    assert _toolsets(exclude_tools=("get_robot",)) == TOOLSETS.keys() - ON_REQUEST


def test_all_has_every_tool() -> None:
    assert choose(toolsets=("all",)) == TOOLS
    assert choose(toolsets=("all", "machines")) == TOOLS


def test_a_toolset_or_a_tool_that_is_off_is_offered_where_it_is_named() -> None:
    assert _toolsets(toolsets=("billing",)) == {"billing"}
    assert _toolsets(toolsets=("machines", "push")) == {"machines", "push"}
    assert [*choose(tools=("get_firebase_config",))] == ["get_firebase_config"]
    assert "get_firebase_config" in choose(toolsets=("core",), tools=("get_firebase_config",))


def test_no_tool_of_core_is_off_by_default() -> None:
    assert choose(toolsets=("core",)).keys() <= choose().keys()
