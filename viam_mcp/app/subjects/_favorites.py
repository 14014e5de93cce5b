"""Favorites: the machines that a caller keeps at hand."""

from __future__ import annotations

from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

__all__ = ["FavoriteMethods"]


class FavoriteMethods(Subject):
    """Methods about the caller's own favorite machines. Nobody else sees them."""

    async def add_favorite_machine(self, machine_id: str, timeout: float | None = None) -> None:
        """Make a machine a favorite of the caller. Nothing changes if it is one.

        Args:
            machine_id: The machine.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(app.AddFavoriteMachineRequest, machine_id=machine_id)
        await self._session.unary(self._stub.AddFavoriteMachine, request, timeout=timeout)

    async def remove_favorite_machine(self, machine_id: str, timeout: float | None = None) -> None:
        """Make a machine no favorite of the caller any more. Nothing changes if it is none.

        Args:
            machine_id: The machine.
            timeout: Seconds for the call, instead of the client's.
        """
        request = build(app.RemoveFavoriteMachineRequest, machine_id=machine_id)
        await self._session.unary(self._stub.RemoveFavoriteMachine, request, timeout=timeout)

    async def list_favorite_machines(self, timeout: float | None = None) -> list[app.FavoriteMachine]:
        """List the caller's favorite machines.

        Args:
            timeout: Seconds for the call, instead of the client's.
        """
        request = app.ListFavoriteMachinesRequest()
        return list((await self._session.unary(self._stub.ListFavoriteMachines, request, timeout=timeout)).favorites)
