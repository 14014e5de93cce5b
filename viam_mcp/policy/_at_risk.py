"""Calls that are allowed and put at risk what no rule names: they are asked about all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.policy.confirm._question import read_preview
from viam_mcp.tools import Risk

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.policy._call import Call
    from viam_mcp.policy.rules._rules import Decision


async def unless_at_risk(call: Call, decision: Decision, app: AppClient) -> Decision:
    """Return the decision about an allowed call: to ask, if it puts at risk what its tool declares and no rule names.

    Raises:
        Stopped: The call cannot be done as it was asked.
    """
    unnamed = decision.unnamed(call.tool.spec)
    if not unnamed:
        return decision
    seen = await read_preview(call.tool, app, call.environment)
    if not seen.readable:
        return decision.confirmed("what it does cannot be read")
    return decision.confirmed(f"it {_because(found)}") if (found := unnamed & seen.preview.risks) else decision


def _because(risks: frozenset[Risk]) -> str:
    """Return what a call does that puts something at risk."""
    return " and ".join(_DOES.get(risk, f"puts {risk} at risk") for risk in Risk if risk in risks)


_DOES = {Risk.EMPTIES: "removes most of a configuration"}
