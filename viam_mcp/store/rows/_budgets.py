"""How many calls may run within an hour: a sliding window of rows for each budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.store._errors import BudgetUsedUp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from viam_mcp.store.database._database import Connection

_HOUR = 3_600_000


class Budgets:
    """The budgets of a store, in one transaction.

    Args:
        connection: The transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self, limits: Mapping[str, int]) -> None:
        """Return if one more call may run.

        Args:
            limits: How many calls each budget allows in an hour, by its name.

        Raises:
            BudgetUsedUp: One of them allows no more now.
        """
        for name, limit in limits.items():
            self._check(name, limit)

    def take(self, limits: Mapping[str, int]) -> None:
        """Count a call that is about to run. Of several at once none gets what another has taken.

        Args:
            limits: As for `check`.

        Raises:
            BudgetUsedUp: One of them allows no more now. None has counted the call.
        """
        connection = self._connection
        # In one order, so that two transactions cannot wait for each other.
        for name in sorted(limits):
            connection.execute(
                "INSERT INTO budgets (name) VALUES (:name) ON CONFLICT (name) DO UPDATE SET name = excluded.name",
                name=name,
            )
            # Times ahead are those of a clock that was set back since: they count from now on.
            connection.change(
                "UPDATE budget_uses SET used = :now WHERE budget = :name AND used > :now", name=name, now=connection.now
            )
            connection.change(
                "DELETE FROM budget_uses WHERE budget = :name AND used <= :old", name=name, old=connection.now - _HOUR
            )
        self.check(limits)
        connection.insert(
            "INSERT INTO budget_uses (budget, used) VALUES (:name, :now)",
            [{"name": name, "now": connection.now} for name in sorted(limits)],
        )

    def _check(self, name: str, limit: int) -> None:
        now = self._connection.now
        if limit <= 0:
            raise BudgetUsedUp(name, limit, None)
        # The call that makes room by growing older than an hour: the one before which `limit` calls have run since.
        rows = self._connection.execute(
            "SELECT used FROM budget_uses WHERE budget = :name AND used > :old ORDER BY used DESC LIMIT 1 OFFSET :skip",
            name=name,
            old=now - _HOUR,
            skip=limit - 1,
        )
        if rows:
            raise BudgetUsedUp(name, limit, (min(rows[0][0], now) + _HOUR - now) / 1000)
