"""Favorites: the machines that a caller keeps at hand."""

from __future__ import annotations

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import IncomingCall, rpc, set_time
from viam_mcp.sandbox.rules import access, messages

__all__ = ["FavoriteRpcs"]


class FavoriteRpcs:
    """The rpcs about favorite machines. An API key has favorites of its own, like a user."""

    @rpc("AddFavoriteMachine")
    def add(self, call: IncomingCall, request: app.AddFavoriteMachineRequest) -> app.AddFavoriteMachineResponse:
        robot = access.robot(call, request.machine_id)
        call.store.run(
            "INSERT OR IGNORE INTO favorites (identity_id, robot_id, created_on) VALUES (?, ?, ?)",
            call.identity_id,
            robot["id"],
            call.now,
        )
        return app.AddFavoriteMachineResponse()

    @rpc("RemoveFavoriteMachine")
    def remove(
        self, call: IncomingCall, request: app.RemoveFavoriteMachineRequest
    ) -> app.RemoveFavoriteMachineResponse:
        machine_id = access.uuid(request.machine_id, "machine_id")
        removed = call.store.run(
            "DELETE FROM favorites WHERE identity_id = ? AND robot_id = ?", call.identity_id, machine_id
        )
        if not removed:
            # Removing a machine that is no favorite is allowed; naming a machine that does not exist is not.
            access.robot(call, machine_id)
        return app.RemoveFavoriteMachineResponse()

    @rpc("ListFavoriteMachines")
    def list(self, call: IncomingCall, request: app.ListFavoriteMachinesRequest) -> app.ListFavoriteMachinesResponse:
        rows = call.store.all(
            "SELECT robot_id, favorites.created_on, locations.org_id FROM favorites"
            " JOIN robots ON robots.id = robot_id JOIN locations ON locations.id = robots.location_id"
            " WHERE identity_id = ? ORDER BY robots.name, robots.id",
            call.identity_id,
        )
        reply = app.ListFavoriteMachinesResponse()
        for row in rows:
            # A machine that the caller may no longer see stays a favorite, and is listed again with the role.
            if access.holds(call, "operator", "robot", row["robot_id"]):
                (machine,) = messages.robots(call.store, call.now, "robots.id = ?", row["robot_id"])
                favorite = reply.favorites.add(machine=machine, organization_id=row["org_id"])
                set_time(favorite.created_on, row["created_on"])
        return reply
