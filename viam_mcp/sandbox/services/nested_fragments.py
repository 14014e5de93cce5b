"""Nested fragments: what fragments amount to, alone and on a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, invalid, rpc
from viam_mcp.sandbox.rules import access, config
from viam_mcp.sandbox.rules.fragment_resolution import Resolution
from viam_mcp.sandbox.services.fragments import message

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NestedFragmentRpcs"]


class NestedFragmentRpcs:
    """The rpcs that follow fragments into each other."""

    @rpc("ListNestedFragments")
    def of_fragments(
        self, call: IncomingCall, request: app.ListNestedFragmentsRequest
    ) -> app.ListNestedFragmentsResponse:
        wanted = [(one.fragment_id, one.version) for one in request.additional_fragments]
        if request.HasField("fragment_id"):
            # This one must exist. For an additional one that does not, the reply says so.
            wanted.insert(0, (access.fragment(call, request.fragment_id)["id"], ""))
        if not wanted:
            raise invalid("fragment_id and additional_fragments are both empty: name at least one fragment")
        reply = app.ListNestedFragmentsResponse()
        _resolve(call, wanted, reply)
        return reply

    @rpc("ListMachineFragments")
    def of_machine(
        self, call: IncomingCall, request: app.ListMachineFragmentsRequest
    ) -> app.ListMachineFragmentsResponse:
        robot = access.robot(call, request.machine_id)
        texts = call.store.all("SELECT config_json FROM parts WHERE robot_id = ? ORDER BY main DESC, name", robot["id"])
        used = [entry for row in texts for entry in config.entries(row["config_json"])]
        reply = app.ListMachineFragmentsResponse()
        _resolve(
            call,
            [
                *((entry.fragment_id, entry.version) for entry in used),
                *((fragment_id, "") for fragment_id in request.additional_fragment_ids),
                *((one.fragment_id, one.version) for one in request.additional_fragments),
            ],
            reply,
        )
        return reply


def _resolve(
    call: IncomingCall,
    wanted: Iterable[tuple[str, str]],
    reply: app.ListNestedFragmentsResponse | app.ListMachineFragmentsResponse,
) -> None:
    """Fill in what fragments, each with a version, amount to, and every fragment on the way."""
    resolution = Resolution(call)
    for fragment_id, version in dict.fromkeys(wanted):
        reply.resolved_fragments.append(resolution.resolve(fragment_id, version))
    reply.fragments.extend(message(call.store, row, revision) for row, revision in resolution.visited.values())
