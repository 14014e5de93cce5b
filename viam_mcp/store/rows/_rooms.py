"""How much room open operations take, by owner and in all.

Kept as counts, so that one more operation costs the same however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.store._errors import RoomFull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.store._records import RoomLimits
    from viam_mcp.store.database._database import Connection

_ALL = ""


def take_room(connection: Connection, owner: str, size: int, limits: RoomLimits) -> None:
    """Count one more open operation.

    Raises:
        RoomFull: There is no room for it.
    """
    number, taken = _add(connection, owner, 1, size)
    if number > limits.own_number or taken > limits.own_bytes:
        raise RoomFull(is_own=True)
    number, taken = _add(connection, _ALL, 1, size)
    if number > limits.number or taken > limits.bytes:
        raise RoomFull(is_own=False)


def give_room(connection: Connection, freed: Mapping[str, tuple[int, int]]) -> None:
    """Count open operations less.

    Args:
        connection: The transaction.
        freed: How many of each owner, and how many bytes they had.
    """
    # In one order and the sum last, as in `take_room`, so that no two transactions wait for each other.
    for owner in sorted(freed):
        number, size = freed[owner]
        left, _ = _add(connection, owner, -number, -size)
        if left <= 0:
            connection.change("DELETE FROM rooms WHERE owner = :owner AND number <= 0", owner=owner)
    if freed:
        _add(connection, _ALL, -sum(number for number, _ in freed.values()), -sum(size for _, size in freed.values()))


def _add(connection: Connection, owner: str, number: int, size: int) -> tuple[int, int]:
    rows = connection.execute(
        "INSERT INTO rooms (owner, number, bytes) VALUES (:owner, :number, :size) "
        "ON CONFLICT (owner) DO UPDATE "
        "SET number = rooms.number + excluded.number, bytes = rooms.bytes + excluded.bytes "
        "RETURNING number, bytes",
        owner=owner,
        number=number,
        size=size,
    )
    return rows[0][0], rows[0][1]
