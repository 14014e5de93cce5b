"""What can be wrong with a store. Each message says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viam_mcp.store._records import State


class StoreError(Exception):
    """The store cannot be used now. Nothing of the transaction has happened, unless the class says otherwise."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, or the connection to it broke."""


class StoreReadOnly(StoreError):
    """The database, or the folder that it is to be in, cannot be written."""


class StoreFull(StoreError):
    """The disk is full, or the database has reached its limit."""


class StoreSlow(StoreError):
    """The database did not answer in time."""


class StoreLocked(StoreError):
    """Another program holds the database."""


class StoreNewer(StoreError):
    """The schema is that of a newer viam-mcp."""


class StoreOlder(StoreError):
    """The database server is too old, or the schema is older and cannot be brought up to date."""


class StoreCorrupted(StoreError):
    """The database is damaged, is not this program's, or was changed by somebody else."""


class StoreKeyError(StoreError):
    """The state key is missing, is another one, or cannot be read as a key."""


class UnknownKeyError(StoreKeyError):
    """A row was written with a key that another program has added since this one read the keys."""


class StoreAddressError(StoreError):
    """The address of the store is none that this program knows, or the driver for it is not installed."""


class CommitUnknown(StoreError):
    """The connection broke during a commit, and whether it took effect could not be found out."""


class OperationConflict(Exception):
    """An operation is not in the state that a step needs. Nothing has changed.

    Attributes:
        state: The state that it is in; None if there is no such operation for this caller.
    """

    def __init__(self, operation_id: str, state: State | None) -> None:
        found = "there is none for this caller" if state is None else f"it is {state}"
        super().__init__(f"operation {operation_id}: {found}")
        self.state = state


class RoomFull(Exception):
    """There is no room for one more open operation. Open ones expire by themselves.

    Attributes:
        is_own: Whether the caller's own operations take the room, and not those of all callers.
    """

    def __init__(self, *, is_own: bool) -> None:
        whose = "your confirmations" if is_own else "the confirmations of all callers"
        super().__init__(f"too many of {whose} are open; they expire by themselves")
        self.is_own = is_own


class BudgetUsedUp(Exception):
    """A budget allows no more calls now.

    Attributes:
        budget: Its name.
        limit: How many calls it allows in an hour.
        seconds: How long until the next call may run; None if the budget allows none.
    """

    def __init__(self, budget: str, limit: int, seconds: float | None) -> None:
        super().__init__(f"the budget of {limit} calls an hour is used up")
        self.budget = budget
        self.limit = limit
        self.seconds = seconds
