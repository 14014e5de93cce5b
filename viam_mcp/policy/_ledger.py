"""What outlasts a gate: the record, the seal on questions, which of them were answered, and what was spent.

Gates come and go with the connections of callers. Whatever went with them would begin anew with the next one.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from viam_mcp.policy.confirm._shelf import FolderShelf, MemoryShelf
from viam_mcp.policy.confirm._tokens import Seal
from viam_mcp.policy.record._budget import Budget
from viam_mcp.policy.record._credentials import Delivery
from viam_mcp.policy.record._state import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from viam_mcp.policy.confirm._shelf import Shelf
    from viam_mcp.policy.record._audit import Audit
    from viam_mcp.policy.rules._rules import Policy
    from viam_mcp.tools import Spec


class Ledger:
    """What all gates of a process have in common.

    Args:
        audit: Where decisions and changes are written.
        state: The folder for what outlasts the process: delivered credentials, answered questions, budgets.
        keys: What seals questions, shared by the processes that may get the answer; None for one process.
        clock: Seconds since 1970.

    Raises:
        PolicyError: A key is too short, or the folder is somebody else's.
    """

    def __init__(
        self,
        audit: Audit,
        state: Path,
        *,
        keys: Sequence[bytes] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if state.exists():
            private_folder(state)
        self.audit = audit
        self.seal = Seal(keys)
        # Without shared keys no other process can open our tokens, so none has to know which were answered.
        self.shelf: Shelf = MemoryShelf(clock) if keys is None else FolderShelf(state / "spent", clock)
        self.clock = clock
        self._state = state

    def budget(self, policy: Policy) -> Budget | None:
        """What a policy allows within an hour, for all who are under it; None for any number."""
        if policy.destructive_per_hour is None:
            return None
        name = hashlib.sha256(policy.source.encode()).hexdigest()[:32]
        return Budget(policy.destructive_per_hour, self._state / "budgets" / name, self.clock)

    def delivery(self, spec: Spec) -> Delivery:
        """A new file for the credential that a tool answers with.

        Raises:
            PolicyError: It cannot be made.
        """
        return Delivery(self._state / "secrets", spec)
