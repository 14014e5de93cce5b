"""The parts of machines: their names, configurations, history and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, conflict, invalid, nanoseconds, not_found, rpc, set_time
from viam_mcp.sandbox.rules import access, config, config_paths, fragment_references, messages, names
from viam_mcp.sandbox.rules.history import PARTS, edit_time, editor
from viam_mcp.sandbox.rules.shared_secrets import PART

if TYPE_CHECKING:
    import sqlite3

__all__ = ["PartRpcs", "add"]


def add(call: IncomingCall, robot_id: str, name: str, *, main: bool, config_json: str = "{}") -> str:
    """Add a part to a machine, with its first secret.

    Returns:
        The part's id.

    Raises:
        Refusal: INVALID_ARGUMENT: no name for a part. ALREADY_EXISTS: the machine has one of that name.
    """
    _refuse_taken(call, robot_id, names.part(name))
    part_id, created_on = call.store.new_uuid(), edit_time(0, call.now)
    call.store.insert(
        "parts",
        id=part_id,
        robot_id=robot_id,
        name=name,
        main=int(main),
        config_json=config_json,
        created_on=created_on,
        last_updated=created_on,
    )
    fragment_references.keep_in_step(call.store, part_id, config_json)
    PART.add(call, part_id)
    return part_id


class PartRpcs:
    """The rpcs about parts."""

    @rpc("GetRobotParts")
    def list(self, call: IncomingCall, request: app.GetRobotPartsRequest) -> app.GetRobotPartsResponse:
        robot = access.robot(call, request.robot_id)
        rows = messages.part_rows(call.store, "parts.robot_id = ?", robot["id"])
        return app.GetRobotPartsResponse(parts=[_message(call, row) for row in rows])

    @rpc("GetRobotPart")
    def get(self, call: IncomingCall, request: app.GetRobotPartRequest) -> app.GetRobotPartResponse:
        row = access.part(call, request.id)
        return app.GetRobotPartResponse(part=_message(call, row), config_json=row["config_json"])

    @rpc("GetRobotPartByNameAndLocation")
    def get_by_name(
        self, call: IncomingCall, request: app.GetRobotPartByNameAndLocationRequest
    ) -> app.GetRobotPartByNameAndLocationResponse:
        location = access.location(call, request.location_id, "visible")
        where = "parts.name = ? AND robots.location_id = ?"
        found = [
            row
            for row in messages.part_rows(call.store, where, request.name, location["id"])
            if access.holds(call, "operator", "robot", row["robot_id"])
        ]
        if not found:
            raise not_found(f"in the location {location['name']!r} ({location['id']}), a part named", request.name)
        if len(found) > 1:
            ids = ", ".join(row["id"] for row in found)
            raise conflict(
                f"{len(found)} parts in the location {location['name']!r} are named {request.name!r}: get the one you "
                f"mean by its id ({ids})"
            )
        return app.GetRobotPartByNameAndLocationResponse(part=_message(call, found[0]))

    @rpc("GetRobotPartHistory")
    def history(self, call: IncomingCall, request: app.GetRobotPartHistoryRequest) -> app.GetRobotPartHistoryResponse:
        part = access.part(call, request.id, "owner")
        rows, token = PARTS.page(
            call.store,
            part["id"],
            request.page_token,
            request.page_limit if request.HasField("page_limit") else None,
            start=nanoseconds(request.start) if request.HasField("start") else None,
            end=nanoseconds(request.end) if request.HasField("end") else None,
        )
        response = app.GetRobotPartHistoryResponse(next_page_token=token)
        for row in rows:
            entry = response.history.add(part=part["id"], robot=part["robot_id"], edited_by=editor(call.store, row))
            entry.old.ParseFromString(row["old"])
            set_time(entry.when, row["edited_on"])
        return response

    @rpc("UpdateRobotPart")
    def update(self, call: IncomingCall, request: app.UpdateRobotPartRequest) -> app.UpdateRobotPartResponse:
        row = access.part(call, request.id, "owner")
        PARTS.refuse_stale(call, row, request)
        if names.part(request.name) != row["name"]:
            _refuse_taken(call, row["robot_id"], request.name)
        text = config.requested(request, "robot_config", "robot_config_json") or row["config_json"]
        fragment_references.refuse_unusable(call, text, row["config_json"])
        _save(call, row, request.name, text)
        return app.UpdateRobotPartResponse(part=_read(call, row["id"]))

    @rpc("SetConfigProperty")
    def set_properties(
        self, call: IncomingCall, request: app.SetConfigPropertyRequest
    ) -> app.SetConfigPropertyResponse:
        row = access.part(call, request.robot_part_id, "owner")
        if not request.property_changes:
            raise invalid("property_changes is empty: name at least one path and its new value")
        text, reply = row["config_json"], app.SetConfigPropertyResponse()
        for change in request.property_changes:
            result = reply.property_changes.add(path=change.path)
            try:
                text = _with_property(call, text, change)
            except Refusal as refusal:
                result.error = refusal.message
            else:
                result.success = True
                result.value.CopyFrom(change.value)
        if any(result.success for result in reply.property_changes):
            _save(call, row, row["name"], text)
        return reply

    @rpc("NewRobotPart")
    def create(self, call: IncomingCall, request: app.NewRobotPartRequest) -> app.NewRobotPartResponse:
        robot = access.robot(call, request.robot_id, "owner")
        return app.NewRobotPartResponse(part_id=add(call, robot["id"], request.part_name, main=False))

    @rpc("DeleteRobotPart")
    def delete(self, call: IncomingCall, request: app.DeleteRobotPartRequest) -> app.DeleteRobotPartResponse:
        row = access.part(call, request.part_id, "owner")
        if row["main"]:
            raise conflict(
                f"{row['name']!r} is the main part of the machine {row['robot_name']!r}, which needs one: mark another "
                "part as main first, or delete the machine"
            )
        call.store.run("DELETE FROM parts WHERE id = ?", row["id"])
        return app.DeleteRobotPartResponse()

    @rpc("MarkPartAsMain")
    def mark_as_main(self, call: IncomingCall, request: app.MarkPartAsMainRequest) -> app.MarkPartAsMainResponse:
        row = access.part(call, request.part_id, "owner")
        call.store.run("UPDATE parts SET main = 0 WHERE robot_id = ?", row["robot_id"])
        call.store.run("UPDATE parts SET main = 1 WHERE id = ?", row["id"])
        return app.MarkPartAsMainResponse()

    @rpc("MarkPartForRestart")
    def mark_for_restart(
        self, call: IncomingCall, request: app.MarkPartForRestartRequest
    ) -> app.MarkPartForRestartResponse:
        # A restart is control, which operators have: it changes no configuration.
        row = access.part(call, request.part_id)
        call.store.run("UPDATE parts SET restart_requested = ? WHERE id = ?", call.now, row["id"])
        return app.MarkPartForRestartResponse()

    @rpc("CreateRobotPartSecret")
    def create_secret(
        self, call: IncomingCall, request: app.CreateRobotPartSecretRequest
    ) -> app.CreateRobotPartSecretResponse:
        row = access.part(call, request.part_id, "owner")
        PART.add(call, row["id"])
        return app.CreateRobotPartSecretResponse(part=_message(call, row))

    @rpc("DeleteRobotPartSecret")
    def delete_secret(
        self, call: IncomingCall, request: app.DeleteRobotPartSecretRequest
    ) -> app.DeleteRobotPartSecretResponse:
        row = access.part(call, request.part_id, "owner")
        PART.remove(call, row["id"], request.secret_id)
        return app.DeleteRobotPartSecretResponse()


def _message(call: IncomingCall, row: sqlite3.Row) -> app.RobotPart:
    """Return a part as this caller may see it. Its secrets are for owners."""
    owner = access.holds(call, "owner", "robot", row["robot_id"])
    return messages.part(row, call.now, PART.of(call.store, row["id"]) if owner else [])


def _read(call: IncomingCall, part_id: str) -> app.RobotPart:
    return _message(call, access.part(call, part_id))


def _refuse_taken(call: IncomingCall, robot_id: str, name: str) -> None:
    taken = call.store.one("SELECT id FROM parts WHERE robot_id = ? AND name = ?", robot_id, name)
    if taken:
        raise Refusal(
            Status.ALREADY_EXISTS,
            f"the machine {robot_id} has a part named {name!r} already ({taken['id']}): choose another name",
        )


def _save(call: IncomingCall, row: sqlite3.Row, name: str, text: str) -> None:
    """Store a part's name and configuration, and its previous state in the history."""
    edited_on = edit_time(row["last_updated"], call.now)
    PARTS.record(call, row["id"], edited_on, messages.part(row, call.now, secrets=[]))
    sql = "UPDATE parts SET name = ?, config_json = ?, last_updated = ? WHERE id = ?"
    call.store.run(sql, name, text, edited_on, row["id"])
    fragment_references.keep_in_step(call.store, row["id"], text)


def _with_property(call: IncomingCall, text: str, change: app.ConfigPropertyChange) -> str:
    """Return a configuration with one property set.

    Raises:
        Refusal: The path, the value, or what they make of the configuration is not allowed.
    """
    steps = config_paths.parse(change.path)
    changed = json.loads(text)
    config_paths.assign(changed, steps, config.plain(change.value, "the change"))
    after = json.dumps(changed, ensure_ascii=False)
    config.parse(after, "the configuration")
    fragment_references.refuse_unusable(call, after, text)
    return after
