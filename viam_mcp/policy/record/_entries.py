"""What the audit says of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viam_mcp.policy.record._shown import shown_arguments
from viam_mcp.tools import references

if TYPE_CHECKING:
    from viam_mcp.policy._call import DecidedCall
    from viam_mcp.policy._outcomes import Outcome
    from viam_mcp.tools import Tool

Json = Any


def entry_of(call: DecidedCall, outcome: Outcome, /, **more: Json) -> dict[str, Json]:
    """Return the audit's entry about a call. Members without a value are left out.

    Args:
        call: The call.
        outcome: What became of it.
        more: Further members.
    """
    tool, caller, decision = call.tool, call.caller, call.decision
    entry: dict[str, Json] = {
        "caller": caller.name,
        "client": caller.client,
        "tool": tool.spec.name,
        "arguments": shown_arguments(tool),
        "subjects": subjects_of(tool),
        "decision": decision.action.value,
        "rule": decision.rule,
        "operation": call.operation,
        "preview": call.fingerprint,
        "outcome": outcome.value,
        **more,
    }
    return {name: value for name, value in entry.items() if value not in (None, "", [])}


def subjects_of(tool: Tool) -> list[str]:
    """Return the ids that a call's arguments name, each once."""
    return list(dict.fromkeys(reference.id for reference in references(tool) if reference.id))
