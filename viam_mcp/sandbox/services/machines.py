"""Machines: where they are, what they are called, and whether they are online."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import TYPE_CHECKING

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, Refusal, invalid, rpc
from viam_mcp.sandbox.rules import access, config, messages, names
from viam_mcp.sandbox.services import locations, parts

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = ["SUMMARIES", "MachineRpcs"]

SUMMARIES = 100


class MachineRpcs:
    """The rpcs about machines."""

    @rpc("GetRobot")
    def get(self, call: IncomingCall, request: app.GetRobotRequest) -> app.GetRobotResponse:
        row = access.robot(call, request.id)
        return app.GetRobotResponse(robot=_message(call, row["id"]))

    @rpc("ListRobots")
    def list(self, call: IncomingCall, request: app.ListRobotsRequest) -> app.ListRobotsResponse:
        return app.ListRobotsResponse(robots=_in_locations(call, [request.location_id]))

    @rpc("ListRobotsForLocations")
    def list_for_locations(
        self, call: IncomingCall, request: app.ListRobotsForLocationsRequest
    ) -> app.ListRobotsForLocationsResponse:
        return app.ListRobotsForLocationsResponse(robots=_in_locations(call, request.location_ids))

    @rpc("ListRobotsForOrg")
    def list_for_organization(
        self, call: IncomingCall, request: app.ListRobotsForOrgRequest
    ) -> app.ListRobotsForOrgResponse:
        rows = locations.seen_from(call, request.org_id)
        return app.ListRobotsForOrgResponse(robots=_in_locations(call, [row["id"] for row in rows]))

    @rpc("GetRoverRentalRobots")
    def rover_rentals(
        self, call: IncomingCall, request: app.GetRoverRentalRobotsRequest
    ) -> app.GetRoverRentalRobotsResponse:
        organization = access.organization(call, request.org_id)
        rows = call.store.all(
            "SELECT robots.id, robots.location_id, robots.name, parts.id AS main_part_id FROM robots "
            "JOIN parts ON parts.robot_id = robots.id AND parts.main "
            "JOIN locations ON locations.id = robots.location_id "
            "WHERE robots.rover_rental AND locations.org_id = ? ORDER BY robots.name, robots.id",
            organization["id"],
        )
        rentals = [
            app.RoverRentalRobot(
                robot_id=row["id"],
                location_id=row["location_id"],
                robot_name=row["name"],
                robot_main_part_id=row["main_part_id"],
            )
            for row in rows
        ]
        return app.GetRoverRentalRobotsResponse(robots=rentals)

    @rpc("NewRobot")
    def create(self, call: IncomingCall, request: app.NewRobotRequest) -> app.NewRobotResponse:
        location = access.location(call, request.location, "owner")
        _refuse_taken(call, location, names.machine(request.name))
        robot_id = call.store.new_uuid()
        call.store.insert("robots", id=robot_id, location_id=location["id"], name=request.name, created_on=call.now)
        first = _first_configuration(call, location["org_id"])
        parts.add(call, robot_id, f"{request.name}-main", main=True, config_json=first)
        return app.NewRobotResponse(id=robot_id)

    @rpc("UpdateRobot")
    def update(self, call: IncomingCall, request: app.UpdateRobotRequest) -> app.UpdateRobotResponse:
        row = access.robot(call, request.id, "owner")
        moves = request.location != row["location_id"]
        location = access.location(call, request.location, "owner" if moves else "visible")
        if location["org_id"] != row["org_id"]:
            raise invalid(
                f"the location {location['name']!r} ({location['id']}) belongs to another organization than the "
                f"machine {row['name']!r}: machines move only within their organization"
            )
        if moves or request.name != row["name"]:
            _refuse_taken(call, location, names.machine(request.name))
        sql = "UPDATE robots SET name = ?, location_id = ? WHERE id = ?"
        call.store.run(sql, request.name, location["id"], row["id"])
        return app.UpdateRobotResponse(robot=_message(call, row["id"]))

    @rpc("DeleteRobot")
    def delete(self, call: IncomingCall, request: app.DeleteRobotRequest) -> app.DeleteRobotResponse:
        row = access.robot(call, request.id, "owner")
        call.store.run("DELETE FROM authorizations WHERE resource_id = ?", row["id"])
        call.store.run("DELETE FROM robots WHERE id = ?", row["id"])
        return app.DeleteRobotResponse()

    @rpc("ListMachineSummaries")
    def summaries(
        self, call: IncomingCall, request: app.ListMachineSummariesRequest
    ) -> app.ListMachineSummariesResponse:
        limit = request.limit if request.HasField("limit") else SUMMARIES
        if limit < 1:
            raise invalid(f"limit is {limit}: it must be at least 1, or left out for {SUMMARIES}")
        places = locations.seen_from(call, request.organization_id)
        if request.location_ids:
            wanted = {access.location(call, location_id, "visible")["id"] for location_id in request.location_ids}
            places = [row for row in places if row["id"] in wanted]
        using = _using(call, [access.fragment(call, fragment_id)["id"] for fragment_id in request.fragment_ids])
        response = app.ListMachineSummariesResponse()
        for place in places:
            machines = [robot for robot in _in_locations(call, [place["id"]]) if using is None or robot.id in using]
            summaries = [_summary(call, robot) for robot in machines[:limit]]
            limit -= len(summaries)
            if summaries:
                response.location_summaries.add(
                    location_id=place["id"], location_name=place["name"], machine_summaries=summaries
                )
        return response


def _in_locations(call: IncomingCall, location_ids: Iterable[str]) -> list[app.Robot]:
    """Return the machines of some locations that the caller may see, location by location."""
    whole = cache(partial(access.holds, call, "operator", "location"))
    # A caller with a role on one machine may see its location, but no other machine there.
    return [
        robot
        for location_id in location_ids
        for robot in messages.robots(
            call.store, call.now, "robots.location_id = ?", access.location(call, location_id, "visible")["id"]
        )
        if whole(location_id) or access.holds(call, "operator", "robot", robot.id)
    ]


def _using(call: IncomingCall, fragment_ids: Iterable[str]) -> set[str] | None:
    """Return the ids of the machines that use any of some fragments; None, for all machines, if none are named."""
    sql = "SELECT robot_id FROM fragment_uses JOIN parts ON parts.id = part_id WHERE fragment_id = ?"
    found = [{row["robot_id"] for row in call.store.all(sql, fragment_id)} for fragment_id in fragment_ids]
    return set().union(*found) if found else None


def _summary(call: IncomingCall, robot: app.Robot) -> app.MachineSummary:
    rows = messages.part_rows(call.store, "parts.robot_id = ?", robot.id)
    return app.MachineSummary(
        machine_id=robot.id,
        machine_name=robot.name,
        part_summaries=[_part_summary(call, row) for row in rows],
    )


def _part_summary(call: IncomingCall, row: sqlite3.Row) -> app.PartSummary:
    fragments = call.store.all(
        "SELECT id, name FROM fragment_uses JOIN fragments ON id = fragment_id WHERE part_id = ? ORDER BY name",
        row["id"],
    )
    summary = app.PartSummary(
        part_id=row["id"],
        part_name=row["name"],
        is_main_part=bool(row["main"]),
        dns_name=names.dns(row["name"]),
        fragments=[app.FragmentSummary(id=fragment["id"], name=fragment["name"]) for fragment in fragments],
    )
    info = json.loads(row["user_supplied_info"])
    for field, key in (("os", "os"), ("platform", "platform")):
        if key in info:
            setattr(summary, field, info[key])
    # Which member of the oneof the service sets is not published. Readers take the one that is set.
    if "version" in info:
        summary.viam_server_version.major = info["version"]
    if "agent_version" in info:
        summary.viam_agent_version.major = info["agent_version"]
    messages.set_presence(summary, row["online"], row["last_access"], call.now)
    if summary.HasField("last_access"):
        summary.last_online.CopyFrom(summary.last_access)
    return summary


def _first_configuration(call: IncomingCall, org_id: str) -> str:
    """Return what the organization's new machines start with: its default fragments, as far as they still exist."""
    defaults = app.FragmentImportList()
    defaults.ParseFromString(
        call.store.value("SELECT default_fragments FROM organizations WHERE id = ?", org_id) or b""
    )
    exists = "SELECT 1 FROM fragments WHERE id = ?"
    return config.importing(one for one in defaults.fragments if call.store.one(exists, one.fragment_id))


def _message(call: IncomingCall, robot_id: str) -> app.Robot:
    return messages.robots(call.store, call.now, "robots.id = ?", robot_id)[0]


def _refuse_taken(call: IncomingCall, location: sqlite3.Row, name: str) -> None:
    taken = call.store.one("SELECT id FROM robots WHERE location_id = ? AND name = ?", location["id"], name)
    if taken:
        raise Refusal(
            Status.ALREADY_EXISTS,
            f"the location {location['name']!r} ({location['id']}) has a machine named {name!r} already "
            f"({taken['id']}): choose another name or location",
        )
