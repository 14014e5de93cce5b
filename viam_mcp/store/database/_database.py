"""What the two databases have in common.

Statements are plain SQL that both take, with `:name` for values. Where the two differ, the connection says how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

Row = tuple[Any, ...]


class Connection(Protocol):
    """A connection inside one transaction.

    Attributes:
        now: The time of the transaction, in milliseconds since 1970.
        for_update: What a SELECT ends with to lock its rows; empty where the whole database is locked anyway.
        skip_locked: The same, passing over rows that are locked.
    """

    now: int
    for_update: str
    skip_locked: str

    def execute(self, sql: str, /, **values: Any) -> list[Row]:
        """Run a statement, and return its rows."""

    def change(self, sql: str, /, **values: Any) -> int:
        """Run a statement that changes rows, and return how many."""

    def insert(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        """Run a statement for each of many rows."""

    def tidy(self) -> None:
        """Forget what the database needed for a while only."""

    def stream(self, sql: str, /, **values: Any) -> Iterator[Row]:
        """Run a statement, and yield its rows without holding all of them."""


class Database(Protocol):
    """A database. Every method may be called from any thread, and raises `StoreError`s alone."""

    def open(self) -> None:
        """Connect, and bring the schema up to date."""

    def writing(self) -> AbstractContextManager[Connection]:
        """Return a transaction that may write. Leaving the block commits it; an exception undoes it.

        Raises:
            Again: It was undone for a reason that may be gone when it is tried again.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a transaction that reads one consistent state, and holds nobody up."""

    def close(self) -> None:
        """Close all connections."""


class Again(Exception):  # noqa: N818 - it is a signal, and never leaves the store
    """The transaction was undone and may be tried again.

    Attributes:
        reason: What to raise once nobody tries any more.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason
